"""Alibaba DashScope (Model Studio, Bailian): Wan and HappyHorse, Wan and Qwen pictures, Qwen.

Sources: the pages "Wan" and "HappyHorse" of the video API, "Wan image" and "Qwen-Image",
"Asynchronous task management", "OpenAI compatible - Chat" and "Status codes", and what the Python
client 2.0.2 sends.

The base URL of a credential is the root of the service, in the region that its key is for:
`https://dashscope.aliyuncs.com`, `https://dashscope-intl.aliyuncs.com`, or a workspace's own
`https://<workspace>.<region>.maas.aliyuncs.com`. Jobs are below it under `/api/v1`, texts under
`/compatible-mode/v1`; a base URL that holds either is refused.

What a model takes differs by its generation: `models.py` says so, by patterns of names. A route
may also name a whole family (`wan2.6`, `happyhorse-1.0`): then the inputs of a job choose the
member. A resolution below a model's lowest is made at its lowest; where none is asked for, 720P.
Beside a first frame the picture decides on the ratio.

A lost start stays lost: a task carries no mark of ours, and the list shows neither prompt nor
seed. Nothing calls back. A picture is made while we wait, or as a task, as its model wants it.

Options of a credential:
    workspace: sent as `X-DashScope-WorkSpace`, for keys that serve several.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from portico.core.jobs import ChatJob, Chunk, Kind
from portico.core.upstreams import Trouble, Upstream
from portico.providers.base import (
    Assignment,
    Credential,
    Finished,
    Missing,
    OutputFile,
    Pending,
)
from portico.providers.chat_wire import ChatWire
from portico.providers.dashscope.bodies import picture, video
from portico.providers.dashscope.models import CHECK_AFTER_S, IMAGE, VIDEO
from portico.providers.http import Api, Refusals, State, at, pending, read_id, read_url, read_usage

API = "/api/v1"
CHAT = "/compatible-mode/v1"
TASKS = f"{API}/tasks"
ASYNC = {"X-DashScope-Async": "enable"}
STATES = {
    "PENDING": State.QUEUED,
    "SUSPENDED": State.QUEUED,
    "RUNNING": State.RUNNING,
    "SUCCEEDED": State.DONE,
    "FAILED": State.FAILED,
    "CANCELED": State.FAILED,
}
UNKNOWN = "UNKNOWN"  # no such task, or older than a day
CODES = {
    # a file that could not be fetched to be looked at, in spite of its name
    "InvalidParameter.DataInspection": Trouble.MEDIA,
    "*DataInspection*": Trouble.CONTENT,
    "data_inspection_failed": Trouble.CONTENT,
    "InvalidURL*": Trouble.MEDIA,
    "Arrearage": Trouble.CREDIT,
    "InvalidApiKey": Trouble.CREDENTIAL,
    "invalid_api_key": Trouble.CREDENTIAL,
    "AccessDenied.Unpurchased": Trouble.MODEL,
    "Model.AccessDenied": Trouble.MODEL,
    "ModelNotFound": Trouble.MODEL,
    "model_not_found": Trouble.MODEL,
    "AccessDenied*": Trouble.CREDENTIAL,
    "Throttling*": Trouble.BUSY,
    "limit_requests": Trouble.BUSY,
    "limit_burst_rate": Trouble.BUSY,
    "insufficient_quota": Trouble.BUSY,  # of tokens for a minute; an unpaid account is Arrearage
    "InvalidParameter*": Trouble.REQUEST,
    "BadRequest.*": Trouble.REQUEST,
    "UnsupportedOperation": Trouble.REQUEST,
    "RequestTimeOut": Trouble.AMBIGUOUS,
    "InternalError*": Trouble.AMBIGUOUS,
    "internal_error": Trouble.AMBIGUOUS,
}
REFUSALS = Refusals(code_at=("code",), codes=CODES)
CHAT_REFUSALS = Refusals(code_at=("error", "code"), codes=CODES)
# seconds are what is billed: with the seconds of videos that were put in
USAGE = {"duration": "seconds", "image_count": "images"}
IMAGE_S = 300.0  # a picture is answered only when it is made


class DashScope:
    """Implements `TaskProvider` and `ChatProvider` for one credential.

    Raises:
        ValueError: for a base URL that is not the root of the service.
    """

    name = "dashscope"
    restartable = False
    capabilities = (VIDEO, IMAGE)

    def __init__(self, credential: Credential, upstream: Upstream) -> None:
        _check_root(credential.base_url)
        headers = {"Authorization": f"Bearer {credential.secret}"}
        if workspace := credential.options.get("workspace"):
            headers["X-DashScope-WorkSpace"] = workspace
        self._api = Api(upstream, headers=headers, refusals=REFUSALS)
        chat = Api(upstream, headers=headers, refusals=CHAT_REFUSALS)
        self._chat = ChatWire(chat, path=f"{CHAT}/chat/completions")

    async def start(self, assignment: Assignment, *, attempt_id: str) -> Pending | Finished:
        """Submit a task and return its id, or make a picture and wait for it."""
        write = picture if assignment.job.kind is Kind.IMAGE else video
        order = await write(assignment)
        answer = await self._api.begin(
            f"{API}/services/aigc/{order.path}",
            attempt_id=attempt_id,
            body=order.body,
            headers=ASYNC if order.is_task else None,
            timeout_s=60.0 if order.is_task else IMAGE_S,
        )
        if not order.is_task:
            return self._made(answer)
        upstream_id = read_id(at(answer, "output", "task_id"))
        return Pending(upstream_id, running=False, check_after_s=CHECK_AFTER_S)

    async def check(self, upstream_id: str) -> Pending | Finished | Missing:
        """Read a task once."""
        asked = await self._api.ask(f"{TASKS}/{upstream_id}")
        word = at(asked[0], "output", "task_status") if asked else UNKNOWN
        if asked is None or word == UNKNOWN:
            return Missing()
        state = self._api.state(STATES, word)
        if state is State.FAILED:
            raise self._api.failed(at(asked[0], "output", "code"))
        if state is not State.DONE:
            running = state is State.RUNNING
            return Pending(upstream_id, running=running, check_after_s=CHECK_AFTER_S)
        return self._made(asked[0], may_be_empty=True)

    async def cancel(self, upstream_id: str) -> None:
        """Stop a task that still waits; nothing else can be stopped there."""
        known = await pending(self.check(upstream_id))
        if known is not None and not known.running:
            await self._api.stop("POST", f"{TASKS}/{upstream_id}/cancel")

    def stream(self, job: ChatJob, *, model: str) -> AsyncIterator[Chunk]:
        """Write a text."""
        return self._chat.stream(job, model=model)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._api.upstream.close()

    def _made(self, answer: Mapping[str, Any], *, may_be_empty: bool = False) -> Finished:
        output = answer.get("output")
        urls = [url for each in _results(output) if (url := read_url(each))]
        code = _first_code(output)
        if not urls and (code is not None or not may_be_empty):
            raise self._api.failed(code)
        outputs = tuple(OutputFile("output", url=url) for url in urls)
        return Finished(outputs=outputs, usage=read_usage(answer.get("usage"), USAGE))


def _results(output: object) -> list[object]:
    """Return all that stands where a result may stand, in each of their shapes."""
    contents = [at(choice, "message", "content") for choice in _list(at(output, "choices"))]
    pictures = [at(item, "image") for content in contents for item in _list(content)]
    older = [at(item, "url") for item in _list(at(output, "results"))]
    return [at(output, "video_url"), *pictures, *older]


def _first_code(output: object) -> object:
    return next((at(item, "code") for item in _list(at(output, "results"))), None)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _check_root(base_url: str) -> None:
    if urlsplit(base_url).path.rstrip("/").endswith((API, CHAT)):
        message = f"the base URL of dashscope is the service's root, without {API} or {CHAT}"
        raise ValueError(message)
