"""xPilot, after its page "v1 API"."""

from dataclasses import dataclass
from typing import Any

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

# A model that is missing is a 400 on the page.
STATUS = STATUSES | {Fault.NO_MODEL: 400}
CODES = {
    Fault.INVALID: "INVALID_PARAMS",
    Fault.REFUSED: "INVALID_PARAMS",
    Fault.NO_MODEL: "INVALID_MODEL",
    Fault.BAD_KEY: "UNAUTHORIZED",
    Fault.NO_CREDIT: "INSUFFICIENT_CREDITS",
    Fault.RATE_LIMITED: "RATE_LIMITED",
    Fault.RATE_LIMITED_PLAIN: "RATE_LIMITED",
}
UNSAFE = "Content does not meet safety guidelines: secret of an upstream"
STATES = {Phase.STRANGE: "pondering", Phase.DONE: "completed"}  # else: processing
FAILURES = {Phase.FAILED: "secret of an upstream", Phase.REFUSED: UNSAFE}
PICTURE_FAILURES: dict[Fault | None, Fault] = {
    Fault.TASK_FAILED: Fault.BROKEN_AFTER,
    Fault.TASK_REFUSED: Fault.REFUSED,
}
VIDEO: dict[str, Any] = {
    "model": str,
    "prompt": str,
    "duration": int,
    "aspect_ratio": str,
    "image_url": str,
    "generate_audio": bool,
    "lock_camera": bool,
}
IMAGE: dict[str, Any] = {
    "model": str,
    "prompt": str,
    "aspect_ratio": str,
    "mode": str,
    "image_url": str,
    "image_urls": list,
}
TEXT: dict[str, Any] = {
    "model": str,
    "prompt": str,
    "system": str,
    "max_tokens": int,
    "temperature": (int, float),
}
MODES = {"t2i", "i2i", "i2i_text"}
DURATIONS = {"seedance": {4, 8, 12}}
ONLY = {"generate_audio": ("seedance-2.0", "wan-2.6"), "lock_camera": ("seedance-2.0",)}
USAGE = {"prompt_tokens": 4, "completion_tokens": 5, "total_tokens": 9}
WORDS = "This is an emulated answer."
COST, REMAINING = 300, 4_700


@dataclass(slots=True)
class XPilotEmulator(Emulator):
    """Answers under `/api/v1`.

    Args:
        pictures_later: whether a picture is answered with where to poll for it.
    """

    name: str = "xpilot"
    base_path: str = "/api/v1"
    id_name: str = "task_id"
    pictures_later: bool = False

    def routes(self) -> list[Route]:
        """Return every call of the contract that makes something."""
        return [
            Route("POST", r"/video/generate", On.BEGIN, self._begin),
            Route("GET", r"/(?:video|image)/([\w-]+)", On.READ, self._read),
            Route("POST", r"/image/generate", On.BEGIN, self._picture),
            Route("POST", r"/text/generate", On.TEXT, self._text),
        ]

    def refusal(self, fault: Fault, why: str) -> Answer:
        """Refuse in xPilot's words."""
        status, code = STATUS[fault], CODES.get(fault, "GENERATION_FAILED")
        if fault is Fault.NO_MODEL and why:
            status, code = 404, "NOT_FOUND"
        message = UNSAFE if fault is Fault.REFUSED else f"secret of an upstream {why}"
        return json_answer({"error": {"message": message, "code": code}}, status=status)

    async def _begin(self, received: Received) -> Answer:
        body = received.body
        _check(body, VIDEO, links=(body.get("image_url"),))
        model = str(body.get("model", ""))
        values = next((each for name, each in DURATIONS.items() if name in model), None)
        if values and body.get("duration", 4) not in values:
            raise RefusedError(Fault.INVALID, "duration")
        for name, models in ONLY.items():
            if body.get(name) and not model.startswith(models):
                raise RefusedError(Fault.INVALID, name)
        if ("image_url" in body) is not ("image-to-video" in model):
            raise RefusedError(Fault.INVALID, "image_url")
        job = self.new_job(received, kind="video", prefix="xp")
        return json_answer(self._accepted(job) | {"provider": _provider(job)})

    async def _picture(self, received: Received) -> Answer:
        body = received.body
        links = [body.get("image_url"), *body.get("image_urls", ())]
        _check(body, IMAGE, links=links)
        if body.get("mode", "t2i") not in MODES or (body.get("mode") == "t2i" and any(links)):
            raise RefusedError(Fault.INVALID, "mode")
        if received.fault in PICTURE_FAILURES:
            raise RefusedError(PICTURE_FAILURES[received.fault])
        job = self.new_job(received, kind="image", prefix="img_")
        if self.pictures_later:
            return json_answer(self._accepted(job))
        shown = {"task_id": job.id, "status": "completed", "outputs": self._outputs(job)}
        return json_answer(shown | {"cost_cents": 5, "remaining_credits_cents": REMAINING})

    async def _text(self, received: Received) -> Answer:
        body = received.body
        _check(body, TEXT, links=())
        usage = {"usage": USAGE}
        if received.fault is Fault.NO_USAGE:
            usage = {}
        elif received.fault is Fault.BAD_USAGE:
            usage = {"usage": dict.fromkeys(USAGE, -5)}
        shown = {"content": WORDS, "model": body.get("model", "openai/gpt-4o")} | usage
        return json_answer(shown | {"cost_cents": 1, "remaining_credits_cents": REMAINING})

    async def _read(self, received: Received) -> Answer:
        job = self.known(received)
        asked = dict(received.request.query).get("provider", "wavespeed")
        if job.kind == "video" and asked != _provider(job):
            raise RefusedError(Fault.NO_MODEL, "provider")
        phase = self.phase(job)
        shown: dict[str, Any] = {
            "task_id": job.id,
            "status": "failed" if phase in FAILURES else STATES.get(phase, "processing"),
            "outputs": self._outputs(job) if phase is Phase.DONE else [],
            "provider": asked,
        }
        if phase in FAILURES:
            shown["error"] = FAILURES[phase]
        return json_answer(shown)

    def _accepted(self, job: Job) -> dict[str, Any]:
        beside = f"?provider={_provider(job)}" if job.kind == "video" else ""
        if beside.endswith("wavespeed"):
            beside += "&pollUrl=https%3A%2F%2Fapi.example%2Fpredictions%2Fp-1%2Fresult"
        return {
            "task_id": job.id,
            "status": "processing",
            "outputs": [],
            "poll_url": f"/api/v1/{job.kind}/{job.id}{beside}",
            "cost_cents": -COST if job.fault is Fault.BAD_USAGE else COST,
            "remaining_credits_cents": REMAINING,
        }

    def _outputs(self, job: Job) -> list[str]:
        url = self.file_url(job)
        return [url] if url else []


def _provider(job: Job) -> str:
    return "seedance" if "seedance" in job.body.get("model", "") else "wavespeed"


def _check(body: dict[str, Any], known: dict[str, Any], *, links: Any) -> None:
    for name, value in body.items():
        if name not in known or not isinstance(value, known[name]):
            raise RefusedError(Fault.INVALID, name)
    if not body.get("prompt"):
        raise RefusedError(Fault.INVALID, "prompt")
    for each in filter(None, links):
        if not str(each).startswith(("http://", "https://")):
            raise RefusedError(Fault.INVALID, "image_url")
