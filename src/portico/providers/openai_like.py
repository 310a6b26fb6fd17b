"""Whatever speaks OpenAI's wire: vLLM, Ollama, new-api, LiteLLM, another Portico, OpenAI itself.

Texts are `POST /chat/completions`, pictures `POST /images/generations` and `/images/edits`,
videos `POST /videos` as a form, then `GET /videos/{id}` and its `/content`. Sources: OpenAI's API
reference, what its Python client 3.52.0 sends, and new-api's relay code for the places where
relays put a result's URL and for their other words for states.

Options of a credential:
    max_tokens_field: how the limit of a text is called; `max_completion_tokens` for OpenAI itself.
    keeps_keys: `1` where the upstream honours `Idempotency-Key` for videos, as Portico does: then
        a start whose answer was lost is repeated with its key, which finds the job.
"""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from portico.core.jobs import ChatJob, Chunk, Kind, ParamValue, Role
from portico.core.upstreams import Call, Part, Trouble, Upstream, UpstreamError
from portico.providers.base import (
    Assignment,
    Capabilities,
    Credential,
    Finished,
    HandOver,
    Lost,
    Missing,
    OutputFile,
    Pending,
    Save,
)
from portico.providers.chat_wire import TOKENS_FIELD, ChatWire
from portico.providers.http import (
    Api,
    Refusals,
    State,
    at,
    hint_of,
    pending,
    read_id,
    read_names,
    read_number,
    read_url,
    read_usage,
)
from portico.providers.inputs import file_name, refuse_unsupported

VIDEOS = "/videos"
STATES = {
    "queued": State.QUEUED,
    "in_progress": State.RUNNING,
    "completed": State.DONE,
    "failed": State.FAILED,
    # relays
    "not_start": State.QUEUED,
    "submitted": State.QUEUED,
    "processing": State.RUNNING,
    "success": State.DONE,
    "succeeded": State.DONE,
    "failure": State.FAILED,
    "cancelled": State.FAILED,
    "expired": State.FAILED,
}
REFUSALS = Refusals(
    code_at=("error", "code"),
    codes={
        "moderation_blocked": Trouble.CONTENT,
        "sentinel_block": Trouble.CONTENT,
        "content_policy_violation": Trouble.CONTENT,
        "content_filter": Trouble.CONTENT,
        "content_refused": Trouble.CONTENT,
        "invalid_api_key": Trouble.CREDENTIAL,
        "insufficient_quota": Trouble.CREDIT,
        "insufficient_user_quota": Trouble.CREDIT,
        "model_not_found": Trouble.MODEL,
        "rate_limit_exceeded": Trouble.BUSY,
        "invalid_image": Trouble.MEDIA,
        "invalid_image_format": Trouble.MEDIA,
        "media_rejected": Trouble.MEDIA,
        "media_unreachable": Trouble.MEDIA,
    },
)
_UPLOADED = (HandOver.UPLOAD,)
VIDEO = Capabilities(
    kinds=frozenset({Kind.VIDEO}),
    params={
        "duration": "seconds",
        "resolution": "size",
        "ratio": "size",
        "size": "size",
        # beyond the wire; relays and Portico read them as further fields of the form
        "seed": "seed",
        "audio": "audio",
        "negative_prompt": "negative_prompt",
    },
    roles={Role.FIRST_FRAME: "input_reference", Role.REFERENCE_IMAGE: "input_reference"},
    media={"image": _UPLOADED},
)
IMAGE = Capabilities(
    kinds=frozenset({Kind.IMAGE}),
    params={"ratio": "size", "size": "size", "quality": "quality", "resolution": "size"},
    roles={
        Role.REFERENCE_IMAGE: "image[]",
        Role.SOURCE_IMAGE: "image[]",
        Role.FIRST_FRAME: "image[]",
    },
    media={"image": _UPLOADED},
)
USAGE = {"input_tokens": "input_tokens", "output_tokens": "output_tokens"}
URL_PLACES = (
    ("metadata", "url"),
    ("data", "result_url"),
    ("data", "url"),
    ("url",),
    ("video_url",),
)
POLL_HEADER = "openai-poll-after-ms"
POLL_MAX_S = 60.0
IMAGE_S = 300.0
IMAGE_ANSWER_BYTES_MAX = 96 * 2**20
_LANDSCAPE, _PORTRAIT, _SQUARE = "1536x1024", "1024x1536", "1024x1024"


