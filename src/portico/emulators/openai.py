"""OpenAI's texts, pictures and videos, after its API reference and what its client sends."""

import base64
from dataclasses import dataclass, field
from typing import Any

from portico.core.clock import SECOND_MS
from portico.emulators.chat import answer_text
from portico.emulators.emulator import Emulator, Job, Phase, Received, RefusedError, Route, sample
from portico.emulators.faults import Fault, On
from portico.emulators.wire import Answer, json_answer

# HTTP status, code and type of each refusal.
REFUSALS = {
    Fault.INVALID: (400, "invalid_value", "invalid_request_error"),
    Fault.REFUSED: (400, "moderation_blocked", "image_generation_user_error"),
    Fault.BAD_KEY: (401, "invalid_api_key", "invalid_request_error"),
    Fault.NO_CREDIT: (429, "insufficient_quota", "insufficient_quota"),
    Fault.NO_MODEL: (404, "model_not_found", "invalid_request_error"),
    Fault.RATE_LIMITED: (429, "rate_limit_exceeded", "requests"),
    Fault.RATE_LIMITED_PLAIN: (429, "rate_limit_exceeded", "requests"),
    Fault.BUSY: (503, "server_overloaded", "server_error"),
    Fault.BROKEN_BEFORE: (500, "server_error", "server_error"),
    Fault.BROKEN_AFTER: (500, "server_error", "server_error"),
}
STATES = {
    Phase.QUEUED: ("queued", 0),
    Phase.RUNNING: ("in_progress", 50),
    Phase.STRANGE: ("pondering", 50),
    Phase.FAILED: ("failed", 100),
    Phase.REFUSED: ("failed", 100),
    Phase.DONE: ("completed", 100),
}
FAILURES = {Phase.FAILED: "video_generation_failed", Phase.REFUSED: "moderation_blocked"}
PICTURE_FAILURES: dict[Fault | None, Fault] = {
    Fault.TASK_FAILED: Fault.BROKEN_AFTER,
    Fault.TASK_REFUSED: Fault.REFUSED,
}
FORMATS = {"url", "b64_json"}
MODELS = ("sora-2", "sora-2-pro", "gpt-image-1", "gpt-4o")
PICTURES = range(1, 11)
POLL_AFTER_MS = "2000"


