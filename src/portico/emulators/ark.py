"""Volcengine Ark, after its pages on video generation, image generation and error codes."""

from dataclasses import dataclass
from typing import Any

from portico.core.clock import SECOND_MS
from portico.emulators.chat import answer_text
from portico.emulators.emulator import Emulator, Job, Phase, Received, RefusedError, Route
from portico.emulators.faults import Fault, On
from portico.emulators.wire import Answer, json_answer

# HTTP status, code and type of each refusal.
REFUSALS = {
    Fault.INVALID: (400, "InvalidParameter", "BadRequest"),
    Fault.REFUSED: (400, "InputTextSensitiveContentDetected.PolicyViolation", "BadRequest"),
    Fault.BAD_KEY: (401, "AuthenticationError", "Unauthorized"),
    Fault.NO_CREDIT: (403, "AccountOverdueError", "Forbidden"),
    Fault.NO_MODEL: (404, "InvalidEndpointOrModel.NotFound", "NotFound"),
    Fault.RATE_LIMITED: (429, "ModelAccountRpmRateLimitExceeded", "TooManyRequests"),
    Fault.RATE_LIMITED_PLAIN: (429, "QuotaExceeded", "TooManyRequests"),
    Fault.BUSY: (503, "ServerOverloaded", "ServiceUnavailable"),
    Fault.BROKEN_BEFORE: (500, "InternalServiceError", "InternalServerError"),
    Fault.BROKEN_AFTER: (500, "InternalServiceError", "InternalServerError"),
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
    Phase.FAILED: "InternalServiceError",
    Phase.REFUSED: "OutputVideoSensitiveContentDetected",
}
PICTURE_FAILURES: dict[Fault | None, str] = {
    Fault.TASK_FAILED: "InternalServiceError",
    Fault.TASK_REFUSED: "OutputImageSensitiveContentDetected",
}
FIELDS = {
    "model": str,
    "content": list,
    "resolution": str,
    "ratio": str,
    "duration": int,
    "frames": int,
    "seed": int,
    "camera_fixed": bool,
    "watermark": bool,
    "generate_audio": bool,
    "draft": bool,
    "return_last_frame": bool,
    "service_tier": str,
    "execution_expires_after": int,
    "priority": int,
    "callback_url": str,
    "safety_identifier": str,
    "tools": list,
    "output_format": str,
    "omni_reference_task_type": str,
}
IMAGE_FIELDS = {
    "model": str,
    "prompt": str,
    "image": (str, list),
    "size": str,
    "response_format": str,
    "seed": int,
    "guidance_scale": (int, float),
    "watermark": bool,
    "optimize_prompt": bool,
    "optimize_prompt_options": dict,
    "sequential_image_generation": str,
    "sequential_image_generation_options": dict,
    "tools": list,
    "output_format": str,
    "layer_decomposition": dict,
    "stream": bool,
}
RATIOS = {"16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "adaptive"}
ROLES: dict[str, set[str | None]] = {
    "image_url": {"first_frame", "last_frame", "reference_image", None},
    "video_url": {"reference_video"},
    "audio_url": {"reference_audio"},
}
FRAMES = {"480p": (864, 496), "720p": (1280, 720), "1080p": (1920, 1088)}
DURATIONS = range(2, 31)
SEEDS = range(-1, 2**32)
EXPIRES_AFTER_S = 172_800
FRAMES_PER_S = 24


@dataclass(slots=True)
class ArkEmulator(Emulator):
    """Answers under `/api/v3`."""

    name: str = "ark"
    base_path: str = "/api/v3"

    def routes(self) -> list[Route]:
        """Return every call of the contract."""
        tasks = r"/contents/generations/tasks"
        return [
            Route("POST", tasks, On.BEGIN, self._begin),
            Route("GET", tasks, On.LIST, self._list),
            Route("GET", rf"{tasks}/([\w-]+)", On.READ, self._read),
            Route("DELETE", rf"{tasks}/([\w-]+)", On.STOP, self._stop),
            Route("POST", r"/images/generations", On.BEGIN, self._picture),
            Route("POST", r"/chat/completions", On.TEXT, self._text),
        ]

    def refusal(self, fault: Fault, why: str) -> Answer:
        """Refuse in Ark's words."""
        status, code, kind = REFUSALS[fault]
        message = f"secret of an upstream {why} Request id: 0217"
        error = {"code": code, "message": message, "param": why, "type": kind}
        return json_answer({"error": error}, status=status)

    async def _begin(self, received: Received) -> Answer:
        _check_task(received.body)
        job = self.new_job(received, kind="video", prefix="cgt-")
        if url := job.body.get("callback_url"):
            self.send_callback(url, job, lambda: self._shown(job))
        return json_answer({"id": job.id})

    async def _read(self, received: Received) -> Answer:
        return json_answer(self._shown(self.known(received)))

    async def _list(self, received: Received) -> Answer:
        asked = dict(received.request.query)
        ids = [value for name, value in received.request.query if name == "filter.task_ids"]
        shown = [self._shown(job) for job in reversed(self.jobs.values()) if job.kind == "video"]
        items = [
            item
            for item in shown
            if asked.get("filter.status") in {None, item["status"]}
            and asked.get("filter.model") in {None, item["model"]}
            and (not ids or item["id"] in ids)
        ]
        size, page = int(asked.get("page_size", "10")), int(asked.get("page_num", "1"))
        return json_answer({"total": len(items), "items": items[(page - 1) * size : page * size]})

    async def _stop(self, received: Received) -> Answer:
        job = self.known(received)
        phase = self.phase(job)
        if phase in {Phase.RUNNING, Phase.STOPPED}:
            raise RefusedError(Fault.INVALID, "status")
        if phase is Phase.QUEUED:
            job.is_stopped = True
        else:
            del self.jobs[job.id]
        return json_answer({})

    async def _picture(self, received: Received) -> Answer:
        body = received.body
        _check_fields(body, IMAGE_FIELDS, ("model", "prompt"))
        job = self.new_job(received, kind="image", prefix="img-")
        made: dict[str, Any] = {"url": self.file_url(job), "size": "2048x2048"}
        if job.fault in PICTURE_FAILURES:
            made = {"error": {"code": PICTURE_FAILURES[job.fault]}}
        answer = {"model": body["model"], "created": job.created_at // SECOND_MS, "data": [made]}
        usage = {"generated_images": 1, "output_tokens": 16_384, "total_tokens": 16_384}
        return json_answer(answer | ({} if job.fault is Fault.NO_USAGE else {"usage": usage}))

    async def _text(self, received: Received) -> Answer:
        return answer_text(received)

    def _shown(self, job: Job) -> dict[str, Any]:
        body, phase = job.body, self.phase(job)
        seconds = body.get("duration", 5)
        shown: dict[str, Any] = {
            "id": job.id,
            "model": body["model"],
            "status": STATES[phase],
            "created_at": job.created_at // SECOND_MS,
            "updated_at": self.clock.now() // SECOND_MS,
            "seed": body.get("seed", 10),
            "resolution": body.get("resolution", "720p"),
            "ratio": body.get("ratio", "16:9"),
            "duration": seconds,
            "framespersecond": FRAMES_PER_S,
            "service_tier": body.get("service_tier", "default"),
            "execution_expires_after": body.get("execution_expires_after", EXPIRES_AFTER_S),
        }
        if phase in FAILURES:
            shown["error"] = {"code": FAILURES[phase], "message": "secret of an upstream"}
        if phase is Phase.DONE:
            shown["content"] = {"video_url": self.file_url(job)}
            counted = _video_tokens(shown["resolution"], seconds)
            if job.fault is Fault.BAD_USAGE:
                counted = -counted
            if job.fault is not Fault.NO_USAGE:
                shown["usage"] = {"completion_tokens": counted, "total_tokens": counted}
        return shown


def _video_tokens(resolution: str, seconds: int) -> int:
    width, height = FRAMES.get(resolution, FRAMES["720p"])
    return width * height * (FRAMES_PER_S * seconds + 1) // 1_024


def _check_task(body: dict[str, Any]) -> None:
    """Refuse what the page refuses."""
    _check_fields(body, FIELDS, ("model", "content"))
    wrong = [
        name
        for name, is_right in {
            "resolution": body.get("resolution", "720p") in {*FRAMES, "4k"},
            "ratio": body.get("ratio", "adaptive") in RATIOS,
            "duration": body.get("duration", 5) in {*DURATIONS, -1},
            "seed": body.get("seed", -1) in SEEDS,
            "service_tier": body.get("service_tier", "default") in {"default", "flex"},
            "camera_fixed": not (body.get("camera_fixed") and "seedance-2-" in body["model"]),
        }.items()
        if not is_right
    ]
    if wrong:
        raise RefusedError(Fault.INVALID, wrong[0])
    roles = [_check_content(item) for item in body["content"]]
    modes = {bool(role and role.startswith("reference")) for role in roles if role != "text"}
    if len(modes) > 1:
        raise RefusedError(Fault.INVALID, "content")


def _check_content(item: Any) -> str | None:
    """Return an item's role, `text` for words."""
    kind = str(item.get("type")) if isinstance(item, dict) else ""
    if kind == "text" and isinstance(item.get("text"), str):
        return "text"
    role: str | None = item.get("role") if kind in ROLES else ""
    url = item[kind].get("url") if kind in ROLES and isinstance(item.get(kind), dict) else None
    if not isinstance(url, str) or role not in ROLES[kind]:
        raise RefusedError(Fault.INVALID, "content")
    inside = kind == "image_url" and url.startswith("data:image/")
    if not (url.startswith(("http://", "https://", "asset://")) or inside):
        raise RefusedError(Fault.INVALID, "content")
    return role


def _check_fields(body: dict[str, Any], fields: dict[str, Any], required: tuple[str, ...]) -> None:
    for name in required:
        if name not in body:
            raise RefusedError(Fault.INVALID, name)
    for name, value in body.items():
        wanted = fields.get(name)
        is_number = isinstance(value, bool) and wanted is int
        if wanted is None or not isinstance(value, wanted) or is_number:
            raise RefusedError(Fault.INVALID, name)
