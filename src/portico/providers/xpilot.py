"""xPilot, after its page "v1 API": videos to be polled, pictures at once or to be polled, texts.

A task is polled at the address that its start is answered with, which names the house that makes
it. What that address holds beside the id goes into our id, `[image:]ID[~PROVIDER[~POLL]]`, so
that any process can ask; it is only ever handed back to xPilot.
"""

import base64
import binascii
import contextlib
from collections.abc import AsyncIterator, Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs, urlsplit

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatJob, Chunk, Kind, Role
from portico.core.upstreams import Call, Trouble, Upstream, UpstreamError
from portico.providers.base import (
    Assignment,
    Capabilities,
    Credential,
    Finished,
    HandOver,
    Missing,
    Pending,
)
from portico.providers.chat_wire import read_chat_usage
from portico.providers.http import Api, State, read_id
from portico.providers.inputs import hand_over, refuse_unsupported
from portico.providers.relay import (
    Worded,
    failed_in_words,
    files_at,
    lacking,
    renamed,
    without_neutral,
)

STATES = {"processing": State.RUNNING, "completed": State.DONE, "failed": State.FAILED}
# GENERATION_FAILED is left to its status: a 500 does not say whether anything was taken.
REFUSALS = Worded(
    code_at=("error", "code"),
    codes={
        "INVALID_PARAMS": Trouble.REQUEST,
        "INVALID_MODEL": Trouble.MODEL,
        "UNAUTHORIZED": Trouble.CREDENTIAL,
        "INSUFFICIENT_CREDITS": Trouble.CREDIT,
        "RATE_LIMITED": Trouble.BUSY,
    },
    words_at=("error", "message"),
)
_LINKED = {"image": (HandOver.PASS, HandOver.LINK)}
VIDEO = Capabilities(
    kinds=frozenset({Kind.VIDEO}),
    params={
        "duration": "duration",
        "ratio": "aspect_ratio",
        "audio": "generate_audio",
        "lock_camera": "lock_camera",
    },
    roles={Role.FIRST_FRAME: "image_url"},
    media=_LINKED,
)
IMAGE = Capabilities(
    kinds=frozenset({Kind.IMAGE}),
    params={"ratio": "aspect_ratio"},
    roles={
        Role.REFERENCE_IMAGE: "image_urls",
        Role.SOURCE_IMAGE: "image_urls",
        Role.FIRST_FRAME: "image_urls",
    },
    media=_LINKED,
)
# No size can be asked for; these are what is made by itself, and what is asked for by default.
NEUTRAL_VIDEO = {"resolution": ("720p",), "ratio": ("adaptive",)}
NEUTRAL_IMAGE = {"ratio": ("adaptive",)}
LACKS = {"seedance-*": (), "wan-*": ("lock_camera",), "*": ("audio", "lock_camera")}
DURATIONS = {"seedance-*": (4, 8, 12)}
FROM_TEXT, FROM_PICTURE = "/text-to-video", "/image-to-video"
IMAGE_S, TEXT_S = 120.0, 300.0
SYSTEM = ("system", "developer")
_PARAGRAPH = "\n\n"
_ID_LENGTH_MAX = 200
_PICTURE = "image:"
_MARK = "~"


class XPilot:
    """Implements `TaskProvider` and `ChatProvider` for one credential.

    Its base URL ends in `/api/v1`. It knows no options, cannot stop a task and cannot look up a
    lost start.
    """

    name = "xpilot"
    restartable = False
    capabilities = (VIDEO, IMAGE)

    def __init__(self, credential: Credential, upstream: Upstream) -> None:
        headers = {"Authorization": f"Bearer {credential.secret}"}
        self._api = Api(upstream, headers=headers, refusals=REFUSALS)

    async def start(self, assignment: Assignment, *, attempt_id: str) -> Pending | Finished:
        """Submit a video and return its id, or a picture and return it or its id."""
        if assignment.job.kind is Kind.IMAGE:
            return await self._picture(assignment, attempt_id)
        body = await _video(assignment)
        answer = await self._api.begin("/video/generate", attempt_id=attempt_id, body=body)
        return Pending(_id_of(answer), check_after_s=VIDEO.check_after_s)

    async def check(self, upstream_id: str) -> Pending | Finished | Missing:
        """Read a task once, at the address it was given."""
        path, query = _where(upstream_id)
        asked = await self._api.ask(path, query=query)
        if asked is None:
            return Missing()
        task, _ = asked
        state = self._api.state(STATES, task.get("status"))
        if state is State.FAILED:
            raise failed_in_words(REFUSALS, task.get("error"))
        if state is not State.DONE:
            return Pending(upstream_id, check_after_s=VIDEO.check_after_s)
        return Finished(outputs=files_at(task.get("outputs")))

    async def cancel(self, upstream_id: str) -> None:
        """Do nothing: a task there cannot be stopped."""

    async def stream(self, job: ChatJob, *, model: str) -> AsyncIterator[Chunk]:
        """Write a text, which comes as a whole.

        Raises:
            UpstreamError: of any trouble.
            PorticoError: UNSUPPORTED_OPTION for a conversation of several turns, or with files.
        """
        call = Call(
            method="POST",
            path="/text/generate",
            headers=self._api.headers,
            body=_text(job, model),
            timeout_s=TEXT_S,
        )
        answer = await self._api.answer(call)
        words = answer.get("content")
        if not isinstance(words, str):
            raise UpstreamError(Trouble.FAILED, error="no content")
        if words:
            yield Chunk(text=words)
        yield Chunk(finish="stop", usage=read_chat_usage(answer.get("usage")))

    async def close(self) -> None:
        """Let go of all connections."""
        await self._api.upstream.close()

    async def _picture(self, assignment: Assignment, attempt_id: str) -> Pending | Finished:
        body = await _picture(assignment)
        answer = await self._api.begin(
            "/image/generate", attempt_id=attempt_id, body=body, timeout_s=IMAGE_S
        )
        if answer.get("status") == "processing":
            return Pending(_id_of(answer), check_after_s=IMAGE.check_after_s)
        outputs = files_at(answer.get("outputs"))
        if not outputs:
            raise failed_in_words(REFUSALS, answer.get("error"))
        return Finished(outputs=outputs, usage={"images": len(outputs)})


