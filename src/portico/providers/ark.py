"""Volcengine Ark, and BytePlus ModelArk, which speaks the same: Seedance, Seedream, Doubao.

Videos are tasks (`/contents/generations/tasks`), pictures come at once (`/images/generations`),
texts are OpenAI's wire (`/chat/completions`). Sources: the pages "Video Generation API", "Image
Generation API" and "Error codes" of both products, and what their Python client sends.

There is no key of ours on a task there. What can be told apart is the seed: where the customer
names none, we choose one that follows from the attempt, and a lost task is found by it in the
list. With a seed of the customer's a lost task stays lost.
"""

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from portico.core.clock import MINUTE_MS, SECOND_MS
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatJob, Chunk, Kind, ParamValue, Role
from portico.core.upstreams import Trouble, Upstream, UpstreamError
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
)
from portico.providers.chat_wire import ChatWire
from portico.providers.http import (
    Api,
    Refusals,
    State,
    at,
    hint_of,
    pending,
    read_id,
    read_number,
    read_url,
    read_usage,
)
from portico.providers.inputs import hand_over, refuse_unsupported

TASKS = "/contents/generations/tasks"
STATES = {
    "queued": State.QUEUED,
    "running": State.RUNNING,
    "succeeded": State.DONE,
    "failed": State.FAILED,
    "cancelled": State.FAILED,
    "expired": State.FAILED,
}
REFUSALS = Refusals(
    code_at=("error", "code"),
    codes={
        "*SensitiveContentDetected*": Trouble.CONTENT,
        "*RiskDetection*": Trouble.CONTENT,
        "ContentSecurityDetectionError": Trouble.CONTENT,
        "InvalidImageURL*": Trouble.MEDIA,
        "InvalidEndpoint.ClosedEndpoint": Trouble.MODEL,
        "InvalidEndpointOrModel*": Trouble.MODEL,
        "ModelNotOpen": Trouble.MODEL,
        "UnsupportedModel": Trouble.MODEL,
        "AuthenticationError": Trouble.CREDENTIAL,
        "InvalidAccountStatus": Trouble.CREDENTIAL,
        "AccountOverdueError": Trouble.CREDIT,
        "OperationDenied.ServiceOverdue": Trouble.CREDIT,
        "OperationDenied.*": Trouble.CREDENTIAL,
        "AccessDenied": Trouble.CREDENTIAL,
        "*RateLimitExceeded*": Trouble.BUSY,
        "QuotaExceeded": Trouble.BUSY,
        "ServerOverloaded": Trouble.BUSY,
        "RequestBurstTooFast": Trouble.BUSY,
        "SetLimitExceeded": Trouble.BUSY,
        "InflightBatchsizeExceeded": Trouble.BUSY,
        "MissingParameter*": Trouble.REQUEST,
        "InvalidParameter*": Trouble.REQUEST,
        "InvalidArgumentError*": Trouble.REQUEST,
        "InternalServiceError": Trouble.AMBIGUOUS,
    },
)
_PASSED = (HandOver.PASS, HandOver.LINK)  # their servers fetch it; no bytes in the request
VIDEO = Capabilities(
    kinds=frozenset({Kind.VIDEO}),
    params={
        "duration": "duration",
        "resolution": "resolution",
        "ratio": "ratio",
        "seed": "seed",
        "audio": "generate_audio",
        "lock_camera": "camera_fixed",
        "off_peak": "service_tier",
    },
    roles={
        Role.FIRST_FRAME: "first_frame",
        Role.LAST_FRAME: "last_frame",
        Role.REFERENCE_IMAGE: "reference_image",
        Role.REFERENCE_VIDEO: "reference_video",
        Role.REFERENCE_AUDIO: "reference_audio",
    },
    media={
        "image": (HandOver.PASS, HandOver.DATA, HandOver.LINK),
        "video": _PASSED,
        "audio": _PASSED,
    },
    data_bytes_max=30 * 10**6,
    calls_back=True,
)
IMAGE = Capabilities(
    kinds=frozenset({Kind.IMAGE}),
    params={"ratio": "size", "resolution": "size", "size": "size", "seed": "seed"},
    roles={Role.REFERENCE_IMAGE: "image", Role.FIRST_FRAME: "image", Role.SOURCE_IMAGE: "image"},
    media={"image": (HandOver.PASS, HandOver.DATA, HandOver.LINK)},
    data_bytes_max=10 * 10**6,
)
# What a family of models lacks, by its name: what follows is refused there, not left out.
LACKS = {"*seedance-2-*": ("lock_camera", "off_peak"), "*seedance-1-0-*": ("audio",)}
SIZES = {
    "1:1": "2048x2048",
    "4:3": "2304x1728",
    "3:4": "1728x2304",
    "3:2": "2496x1664",
    "2:3": "1664x2496",
    "16:9": "2560x1440",
    "9:16": "1440x2560",
    "21:9": "3024x1296",
}
TIERS = ("1K", "2K", "3K", "4K")
USAGE = {"completion_tokens": "video_tokens", "generated_images": "images"}
IMAGE_S = 300.0  # a picture is answered only when it is made
LIST_SIZE = 100
LIST_PAGES_MAX = 20
CLOCKS_DIFFER_MS = 5 * MINUTE_MS
_OPTION_IN_WORDS = re.compile(r"--+(?=\w)")


