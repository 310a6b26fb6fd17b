"""DashScope's tasks, pictures and texts, after its pages and what its Python client sends."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from portico.core.clock import SECOND_MS, Instant
from portico.emulators.chat import answer_text
from portico.emulators.dashscope_rules import (
    ADDED,
    FRAMES,
    QWEN_IMAGE,
    VIDEO,
    WAN_IMAGE,
    Rules,
    rules_of,
)
from portico.emulators.emulator import Emulator, Job, Phase, Received, RefusedError, Route
from portico.emulators.faults import Fault, On
from portico.emulators.wire import Answer, json_answer

API = r"/api/v1"
CHAT = "/compatible-mode/v1"
NO_SYNC = "current user api does not support synchronous calls"
# HTTP status and code of each refusal of a task or picture, and of a text.
REFUSALS = {
    Fault.INVALID: (400, "InvalidParameter"),
    Fault.REFUSED: (400, "DataInspectionFailed"),
    Fault.BAD_KEY: (401, "InvalidApiKey"),
    Fault.NO_CREDIT: (400, "Arrearage"),
    Fault.NO_MODEL: (404, "ModelNotFound"),
    Fault.RATE_LIMITED: (429, "Throttling.RateQuota"),
    Fault.RATE_LIMITED_PLAIN: (429, "Throttling.AllocationQuota"),
    Fault.BUSY: (503, "ServiceUnavailable"),
    Fault.BROKEN_BEFORE: (500, "InternalError"),
    Fault.BROKEN_AFTER: (500, "InternalError.Timeout"),
}
CHAT_REFUSALS = {
    Fault.INVALID: (400, "invalid_parameter_error"),
    Fault.REFUSED: (400, "data_inspection_failed"),
    Fault.BAD_KEY: (401, "invalid_api_key"),
    Fault.NO_CREDIT: (400, "Arrearage"),
    Fault.NO_MODEL: (404, "model_not_found"),
    Fault.RATE_LIMITED: (429, "limit_requests"),
    Fault.RATE_LIMITED_PLAIN: (429, "limit_burst_rate"),
    Fault.BUSY: (503, "service_unavailable"),
    Fault.BROKEN_BEFORE: (500, "internal_error"),
    Fault.BROKEN_AFTER: (500, "internal_error"),
}
STATES = {
    Phase.QUEUED: "PENDING",
    Phase.RUNNING: "RUNNING",
    Phase.STRANGE: "PONDERING",
    Phase.STOPPED: "CANCELED",
    Phase.FAILED: "FAILED",
    Phase.REFUSED: "FAILED",
    Phase.DONE: "SUCCEEDED",
}
FAILURES = {Phase.FAILED: "InternalError", Phase.REFUSED: "DataInspectionFailed"}
PICTURE_FAILURES: dict[Fault | None, Fault] = {
    Fault.TASK_FAILED: Fault.BROKEN_AFTER,
    Fault.TASK_REFUSED: Fault.REFUSED,
}
THEIR_ZONE = timezone(timedelta(hours=8))
URLS = ("http://", "https://", "oss://", "data:")
REFERENCES = range(1, 6)
PICTURE_SIDE = 1_280


@dataclass(slots=True)
class DashScopeEmulator(Emulator):
    """Answers tasks under `/api/v1`, texts under `/compatible-mode/v1`."""

    name: str = "dashscope"
    base_path: str = ""
    id_name: str = "task_id"

    def routes(self) -> list[Route]:
        """Return every call of the contract."""
        task = rf"{API}/tasks/([\w-]+)"
        slash = "/?"  # which their client for asyncio adds
        return [
            Route("POST", rf"{API}/services/aigc/([\w-]+/[\w-]+)", On.BEGIN, self._begin),
            Route("GET", rf"{API}/tasks" + slash, On.LIST, self._list),
            Route("GET", task + slash, On.READ, self._read),
            Route("POST", rf"{task}/cancel" + slash, On.STOP, self._stop),
            Route("POST", rf"{CHAT}/chat/completions", On.TEXT, self._text),
        ]

    def refusal(self, fault: Fault, why: str) -> Answer:
        """Refuse in the words of the mode that was called last."""
        message = f"secret of an upstream {why}"
        if self.requests and self.requests[-1].path.startswith(CHAT):
            status, code = CHAT_REFUSALS[fault]
            error = {"code": code, "message": message, "type": code, "param": None}
            return json_answer({"error": error, "request_id": "r-1"}, status=status)
        status, code = REFUSALS[fault]
        refused = {"code": code, "message": message, "request_id": "r-1"}
        return json_answer(refused, status=status)

    async def _begin(self, received: Received) -> Answer:
        body, path = received.body, received.names[0]
        model = body.get("model")
        rules = rules_of(model, path) if isinstance(model, str) else None
        if rules is None:
            raise RefusedError(Fault.NO_MODEL, "model")
        is_task = received.request.headers.get("x-dashscope-async") == "enable"
        if not is_task and path not in {WAN_IMAGE, QWEN_IMAGE}:
            raise RefusedError(Fault.INVALID, NO_SYNC)
        _check(body, rules)
        if received.fault in PICTURE_FAILURES and not is_task:
            raise RefusedError(PICTURE_FAILURES[received.fault])
        kind = "video" if path in {VIDEO, FRAMES} else "image"
        job = self.new_job(received, kind=kind, prefix="t-")
        if not is_task:
            return json_answer({"request_id": "r-1"} | self._made(job))
        output = {"task_id": job.id, "task_status": "PENDING"}
        return json_answer({"request_id": "r-1", "output": output})

    async def _read(self, received: Received) -> Answer:
        task_id = received.names[0]
        job = self.jobs.get(task_id)
        if job is None or job.fault is Fault.TASK_LOST:
            unknown = {"task_id": task_id, "task_status": "UNKNOWN"}
            return json_answer({"request_id": "r-1", "output": unknown})
        phase = self.phase(job)
        told = _told(job, phase)
        if phase is not Phase.DONE:
            return json_answer({"request_id": "r-1", "output": told})
        made = self._made(job)
        return json_answer({"request_id": "r-1", **made, "output": told | made["output"]})

    async def _list(self, received: Received) -> Answer:
        asked = dict(received.request.query)
        shown = [
            {
                "task_id": job.id,
                "status": STATES[self.phase(job)],
                "model_name": job.body["model"],
                "start_time": job.created_at,
                "end_time": job.due_at,
                "request_id": "r-1",
            }
            for job in reversed(self.jobs.values())
        ]
        data = [
            task
            for task in shown
            if asked.get("status") in {None, task["status"]}
            and asked.get("model_name") in {None, task["model_name"]}
        ]
        size, page = int(asked.get("page_size", "10")), int(asked.get("page_no", "1"))
        pages = {"total": len(data), "total_page": -(-len(data) // size)}
        pages |= {"page_no": page, "page_size": size}
        page_of = data[(page - 1) * size : page * size]
        return json_answer({"request_id": "r-1", "data": page_of} | pages)

    async def _stop(self, received: Received) -> Answer:
        job = self.jobs.get(received.names[0])
        if job is None or self.phase(job) is not Phase.QUEUED:
            refused = {"code": "UnsupportedOperation", "message": "secret", "request_id": "r-1"}
            return json_answer(refused, status=400)
        job.is_stopped = True
        return json_answer({"request_id": "r-1"})

    async def _text(self, received: Received) -> Answer:
        return answer_text(received)

    def _made(self, job: Job) -> dict[str, Any]:
        """Return the output and the usage of a job that is done."""
        url = self.file_url(job)
        usage: dict[str, Any] = {}
        if job.kind == "video":
            output: dict[str, Any] = {"video_url": url}
            usage = _video_usage(job)
        elif "messages" in job.body.get("input", {}):
            message = {"role": "assistant", "content": [{"image": url}]}
            output = {"choices": [{"finish_reason": "stop", "message": message}]}
            usage = {"image_count": 1, "width": PICTURE_SIDE, "height": PICTURE_SIDE}
        else:
            counted = {"TOTAL": 1, "SUCCEEDED": 1, "FAILED": 0}
            output = {"results": [{"url": url}], "task_metrics": counted}
            usage = {"image_count": 1}
        if job.fault is Fault.BAD_USAGE:
            usage = dict.fromkeys(usage, -5)
        return {"output": output} | ({} if job.fault is Fault.NO_USAGE else {"usage": usage})


def _told(job: Job, phase: Phase) -> dict[str, Any]:
    told: dict[str, Any] = {
        "task_id": job.id,
        "task_status": STATES[phase],
        "submit_time": _time(job.created_at),
    }
    if phase is not Phase.QUEUED:
        told["scheduled_time"] = _time(job.created_at)
    if phase in {Phase.DONE, Phase.FAILED, Phase.REFUSED}:
        told["end_time"] = _time(job.due_at)
    if phase is Phase.DONE:
        told["orig_prompt"] = job.body.get("input", {}).get("prompt", "")
    if phase in FAILURES:
        told |= {"code": FAILURES[phase], "message": "secret of an upstream"}
    return told


def _video_usage(job: Job) -> dict[str, Any]:
    """Count the seconds of the output, and those of videos that were put in."""
    asked, given = job.body.get("parameters", {}), job.body.get("input", {})
    made_s = asked.get("duration", 5)
    media = given.get("media", [])
    is_fed = any(item.get("type") in {"video", "reference_video"} for item in media)
    read_s = 5 if is_fed or any(".mp4" in url for url in given.get("reference_urls", [])) else 0
    return {
        "duration": made_s + read_s,
        "input_video_duration": read_s,
        "output_video_duration": made_s,
        "SR": int(str(asked.get("resolution", "720P")).rstrip("P") or 0),
        "ratio": asked.get("ratio", "16:9"),
        "video_count": 1,
    }


def _check(body: dict[str, Any], rules: Rules) -> None:
    """Refuse what the pages refuse."""
    given, asked = body.get("input"), body.get("parameters", {})
    if not isinstance(given, dict) or not isinstance(asked, dict):
        raise RefusedError(Fault.INVALID, "input")
    known = {name.removesuffix("!") for name in rules.inputs} | ADDED
    required = {name[:-1] for name in rules.inputs if name.endswith("!")}
    for name in [*required.difference(given), *set(given).difference(known)]:
        raise RefusedError(Fault.INVALID, name)
    for name, value in asked.items():
        if name not in ADDED and not (name in rules.parameters and rules.parameters[name](value)):
            raise RefusedError(Fault.INVALID, name)
    _check_values(given, asked, rules)


def _check_values(given: dict[str, Any], asked: dict[str, Any], rules: Rules) -> None:
    if "prompt" in given:
        _check_prompt(given["prompt"], rules)
    if "media" in given:
        _check_media(given["media"], rules.media or {})
    for name in ("img_url", "first_frame_url", "last_frame_url", "audio_url"):
        if name in given and not _is_url(given[name]):
            raise RefusedError(Fault.INVALID, name)
    references = given.get("reference_urls", ["http://"])
    if not isinstance(references, list) or len(references) not in REFERENCES:
        raise RefusedError(Fault.INVALID, "reference_urls")
    if "messages" in given:
        _check_message(given["messages"], asked, rules)


def _check_prompt(prompt: Any, rules: Rules) -> None:
    if not isinstance(prompt, str) or not prompt or len(prompt) > rules.prompt_max:
        raise RefusedError(Fault.INVALID, "prompt")


def _check_media(media: Any, kinds: Any) -> None:
    if not isinstance(media, list):
        raise RefusedError(Fault.INVALID, "media")
    for item in media:
        fits = isinstance(item, dict) and item.get("type") in kinds and set(item) == {"type", "url"}
        if not fits or not _is_url(item["url"]):
            raise RefusedError(Fault.INVALID, "media")
    for kind, (low, high) in kinds.items():
        if not low <= sum(item["type"] == kind for item in media) <= high:
            raise RefusedError(Fault.INVALID, kind)


def _check_message(messages: Any, asked: dict[str, Any], rules: Rules) -> None:
    """Check the one message that a picture is made from."""
    is_one = isinstance(messages, list) and len(messages) == 1 and isinstance(messages[0], dict)
    content = messages[0].get("content") if is_one else None
    if not isinstance(content, list) or messages[0].get("role") != "user":
        raise RefusedError(Fault.INVALID, "messages")
    texts = [item["text"] for item in content if isinstance(item, dict) and "text" in item]
    images = [item["image"] for item in content if isinstance(item, dict) and "image" in item]
    if len(texts) != 1 or len(texts) + len(images) != len(content):
        raise RefusedError(Fault.INVALID, "content")
    _check_prompt(texts[0], rules)
    low, high = rules.images
    if asked.get("enable_interleave") is True:
        low, high = 0, 1
    elif asked.get("enable_interleave") is False:
        low = 1
    if not low <= len(images) <= high or not all(_is_url(image) for image in images):
        raise RefusedError(Fault.INVALID, "image")


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(URLS)


def _time(at_ms: Instant) -> str:
    moment = datetime.fromtimestamp(at_ms / SECOND_MS, UTC).astimezone(THEIR_ZONE)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{at_ms % SECOND_MS:03d}"
