"""Portico's own dialect, after docs/dialects.md; texts in OpenAI's."""

from dataclasses import dataclass, field
from typing import Any

from portico.emulators.chat import answer_text
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

# A model that is missing is a 400 in its own dialect, an empty account a 429 in OpenAI's.
STATUS = STATUSES | {Fault.NO_MODEL: 400}
CODES = {
    Fault.INVALID: "invalid_request",
    Fault.REFUSED: "content_refused",
    Fault.BAD_KEY: "unauthenticated",
    Fault.NO_CREDIT: "insufficient_credits",
    Fault.NO_MODEL: "unknown_model",
    Fault.RATE_LIMITED: "rate_limited",
    Fault.RATE_LIMITED_PLAIN: "rate_limited",
    Fault.BUSY: "overloaded",
    Fault.BROKEN_BEFORE: "internal",
    Fault.BROKEN_AFTER: "internal",
}
TEXT_STATUS = STATUSES | {Fault.NO_CREDIT: 429}
TEXT_CODES = {
    Fault.BAD_KEY: "invalid_api_key",
    Fault.NO_CREDIT: "insufficient_quota",
    Fault.NO_MODEL: "model_not_found",
    Fault.RATE_LIMITED: "rate_limit_exceeded",
    Fault.REFUSED: "content_policy_violation",
}
STATES = {
    Phase.QUEUED: "queued",
    Phase.RUNNING: "running",
    Phase.STRANGE: "pondering",
    Phase.STOPPED: "cancelled",
    Phase.FAILED: "failed",
    Phase.REFUSED: "failed",
    Phase.DONE: "succeeded",
}
FAILURES = {
    Phase.FAILED: "upstream_failed",
    Phase.REFUSED: "content_refused",
    Phase.STOPPED: "cancelled",
}
FIELDS: dict[str, Any] = {
    "model": str,
    "prompt": str,
    "params": dict,
    "inputs": list,
    "callback_url": str,
    "route": str,
}
ROUTES = {"auto", "value", "official"}
ROLES = {
    "first_frame",
    "last_frame",
    "reference_image",
    "reference_video",
    "reference_audio",
    "motion_video",
    "garment",
    "source_image",
    "source_video",
}
PRICE = "75"


@dataclass(slots=True)
class PorticoEmulator(Emulator):
    """Answers under `/portico/v1`, and texts under `/v1`; a base URL is the host alone."""

    name: str = "portico"
    by_key: dict[str, Job] = field(default_factory=dict)

    def routes(self) -> list[Route]:
        """Return the calls that make something."""
        task = r"/portico/v1/tasks/([\w-]+)"
        return [
            Route("POST", r"/portico/v1/tasks", On.BEGIN, self._begin),
            Route("GET", task, On.READ, self._read),
            Route("GET", r"/portico/v1/balance", On.LIST, self._balance),
            Route("POST", rf"{task}/cancel", On.STOP, self._stop),
            Route("GET", rf"{task}/download", On.FILE, self._download),
            Route("POST", r"/v1/chat/completions", On.TEXT, self._text),
        ]

    def refusal(self, fault: Fault, why: str) -> Answer:
        """Refuse in the words of the dialect that was spoken to."""
        if self.requests[-1].path.startswith("/v1/"):
            status, code = TEXT_STATUS[fault], TEXT_CODES.get(fault, "server_error")
        elif fault is Fault.NO_MODEL and why:
            status, code = 404, "task_not_found"
        else:
            status, code = STATUS[fault], CODES[fault]
        error = {"code": code, "message": f"secret of an upstream {why}", "param": None}
        return json_answer({"error": error}, status=status)

    async def _begin(self, received: Received) -> Answer:
        key = received.request.headers.get("idempotency-key", "")
        if key in self.by_key:
            self.begun -= 1  # nothing new
            return self._accepted(self.by_key[key], received)
        _check(received.body)
        kind = "image" if _waits(received) else "video"
        job = self.new_job(received, kind=kind, prefix="7")
        if key:
            self.by_key[key] = job
        if url := job.body.get("callback_url"):
            self.send_callback(url, job, lambda: self._shown(job))
        return self._accepted(job, received)

    async def _read(self, received: Received) -> Answer:
        return json_answer(self._shown(self.known(received)))

    async def _stop(self, received: Received) -> Answer:
        job = self.known(received)
        job.is_stopped = self.phase(job) not in {Phase.DONE, *FAILURES}
        return json_answer(self._shown(job))

    async def _download(self, received: Received) -> Answer:
        job = self.known(received)
        if self.phase(job) is not Phase.DONE or not self.file_url(job):
            raise RefusedError(Fault.NO_MODEL, "not ready")
        return self._file(f"{job.id}.{'mp4' if job.kind == 'video' else 'png'}")

    async def _balance(self, _received: Received) -> Answer:
        return json_answer({"available": "925", "held": "25.5"})

    async def _text(self, received: Received) -> Answer:
        return answer_text(received)

    def _accepted(self, job: Job, received: Received) -> Answer:
        """Answer a submit: as it is then, or as it is after the wait that was asked for."""
        shown = self._shown(job)
        if not _waits(received):
            shown |= {"state": "queued", "error": None, "outputs": []}
        status = 202 if shown["state"] == "queued" else 200
        return json_answer({"task": shown, "balance": "925"}, status=status)

    def _shown(self, job: Job) -> dict[str, Any]:
        phase = self.phase(job)
        url = self.file_url(job)
        code = FAILURES.get(phase)
        counted = {"images": 1} if job.kind == "image" else {"seconds": 5}
        if job.fault is Fault.BAD_USAGE:
            counted = dict.fromkeys(counted, -5)
        return {
            "id": job.id,
            "state": STATES[phase],
            "model": job.body["model"],
            "kind": job.kind,
            "progress": None,
            "price": PRICE,
            "charged": PRICE if phase is Phase.DONE else "0",
            "error": {"code": code, "message": "secret of an upstream"} if code else None,
            "outputs": [{"url": url}] if phase is Phase.DONE and url else [],
            "usage": {} if job.fault is Fault.NO_USAGE else counted,
            "created_at": job.created_at,
        }


def _waits(received: Received) -> bool:
    return "wait" in dict(received.request.query)


def _check(body: dict[str, Any]) -> None:
    for name, value in body.items():
        if name not in FIELDS or not isinstance(value, FIELDS[name]):
            raise RefusedError(Fault.INVALID, name)
    if not body.get("model") or body.get("route", "auto") not in ROUTES:
        raise RefusedError(Fault.INVALID, "model, route")
    for each in body.get("inputs", []):
        link = str(each.get("url", ""))
        if each.get("role") not in ROLES or not link.startswith(("http://", "https://")):
            raise RefusedError(Fault.INVALID, "inputs")