class Ark:
    """Implements every protocol of a provider for one credential; knows no options."""

    name = "ark"
    restartable = False
    capabilities = (VIDEO, IMAGE)

    def __init__(self, credential: Credential, upstream: Upstream) -> None:
        headers = {"Authorization": f"Bearer {credential.secret}"}
        self._api = Api(upstream, headers=headers, refusals=REFUSALS)
        self._chat = ChatWire(self._api)

    async def start(self, assignment: Assignment, *, attempt_id: str) -> Pending | Finished:
        """Submit a video and return its id, or make a picture and wait for it."""
        if assignment.job.kind is Kind.IMAGE:
            return await self._picture(assignment, attempt_id)
        body = await _task(assignment, attempt_id)
        answer = await self._api.begin(TASKS, attempt_id=attempt_id, body=body)
        upstream_id = read_id(answer.get("id"))
        return Pending(upstream_id, running=False, check_after_s=VIDEO.check_after_s)

    async def check(self, upstream_id: str) -> Pending | Finished | Missing:
        """Read a task once."""
        asked = await self._api.ask(f"{TASKS}/{upstream_id}")
        return Missing() if asked is None else self._outcome(upstream_id, asked[0])

    async def cancel(self, upstream_id: str) -> None:
        """Stop a task that still waits; deleting one that is done would delete its result."""
        known = await pending(self.check(upstream_id))
        if known is not None and not known.running:
            await self._api.stop("DELETE", f"{TASKS}/{upstream_id}", body={})

    async def find(self, lost: Lost) -> Pending | Finished | Missing | None:
        """Look through the list for the task that carries the seed of this attempt."""
        job = lost.assignment.job
        if job.kind is not Kind.VIDEO or "seed" in job.params:
            return None
        seed, since_ms = seed_of(lost.attempt_id), lost.started_at - CLOCKS_DIFFER_MS
        for page in range(1, LIST_PAGES_MAX + 1):
            query = (("page_num", str(page)), ("page_size", str(LIST_SIZE)))
            asked = await self._api.ask(TASKS, query=query)
            items = at(asked[0], "items") if asked else None
            if not isinstance(items, list):
                raise UpstreamError(Trouble.UNREACHED, error="no list")
            for item in items:
                if at(item, "seed") == seed and _created_ms(item) >= since_ms:
                    return self._outcome(read_id(item.get("id")), item)
            if len(items) < LIST_SIZE or _is_past(items, since_ms):
                return Missing()
        return None  # the list is longer than what can be looked through

    def parse_callback(self, body: bytes) -> str | None:
        """Return the task's id; nothing signs these callbacks."""
        return hint_of(body, "id")

    def stream(self, job: ChatJob, *, model: str) -> AsyncIterator[Chunk]:
        """Write a text."""
        return self._chat.stream(job, model=model)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._api.upstream.close()

    def _outcome(self, upstream_id: str, task: Mapping[str, Any]) -> Pending | Finished:
        state = self._api.state(STATES, task.get("status"))
        if state is State.FAILED:
            error = self._api.failed(at(task, "error", "code"))
            error.usage = read_usage(task.get("usage"), USAGE)
            raise error
        if state is not State.DONE:
            running = state is State.RUNNING
            return Pending(upstream_id, running=running, check_after_s=VIDEO.check_after_s)
        url = read_url(at(task, "content", "video_url"))
        outputs = (OutputFile("output", url=url),) if url else ()
        usage = read_usage(task.get("usage"), USAGE)
        if (seconds := read_number(task.get("duration"))) is not None:
            usage["seconds"] = seconds
        return Finished(outputs=outputs, usage=usage)

    async def _picture(self, assignment: Assignment, attempt_id: str) -> Finished:
        body = await _picture(assignment)
        answer = await self._api.begin(
            "/images/generations", attempt_id=attempt_id, body=body, timeout_s=IMAGE_S
        )
        made = answer.get("data")
        pictures = made if isinstance(made, list) else []
        urls = [url for picture in pictures if (url := read_url(at(picture, "url")))]
        if not urls:
            codes = [at(picture, "error", "code") for picture in pictures]
            raise self._api.failed(codes[0] if codes else None)
        outputs = tuple(OutputFile("output", url=url) for url in urls)
        return Finished(outputs=outputs, usage=read_usage(answer.get("usage"), USAGE))


