"""Another Portico, in its own dialect: docs/dialects.md, "portico", and OpenAI's for texts.

Every start carries `Idempotency-Key`, so a start whose answer was lost is repeated with its key,
and finds its job. Results are fetched by our key, which needs no public address over there.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from portico.core.jobs import ChatJob, Chunk, Kind, Role
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
    Remaining,
)
from portico.providers.chat_wire import ChatWire
from portico.providers.http import (
    Api,
    Refusals,
    State,
    at,
    hint_of,
    read_id,
    read_number,
    read_remaining,
    read_usage,
)
from portico.providers.inputs import hand_over, refuse_unsupported
from portico.providers.relay import kept_file, renamed

TASKS, CHAT = "/portico/v1/tasks", "/v1/chat/completions"
BALANCE = "/portico/v1/balance"
STATES = {
    "queued": State.QUEUED,
    "submitting": State.QUEUED,
    "running": State.RUNNING,
    "storing": State.RUNNING,
    "succeeded": State.DONE,
    "failed": State.FAILED,
    "cancelled": State.FAILED,
    "expired": State.FAILED,
}
REFUSALS = Refusals(
    code_at=("error", "code"),
    codes={
        "invalid_request": Trouble.REQUEST,
        "unsupported_option": Trouble.REQUEST,
        "payload_too_large": Trouble.REQUEST,
        "unknown_model": Trouble.MODEL,
        "no_route": Trouble.MODEL,
        "media_*": Trouble.MEDIA,
        "unauthenticated": Trouble.CREDENTIAL,
        "account_suspended": Trouble.CREDENTIAL,
        "not_allowed": Trouble.CREDENTIAL,
        "insufficient_credits": Trouble.CREDIT,
        "rate_limited": Trouble.BUSY,
        "concurrency_limited": Trouble.BUSY,
        "overloaded": Trouble.BUSY,
        "content_refused": Trouble.CONTENT,
        # its texts, in OpenAI's words
        "invalid_api_key": Trouble.CREDENTIAL,
        "insufficient_quota": Trouble.CREDIT,
        "rate_limit_exceeded": Trouble.BUSY,
        "model_not_found": Trouble.MODEL,
        "content_policy_violation": Trouble.CONTENT,
    },
)
_LINKED = (HandOver.PASS, HandOver.LINK)
_SAME = (
    "duration",
    "resolution",
    "ratio",
    "size",
    "seed",
    "audio",
    "negative_prompt",
    "prompt_expansion",
    "lock_camera",
    "off_peak",
)
_ROLES = (
    Role.FIRST_FRAME,
    Role.LAST_FRAME,
    Role.REFERENCE_IMAGE,
    Role.REFERENCE_VIDEO,
    Role.REFERENCE_AUDIO,
    Role.SOURCE_IMAGE,
    Role.SOURCE_VIDEO,
)
CAN = Capabilities(
    kinds=frozenset({Kind.VIDEO, Kind.IMAGE}),
    params={name: name for name in _SAME},
    roles={role: role.value for role in _ROLES},
    media={"image": _LINKED, "video": _LINKED, "audio": _LINKED},
    calls_back=True,
)
USAGE = {name: name for name in ("video_tokens", "images", "seconds")}
WAIT_S = 60  # of the 300 that it allows: a picture is done by then, and no poll needed


class Portico:
    """Implements every protocol of a provider for one credential; its base URL has no path.

    It knows no options.
    """

    name = "portico"
    restartable = False
    capabilities = (CAN,)

    def __init__(self, credential: Credential, upstream: Upstream) -> None:
        headers = {"Authorization": f"Bearer {credential.secret}"}
        self._api = Api(upstream, headers=headers, refusals=REFUSALS)
        self._chat = ChatWire(self._api, path=CHAT)

    async def start(self, assignment: Assignment, *, attempt_id: str) -> Pending | Finished:
        """Submit a job under its own key and return its id; wait a little for a picture."""
        is_quick = assignment.job.kind is Kind.IMAGE
        answer = await self._api.begin(
            f"{TASKS}?wait={WAIT_S}" if is_quick else TASKS,
            attempt_id=attempt_id,
            body=await _job(assignment),
            headers={"Idempotency-Key": attempt_id},
            timeout_s=WAIT_S * 1.5,
        )
        task = at(answer, "task")
        upstream_id = read_id(at(task, "id"))
        return self._outcome(upstream_id, task)

    async def check(self, upstream_id: str) -> Pending | Finished | Missing:
        """Read a task once."""
        asked = await self._api.ask(f"{TASKS}/{upstream_id}")
        return Missing() if asked is None else self._outcome(upstream_id, asked[0])

    async def balance(self) -> Remaining:
        """Read the credits that are not held."""
        asked = await self._api.ask(BALANCE)
        return read_remaining([asked[0].get("available") if asked else None], "credits")

    async def cancel(self, upstream_id: str) -> None:
        """Cancel a task; one that has ended stays as it is."""
        await self._api.stop("POST", f"{TASKS}/{upstream_id}/cancel", body={})

    async def find(self, lost: Lost) -> Pending | Finished | Missing | None:
        """Repeat a start under its key, which begins a job only where there is none yet."""
        self._api.begin_again(lost.attempt_id)
        try:
            return await self.start(lost.assignment, attempt_id=lost.attempt_id)
        except UpstreamError as error:
            raise error.of_read() if error.trouble is Trouble.AMBIGUOUS else error from None

    def parse_callback(self, body: bytes) -> str | None:
        """Return the task's id; signatures are not looked at, since it is but a hint."""
        return hint_of(body, "id")

    def stream(self, job: ChatJob, *, model: str) -> AsyncIterator[Chunk]:
        """Write a text."""
        return self._chat.stream(job, model=model)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._api.upstream.close()

    def _outcome(self, upstream_id: str, task: Mapping[str, Any]) -> Pending | Finished:
        state = self._api.state(STATES, task.get("state"))
        if state is State.FAILED:
            raise self._api.failed(at(task, "error", "code"))
        if state is not State.DONE:
            done = read_number(task.get("progress"))
            return Pending(
                upstream_id,
                running=state is State.RUNNING,
                progress=None if done is None else min(1.0, float(done)),
                check_after_s=CAN.check_after_s,
            )
        if not task.get("outputs"):
            raise self._api.failed(None)
        save = kept_file(self._api, f"{TASKS}/{upstream_id}/download")
        usage = read_usage(task.get("usage"), USAGE) | read_usage(task, {"charged": "credits"})
        return Finished(outputs=(OutputFile("output", save=save),), usage=usage)


async def _job(assignment: Assignment) -> dict[str, Any]:
    refuse_unsupported(CAN, assignment)
    job = assignment.job
    inputs = [
        {"role": CAN.roles[file.role], "url": await hand_over(CAN, file)}
        for file in assignment.inputs
    ]
    body: dict[str, Any] = {
        "model": assignment.model,
        "prompt": job.prompt,
        "params": renamed(CAN, assignment),
        "inputs": inputs,
        "route": job.route_class.value,
    }
    if assignment.callback_url:
        body["callback_url"] = assignment.callback_url
    return body