@dataclass(slots=True)
class OpenAiEmulator(Emulator):
    """Answers under `/v1`.

    Args:
        keeps_keys: whether a start with a known `Idempotency-Key` returns its first job, as
            Portico does and OpenAI does not.
        shows_url: whether a video says where it is, as relays do and OpenAI does not.
    """

    name: str = "openai"
    base_path: str = "/v1"
    keeps_keys: bool = False
    shows_url: bool = False
    by_key: dict[str, Job] = field(default_factory=dict)

    def routes(self) -> list[Route]:
        """Return every call of the contract that clients still use."""
        video = r"/videos/([\w-]+)"
        return [
            Route("POST", r"/videos", On.BEGIN, self._begin),
            Route("GET", r"/videos", On.LIST, self._list),
            Route("GET", video, On.READ, self._read),
            Route("GET", rf"{video}/content", On.FILE, self._content),
            Route("DELETE", video, On.STOP, self._stop),
            Route("POST", rf"{video}/remix", On.BEGIN, self._begin),
            Route("POST", r"/images/generations", On.BEGIN, self._picture),
            Route("POST", r"/images/edits", On.BEGIN, self._picture),
            Route("POST", r"/chat/completions", On.TEXT, self._text),
            Route("GET", r"/models", On.LIST, self._models),
        ]

    def refusal(self, fault: Fault, why: str) -> Answer:
        """Refuse in OpenAI's words."""
        status, code, kind = REFUSALS[fault]
        error = {"message": f"secret of an upstream {why}", "type": kind, "param": why or None}
        return json_answer({"error": error | {"code": code}}, status=status)

    async def _begin(self, received: Received) -> Answer:
        key = received.request.headers.get("idempotency-key", "")
        if self.keeps_keys and key in self.by_key:
            self.begun -= 1  # nothing new
            return json_answer(self._shown(self.by_key[key]))
        body = received.body
        if not body.get("prompt") or not isinstance(body["prompt"], str):
            raise RefusedError(Fault.INVALID, "prompt")
        if not str(body.get("seconds", "4")).isdigit():
            raise RefusedError(Fault.INVALID, "seconds")
        job = self.new_job(received, kind="video", prefix="video_")
        if key:
            self.by_key[key] = job
        return json_answer(self._shown(job))

    async def _read(self, received: Received) -> Answer:
        job = self.known(received)
        return json_answer(self._shown(job), headers={"openai-poll-after-ms": POLL_AFTER_MS})

    async def _list(self, received: Received) -> Answer:
        asked = dict(received.request.query)
        shown = [self._shown(job) for job in self.jobs.values() if job.kind == "video"]
        if asked.get("order", "desc") == "desc":
            shown.reverse()
        data = shown[: int(asked.get("limit", "20"))]
        ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
        more = len(shown) > len(data)
        return json_answer({"object": "list", "data": data, "has_more": more} | ends)

    async def _content(self, received: Received) -> Answer:
        job = self.known(received)
        if received.request.query and ("variant", "thumbnail") in received.request.query:
            return Answer(body=sample("png"), headers={"content-type": "image/png"})
        if self.phase(job) is not Phase.DONE or job.fault in {
            Fault.DEAD_URL,
            Fault.NO_URL,
            Fault.PRIVATE_URL,
        }:
            return self.refusal(Fault.NO_MODEL, "video_id")
        return self._file(f"{job.id}.mp4")

    async def _stop(self, received: Received) -> Answer:
        job = self.known(received)
        job.is_stopped = True
        del self.jobs[job.id]
        return json_answer({"id": job.id, "deleted": True, "object": "video.deleted"})

    async def _picture(self, received: Received) -> Answer:
        body = received.body
        count, shape = int(body.get("n", 1)), body.get("response_format", "b64_json")
        if not isinstance(body.get("prompt"), str):
            raise RefusedError(Fault.INVALID, "prompt")
        if count not in PICTURES or shape not in FORMATS:
            raise RefusedError(Fault.INVALID, "n")
        if received.request.path.endswith("/edits") and "image" not in body | _singular(body):
            raise RefusedError(Fault.INVALID, "image")
        if received.fault in PICTURE_FAILURES:
            raise RefusedError(PICTURE_FAILURES[received.fault])
        job = self.new_job(received, kind="image", prefix="img-")
        made = {"url": self.file_url(job)} if shape == "url" else {"b64_json": _inside(job.fault)}
        counted = {"input_tokens": 8, "output_tokens": 1_056, "total_tokens": 1_064}
        if job.fault is Fault.BAD_USAGE:
            counted = dict.fromkeys(counted, -1)
        usage = {} if job.fault is Fault.NO_USAGE else {"usage": counted}
        data = [] if job.fault is Fault.NO_URL else [made] * count
        return json_answer({"created": job.created_at // SECOND_MS, "data": data} | usage)

    async def _text(self, received: Received) -> Answer:
        return answer_text(received)

    async def _models(self, _: Received) -> Answer:
        data = [{"id": name, "object": "model", "owned_by": "emulator"} for name in MODELS]
        return json_answer({"object": "list", "data": data})

    def _shown(self, job: Job) -> dict[str, Any]:
        body, phase = job.body, self.phase(job)
        state, progress = STATES[phase]
        seconds = "-5" if job.fault is Fault.BAD_USAGE else str(body.get("seconds", "4"))
        shown: dict[str, Any] = {
            "id": job.id,
            "object": "video",
            "model": body.get("model", "sora-2"),
            "status": state,
            "progress": progress,
            "created_at": job.created_at // SECOND_MS,
            "seconds": seconds,
            "size": body.get("size", "720x1280"),
        }
        if job.fault is Fault.NO_USAGE:
            del shown["seconds"]
        if phase in FAILURES:
            shown["error"] = {"code": FAILURES[phase], "message": "secret of an upstream"}
        if phase is Phase.DONE and self.shows_url:
            shown["metadata"] = {"url": self.file_url(job)}
        return shown


def _singular(body: dict[str, Any]) -> dict[str, Any]:
    return {name.removesuffix("[]"): value for name, value in body.items()}


def _inside(fault: Fault | None) -> str:
    """Return a picture as text, whole or spoilt."""
    content = sample("png")
    if fault is Fault.EMPTY_FILE:
        content = b""
    elif fault is Fault.BROKEN_FILE:
        content = content[: len(content) // 2]
    elif fault is Fault.PAGE_URL:
        content = b"<!doctype html>"
    return base64.b64encode(content).decode()