def seed_of(attempt_id: str) -> int:
    """Return the seed that marks an attempt: one in four billion shares it."""
    return int.from_bytes(hashlib.sha256(attempt_id.encode()).digest()[:4], "big")


async def _task(assignment: Assignment, attempt_id: str) -> dict[str, Any]:
    """Write the body of a new task; what is unset is left out, so that their defaults hold."""
    _refuse_lacking(VIDEO, assignment)
    job = assignment.job
    content: list[dict[str, Any]] = []
    if job.prompt:
        content.append({"type": "text", "text": plain_words(job.prompt)})
    for file in assignment.inputs:
        kind = f"{file.media_type.partition('/')[0]}_url"
        url = await hand_over(VIDEO, file)
        content.append({"type": kind, kind: {"url": url}, "role": VIDEO.roles[file.role]})
    body: dict[str, Any] = {"model": assignment.model, "content": content}
    lacks = _lacks(assignment.model)
    for name, value in job.params.items():
        if name in VIDEO.params and name not in lacks:
            body[VIDEO.params[name]] = value
    if "off_peak" in job.params and "off_peak" not in lacks:
        body["service_tier"] = "flex" if job.params["off_peak"] else "default"
    body.setdefault("seed", seed_of(attempt_id))
    if assignment.callback_url:
        body["callback_url"] = assignment.callback_url
    return body


async def _picture(assignment: Assignment) -> dict[str, Any]:
    _refuse_lacking(IMAGE, assignment)
    job = assignment.job
    body: dict[str, Any] = {
        "model": assignment.model,
        "prompt": job.prompt,
        "size": _size(job.params),
        "watermark": False,  # on unless told
    }
    if "seed" in job.params:
        body["seed"] = job.params["seed"]
    if assignment.inputs:
        body["image"] = [await hand_over(IMAGE, file) for file in assignment.inputs]
    return body


def plain_words(prompt: str) -> str:
    """Return a prompt without what older models read as options, such as `--dur 12`.

    A customer could otherwise ask for more than was paid.
    """
    return _OPTION_IN_WORDS.sub("–", prompt)


def _size(params: Mapping[str, ParamValue]) -> ParamValue:
    if "size" in params:
        return params["size"]
    tier = str(params.get("resolution", "")).upper()
    return SIZES.get(str(params.get("ratio")), tier if tier in TIERS else TIERS[1])


def _refuse_lacking(can: Capabilities, assignment: Assignment) -> None:
    refuse_unsupported(can, assignment)
    for name in _lacks(assignment.model):
        if assignment.job.params.get(name):
            message = f"This model has no {name}"
            raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param=name)


def _lacks(model: str) -> tuple[str, ...]:
    return next((lacks for name, lacks in LACKS.items() if fnmatchcase(model, name)), ())


def _created_ms(item: object) -> int:
    created_s = read_number(at(item, "created_at"))
    return int(created_s * SECOND_MS) if created_s is not None else 0


def _is_past(items: list[Any], since_ms: int) -> bool:
    """Whether a page runs backwards in time and has come to before the start."""
    times = [_created_ms(item) for item in items]
    return times == sorted(times, reverse=True) and times[-1] < since_ms
