"""APIXO, after its page "wan-2-5"."""

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from portico.emulators.emulator import (
    STATUSES,
    Emulator,
    Job,
    Phase,
    Received,
    RefusedError,
    Route,
)
from portico.emulators.faults import Fault, On
from portico.emulators.wire import Answer, json_answer

# An empty account is a 400 on the page; the other words for failures are those of other pages.
STATUS = STATUSES | {Fault.NO_CREDIT: 400}
MESSAGES = {
    Fault.BAD_KEY: "Invalid or missing API Key",
    Fault.NO_CREDIT: "Insufficient credits",
    Fault.RATE_LIMITED: "Rate limit exceeded",
    Fault.RATE_LIMITED_PLAIN: "Rate limit exceeded",
    Fault.REFUSED: "Content does not meet safety guidelines: secret of an upstream",
}
STATES = {
    Phase.QUEUED: "pending",
    Phase.RUNNING: "processing",
    Phase.STRANGE: "pondering",
    Phase.FAILED: "failed",
    Phase.REFUSED: "failed",
    Phase.DONE: "success",
}
FAILURES = {Phase.FAILED: "GENERATION_FAILED", Phase.REFUSED: "CONTENT_VIOLATION"}
TOP: dict[str, Any] = {"request_type": str, "callback_url": str, "provider": str, "input": dict}
INPUT: dict[str, Any] = {
    "mode": str,
    "prompt": str,
    "resolution": str,
    "duration": int,
    "aspect_ratio": str,
    "image_urls": list,
    "negative_prompt": str,
    "seed": int,
    "enable_prompt_expansion": bool,
}
VALUES: dict[str, set[Any]] = {
    "mode": {"text-to-video", "image-to-video"},
    "resolution": {"720p", "1080p"},
    "duration": {5, 10},
    "aspect_ratio": {"16:9", "9:16", "1:1"},
}
PROVIDERS = {"auto", "value", "official"}


@dataclass(slots=True)
class ApixoEmulator(Emulator):
    """Answers under `/api/v1`."""

    name: str = "apixo"
    base_path: str = "/api/v1"
    id_name: str = "taskId"

    def routes(self) -> list[Route]:
        """Return both calls of the contract."""
        return [
            Route("POST", r"/generateTask/([\w.-]+)", On.BEGIN, self._begin),
            Route("GET", r"/statusTask/([\w.-]+)", On.READ, self._read),
        ]

    def refusal(self, fault: Fault, why: str) -> Answer:
        """Refuse in APIXO's words."""
        status = STATUS[fault]
        message = MESSAGES.get(fault, f"secret of an upstream {why}")
        return json_answer({"code": status, "message": message, "data": None}, status=status)

    async def _begin(self, received: Received) -> Answer:
        _check(received.body)
        job = self.new_job(received, kind="video", prefix="task_")
        if job.body.get("request_type") == "callback":
            self.send_callback(job.body["callback_url"], job, lambda: self._shown(job))
        return json_answer(_envelope({"taskId": job.id}))

    async def _read(self, received: Received) -> Answer:
        task_id = dict(received.request.query).get("taskId")
        if not task_id:
            raise RefusedError(Fault.INVALID, "taskId")
        return json_answer(self._shown(self.known(replace(received, names=(task_id,)))))

    def _shown(self, job: Job) -> dict[str, Any]:
        phase = self.phase(job)
        shown = {"taskId": job.id, "state": STATES[phase], "createTime": job.created_at}
        if phase in {Phase.DONE, *FAILURES}:
            took_ms = -5 if job.fault is Fault.BAD_USAGE else job.due_at - job.created_at
            shown |= {"completeTime": job.due_at, "costTime": took_ms}
        if phase in FAILURES:
            shown |= {"failCode": FAILURES[phase], "failMsg": "secret of an upstream"}
        if phase is Phase.DONE:
            urls = [url] if (url := self.file_url(job)) else []
            shown["resultJson"] = msgspec.json.encode({"resultUrls": urls}).decode()
        return _envelope(shown)


def _envelope(data: dict[str, Any]) -> dict[str, Any]:
    return {"code": 200, "message": "success", "data": data}


def _check(body: dict[str, Any]) -> None:
    _check_fields(body, TOP)
    given = body.get("input", {})
    _check_fields(given, INPUT)
    if body.get("provider", "auto") not in PROVIDERS or not given.get("prompt"):
        raise RefusedError(Fault.INVALID, "input.prompt, provider")
    kind = body.get("request_type", "async")
    if kind not in {"async", "callback"} or (kind == "callback" and "callback_url" not in body):
        raise RefusedError(Fault.INVALID, "request_type")
    for name, values in VALUES.items():
        if name in given and given[name] not in values:
            raise RefusedError(Fault.INVALID, name)
    links = given.get("image_urls", [])
    if bool(links) is not (given.get("mode") == "image-to-video"):
        raise RefusedError(Fault.INVALID, "mode")
    if not all(str(each).startswith(("http://", "https://")) for each in links):
        raise RefusedError(Fault.INVALID, "image_urls")


def _check_fields(body: dict[str, Any], known: dict[str, Any]) -> None:
    for name, value in body.items():
        if name not in known or type(value) is not known[name]:
            raise RefusedError(Fault.INVALID, name)
