"""APIXO, after its page "wan-2-5": an envelope around all, results as JSON inside a string.

The model is a part of every path, and a task is read under its own model. So an id of ours names
the model in front of the task, unless it is the one of the page.
"""

from typing import Any

from portico.core.jobs import Kind, Role
from portico.core.upstreams import Trouble, Upstream, UpstreamError
from portico.providers.base import (
    Assignment,
    Capabilities,
    Credential,
    Finished,
    HandOver,
    Missing,
    Pending,
)
from portico.providers.http import Api, State, at, hint_of, read_id, read_json
from portico.providers.inputs import hand_over, refuse_unsupported
from portico.providers.relay import Worded, files_at, renamed, without_neutral

MODEL = "wan-2-5"
STATES = {
    "pending": State.QUEUED,
    "processing": State.RUNNING,
    "success": State.DONE,
    "failed": State.FAILED,
}
# `code` is the HTTP status, here and there inside a good answer; `failCode` are words.
REFUSALS = Worded(
    code_at=("code",),
    codes={
        "400": Trouble.REQUEST,
        "401": Trouble.CREDENTIAL,
        "402": Trouble.CREDIT,
        "403": Trouble.CREDENTIAL,
        "404": Trouble.MODEL,
        "429": Trouble.BUSY,
        "503": Trouble.BUSY,
        "5[0-9][0-9]": Trouble.AMBIGUOUS,
        "CONTENT_VIOLATION": Trouble.CONTENT,
        "NSFW_DETECTED": Trouble.CONTENT,
        "INVALID_IMAGE_URL": Trouble.MEDIA,
        "IMAGE_TOO_LARGE": Trouble.MEDIA,
        "UNSUPPORTED_FORMAT": Trouble.MEDIA,
        "IMAGE_DOWNLOAD_FAILED": Trouble.MEDIA,
        "PROMPT_TOO_LONG": Trouble.REQUEST,
        "INVALID_PROMPT": Trouble.REQUEST,
    },
    words_at=("message",),
)
CAN = Capabilities(
    kinds=frozenset({Kind.VIDEO}),
    params={
        "duration": "duration",
        "resolution": "resolution",
        "ratio": "aspect_ratio",
        "negative_prompt": "negative_prompt",
        "seed": "seed",
        "prompt_expansion": "enable_prompt_expansion",
    },
    roles={Role.FIRST_FRAME: "image_urls"},
    media={"image": (HandOver.PASS, HandOver.LINK)},
    calls_back=True,
)
NEUTRAL = {"ratio": ("adaptive",)}
_BETWEEN = ":"


class Apixo:
    """Implements `TaskProvider` for one credential, with a base URL that ends in `/api/v1`.

    It knows no options, cannot stop a task and cannot look up a lost start.
    """

    name = "apixo"
    restartable = False
    capabilities = (CAN,)

    def __init__(self, credential: Credential, upstream: Upstream) -> None:
        headers = {"Authorization": f"Bearer {credential.secret}"}
        self._api = Api(upstream, headers=headers, refusals=REFUSALS)

    async def start(self, assignment: Assignment, *, attempt_id: str) -> Pending | Finished:
        """Submit a task and return its id."""
        body = await _task(assignment)
        path = f"/generateTask/{assignment.model}"
        answer = await self._api.begin(path, attempt_id=attempt_id, body=body)
        task_id = read_id(at(answer, "data", "taskId"))
        front = "" if assignment.model == MODEL else f"{assignment.model}{_BETWEEN}"
        return Pending(read_id(front + task_id), running=False, check_after_s=CAN.check_after_s)

    async def check(self, upstream_id: str) -> Pending | Finished | Missing:
        """Read a task once."""
        model, _, task_id = upstream_id.rpartition(_BETWEEN)
        path = f"/statusTask/{model or MODEL}"
        asked = await self._api.ask(path, query=(("taskId", task_id),))
        if asked is None:
            return Missing()
        answer, _ = asked
        if trouble := REFUSALS.of_code(answer.get("code")):
            if trouble is Trouble.MODEL:
                return Missing()
            raise UpstreamError(trouble).of_read()
        task = at(answer, "data")
        state = self._api.state(STATES, at(task, "state"))
        if state is State.FAILED:
            raise self._api.failed(at(task, "failCode"))
        if state is not State.DONE:
            running = state is State.RUNNING
            return Pending(upstream_id, running=running, check_after_s=CAN.check_after_s)
        inside = at(task, "resultJson")
        result = read_json(inside.encode()) if isinstance(inside, str) else None
        return Finished(outputs=files_at(at(result, "resultUrls")))

    async def cancel(self, upstream_id: str) -> None:
        """Do nothing: a task there cannot be stopped."""

    def parse_callback(self, body: bytes) -> str | None:
        """Return the task's id, as it is for the model of the page; nothing signs it."""
        return hint_of(body, "data", "taskId")

    async def close(self) -> None:
        """Let go of all connections."""
        await self._api.upstream.close()


async def _task(assignment: Assignment) -> dict[str, Any]:
    asked = without_neutral(assignment, NEUTRAL)
    refuse_unsupported(CAN, asked)
    job, links = asked.job, [await hand_over(CAN, file) for file in asked.inputs]
    fields = renamed(CAN, asked) | {"prompt": job.prompt, "mode": "text-to-video"}
    if links:
        fields |= {"mode": "image-to-video", "image_urls": links}
        fields.pop(CAN.params["ratio"], None)  # the picture's own
    body: dict[str, Any] = {"request_type": "async", "provider": job.route_class.value}
    if assignment.callback_url:
        body |= {"request_type": "callback", "callback_url": assignment.callback_url}
    return body | {"input": fields}