class OpenAiLike:
    """Implements every protocol of a provider for one credential."""

    name = "openai_like"
    restartable = False
    capabilities = (VIDEO, IMAGE)

    def __init__(self, credential: Credential, upstream: Upstream) -> None:
        headers = {"Authorization": f"Bearer {credential.secret}"}
        self._api = Api(upstream, headers=headers, refusals=REFUSALS)
        self._keeps_keys = credential.options.get("keeps_keys") == "1"
        tokens_field = credential.options.get("max_tokens_field", TOKENS_FIELD)
        self._chat = ChatWire(self._api, tokens_field=tokens_field)

    async def start(self, assignment: Assignment, *, attempt_id: str) -> Pending | Finished:
        """Submit a video and return its id, or make a picture and wait for it."""
        if assignment.job.kind is Kind.IMAGE:
            return await self._picture(assignment, attempt_id)
        answer = await self._api.begin(
            VIDEOS, attempt_id=attempt_id, parts=_form(assignment), headers=_key(attempt_id)
        )
        upstream_id = read_id(answer.get("id") or answer.get("task_id"))
        return Pending(upstream_id, running=False, check_after_s=VIDEO.check_after_s)

    async def check(self, upstream_id: str) -> Pending | Finished | Missing:
        """Read a video once."""
        asked = await self._api.ask(f"{VIDEOS}/{upstream_id}")
        if asked is None:
            return Missing()
        video, headers = asked
        word = video.get("status")
        state = self._api.state(STATES, word.lower() if isinstance(word, str) else word)
        if state is State.FAILED:
            raise self._api.failed(at(video, "error", "code"))
        if state is not State.DONE:
            done = read_number(video.get("progress"))
            return Pending(
                upstream_id,
                running=state is State.RUNNING,
                progress=None if done is None else min(1.0, done / 100),
                check_after_s=_poll_after_s(headers),
            )
        urls = (read_url(at(video, *place)) for place in URL_PLACES)
        url = next((url for url in urls if url), None)
        output = OutputFile("output", url=url, save=None if url else self._content(upstream_id))
        return Finished(outputs=(output,), usage=read_usage(video, {"seconds": "seconds"}))

    async def cancel(self, upstream_id: str) -> None:
        """Delete a video that is not done yet."""
        if await pending(self.check(upstream_id)) is not None:
            await self._api.stop("DELETE", f"{VIDEOS}/{upstream_id}")

    async def find(self, lost: Lost) -> Pending | Finished | Missing | None:
        """Repeat the start of a video under its key, where the upstream keeps keys."""
        if not self._keeps_keys or lost.assignment.job.kind is not Kind.VIDEO:
            return None  # a picture's answer is gone with its connection
        self._api.begin_again(lost.attempt_id)
        try:
            return await self.start(lost.assignment, attempt_id=lost.attempt_id)
        except UpstreamError as error:
            raise error.of_read() if error.trouble is Trouble.AMBIGUOUS else error from None

    async def models(self) -> frozenset[str] | None:
        """Read the list of models; not every relay has one."""
        asked = await self._api.ask("/models")
        listed = asked[0].get("data") if asked else None
        if not isinstance(listed, list):
            return None
        return read_names(at(model, "id") for model in listed)

    def parse_callback(self, body: bytes) -> str | None:
        """Return the id that an event names: in OpenAI's shape, or a bare video's."""
        return hint_of(body, "data", "id") or hint_of(body, "id")

    def stream(self, job: ChatJob, *, model: str) -> AsyncIterator[Chunk]:
        """Write a text."""
        return self._chat.stream(job, model=model)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._api.upstream.close()

    async def _picture(self, assignment: Assignment, attempt_id: str) -> Finished:
        refuse_unsupported(IMAGE, assignment)
        fields, files = _picture_fields(assignment), _files(IMAGE, assignment)
        parts = [Part(name=name, text=str(value)) for name, value in fields.items()]
        answer = await self._api.begin(
            "/images/edits" if files else "/images/generations",
            attempt_id=attempt_id,
            body=None if files else fields,
            parts=parts + files if files else (),
            headers=_key(attempt_id),
            timeout_s=IMAGE_S,
            answer_bytes_max=IMAGE_ANSWER_BYTES_MAX,
        )
        made = answer.get("data")
        found = [_output(picture) for picture in made] if isinstance(made, list) else []
        outputs = tuple(output for output in found if output is not None)
        if not outputs:
            raise self._api.failed(None)
        usage = read_usage(answer.get("usage"), USAGE) | {"images": len(outputs)}
        return Finished(outputs=outputs, usage=usage)

    def _content(self, upstream_id: str) -> Save:
        call = Call(
            method="GET",
            path=f"{VIDEOS}/{upstream_id}/content",
            headers={**self._api.headers, "Accept": "application/binary"},
        )

        async def save(to: Path, size_max_bytes: int) -> int:
            return await self._api.upstream.save(call, to, size_max_bytes=size_max_bytes)

        return save