async def _video(assignment: Assignment) -> dict[str, Any]:
    asked = without_neutral(assignment, NEUTRAL_VIDEO)
    refuse_unsupported(VIDEO, asked)
    model, params = assignment.model, asked.job.params
    lacks = next(lacks for name, lacks in LACKS.items() if fnmatchcase(model, name))
    for name in lacks:
        if params.get(name):
            raise lacking(param=name)
    for name, values in DURATIONS.items():
        if fnmatchcase(model, name) and params.get("duration", values[0]) not in values:
            raise lacking(param="duration")
    unknown = {VIDEO.params[name] for name in lacks}
    fields = {name: value for name, value in renamed(VIDEO, asked).items() if name not in unknown}
    body = {"model": model, "prompt": asked.job.prompt} | fields
    for file in asked.inputs:
        body["image_url"] = await hand_over(VIDEO, file)
        body["model"] = model.replace(FROM_TEXT, FROM_PICTURE)
    return body


async def _picture(assignment: Assignment) -> dict[str, Any]:
    asked = without_neutral(assignment, NEUTRAL_IMAGE)
    refuse_unsupported(IMAGE, asked)
    body: dict[str, Any] = {"model": assignment.model, "prompt": asked.job.prompt, "mode": "t2i"}
    body |= renamed(IMAGE, asked)
    if links := [await hand_over(IMAGE, file) for file in asked.inputs]:
        body |= {"mode": "i2i", "image_urls": links}
    return body


def _text(job: ChatJob, model: str) -> dict[str, Any]:
    """Write the body for a question with perhaps a system's words before it, and no more."""
    ahead, last = job.messages[:-1], job.messages[-1]
    told = all(isinstance(each.content, str) for each in job.messages)
    if not told or last.role != "user" or any(each.role not in SYSTEM for each in ahead):
        message = "The upstream answers one question, without files and earlier turns"
        raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param="messages")
    body = {"model": model, "prompt": last.words(), "max_tokens": job.max_tokens}
    if ahead:
        body["system"] = _PARAGRAPH.join(each.words() for each in ahead)
    if "temperature" in job.sampling:
        body["temperature"] = job.sampling["temperature"]
    return body


def _id_of(answer: Mapping[str, Any]) -> str:
    """Return the id of a task with what its poll address says beside it."""
    task_id = read_id(answer.get("task_id"))
    told = answer.get("poll_url")
    where = urlsplit(told) if isinstance(told, str) else urlsplit("")
    query = parse_qs(where.query)
    front = _PICTURE if "/image/" in where.path else ""
    parts = [front + task_id, *query.get("provider", ())[:1]]
    if len(parts) > 1 and (poll := query.get("pollUrl")):
        parts.append(base64.urlsafe_b64encode(poll[0].encode()).decode())
    whole = _MARK.join(parts)
    return read_id(whole if len(whole) <= _ID_LENGTH_MAX else _MARK.join(parts[:2]))


def _where(upstream_id: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    task_id, *beside = upstream_id.removeprefix(_PICTURE).split(_MARK)
    kind = "image" if upstream_id.startswith(_PICTURE) else "video"
    query = [("provider", beside[0])] if beside else []
    if len(beside) > 1:
        with contextlib.suppress(binascii.Error, UnicodeDecodeError):  # not one of ours
            query.append(("pollUrl", base64.urlsafe_b64decode(beside[1]).decode()))
    return f"/{kind}/{task_id}", tuple(query)