def _key(attempt_id: str) -> dict[str, str]:
    return {"Idempotency-Key": attempt_id}


def _form(assignment: Assignment) -> list[Part]:
    refuse_unsupported(VIDEO, assignment)
    params = assignment.job.params
    size = _video_size(params)
    fields: dict[str, object] = {"prompt": assignment.job.prompt, "model": assignment.model}
    if "duration" in params:
        fields["seconds"] = params["duration"]
    if size:
        fields["size"] = size
    elif "ratio" in params:
        fields["ratio"] = params["ratio"]
    for name in ("seed", "audio", "negative_prompt"):
        if name in params:
            fields[name] = params[name]
    parts = [Part(name=name, text=_text(value)) for name, value in fields.items()]
    return parts + _files(VIDEO, assignment)


def _files(can: Capabilities, assignment: Assignment) -> list[Part]:
    return [
        Part(
            name=can.roles[file.role],
            path=file.path,
            media_type=file.media_type,
            file_name=file_name(file, number),
        )
        for number, file in enumerate(assignment.inputs)
    ]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _video_size(params: Mapping[str, ParamValue]) -> str | None:
    """Return width and height; the shorter side is what a resolution names."""
    if "size" in params:
        return str(params["size"])
    short = str(params.get("resolution", "")).removesuffix("p")
    width, _, height = str(params.get("ratio", "16:9")).partition(":")
    if not (short.isdigit() and width.isdigit() and height.isdigit()):
        return None
    sides = int(width), int(height)
    long = round(int(short) * max(sides) / min(sides) / 2) * 2
    return f"{long}x{short}" if sides[0] > sides[1] else f"{short}x{long}"


def _picture_fields(assignment: Assignment) -> dict[str, Any]:
    params = assignment.job.params
    fields: dict[str, Any] = {"model": assignment.model, "prompt": assignment.job.prompt, "n": 1}
    fields["size"] = str(params.get("size") or _picture_size(str(params.get("ratio", ""))))
    if "quality" in params:
        fields["quality"] = params["quality"]
    return fields


def _picture_size(ratio: str) -> str:
    width, _, height = ratio.partition(":")
    if not (width.isdigit() and height.isdigit()):
        return "auto"
    if int(width) == int(height):
        return _SQUARE
    return _LANDSCAPE if int(width) > int(height) else _PORTRAIT


def _output(picture: object) -> OutputFile | None:
    if url := read_url(at(picture, "url")):
        return OutputFile("output", url=url)
    inside = at(picture, "b64_json")
    return OutputFile("output", save=_decoded(inside)) if isinstance(inside, str) else None


def _decoded(text: str) -> Save:
    async def save(to: Path, size_max_bytes: int) -> int:
        try:
            content = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise UpstreamError(Trouble.FAILED, error="no base64") from None
        if len(content) > size_max_bytes:
            raise UpstreamError(Trouble.FAILED, size_bytes=len(content))
        return await asyncio.to_thread(_write_new, to, content)

    return save


def _write_new(to: Path, content: bytes) -> int:
    to.touch(mode=0o600, exist_ok=False)
    return to.write_bytes(content)


def _poll_after_s(headers: Mapping[str, str]) -> float:
    asked_ms = read_number(headers.get(POLL_HEADER))
    if not asked_ms:
        return VIDEO.check_after_s
    return min(max(asked_ms / 1000, 0.5), POLL_MAX_S)
