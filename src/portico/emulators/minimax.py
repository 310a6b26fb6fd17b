"""MiniMax, after its pages on videos (both ways), files, pictures, texts and error codes."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

import msgspec

from portico.core.clock import SECOND_MS
from portico.emulators.chat import answer_text
from portico.emulators.emulator import (
    Emulator,
    Job,
    Phase,
    Received,
    RefusedError,
    Route,
    post_json,
)
from portico.emulators.faults import Fault, On
from portico.emulators.wire import Answer, json_answer

# Code, and what the newer way and texts add: the HTTP status and the type.
REFUSALS = {
    Fault.INVALID: (2013, 400, "bad_request_error"),
    Fault.REFUSED: (1026, 422, "unprocessable_entity_error"),
    Fault.BAD_KEY: (1004, 401, "authorized_error"),
    Fault.NO_CREDIT: (1008, 402, "insufficient_balance_error"),
    Fault.NO_MODEL: (2061, 400, "bad_request_error"),
    Fault.RATE_LIMITED: (1002, 429, "rate_limit_error"),
    Fault.RATE_LIMITED_PLAIN: (1041, 429, "rate_limit_error"),
    Fault.BUSY: (1039, 503, "server_error"),
    Fault.BROKEN_BEFORE: (1000, 500, "server_error"),
    Fault.BROKEN_AFTER: (1000, 500, "server_error"),
}
STATES = {
    Phase.QUEUED: "Queueing",
    Phase.RUNNING: "Processing",
    Phase.STRANGE: "Pondering",
    Phase.FAILED: "Fail",
    Phase.REFUSED: "Fail",
    Phase.DONE: "Success",
}
NEWER_STATES = {
    Phase.QUEUED: "queued",
    Phase.RUNNING: "running",
    Phase.STRANGE: "pondering",
    Phase.STOPPED: "cancelled",
    Phase.FAILED: "failed",
    Phase.REFUSED: "failed",
    Phase.DONE: "succeeded",
}
SAID = {"Success": "success", "Fail": "failed"}  # by callbacks; else "processing"
FAILURES = {Phase.FAILED: 1000, Phase.REFUSED: 1027}
PICTURE_FAILURES: dict[Fault | None, Fault] = {
    Fault.TASK_FAILED: Fault.BROKEN_AFTER,
    Fault.TASK_REFUSED: Fault.REFUSED,
}
FIELDS = {
    "model": str,
    "prompt": str,
    "prompt_optimizer": bool,
    "fast_pretreatment": bool,
    "duration": int,
    "resolution": str,
    "first_frame_image": str,
    "last_frame_image": str,
    "subject_reference": list,
    "callback_url": str,
    "aigc_watermark": bool,
}
NEWER_FIELDS = {
    "model": str,
    "content": list,
    "resolution": str,
    "duration": int,
    "ratio": str,
    "callback_url": str,
    "aigc_watermark": bool,
}
IMAGE_FIELDS = {
    "model": str,
    "prompt": str,
    "aspect_ratio": str,
    "width": int,
    "height": int,
    "response_format": str,
    "seed": int,
    "n": int,
    "prompt_optimizer": bool,
    "aigc_watermark": bool,
    "subject_reference": list,
}
RATIOS = {"21:9", "16:9", "4:3", "1:1", "3:4", "9:16"}
IMAGE_RATIOS = {*RATIOS, "3:2", "2:3"}
ROLES = {
    "image_url": {"first_frame", "last_frame", "reference_image"},
    "video_url": {"reference_video", "base_video"},
    "audio_url": {"reference_audio"},
}
ROLE_MAX = {"reference_image": 9, "reference_video": 3, "reference_audio": 3}
ADDRESSES = ("http://", "https://", "data:", "mm_file://")
NEWER_LENGTHS = range(4, 16)
PROMPT_MAX, IMAGE_PROMPT_MAX = 2_000, 1_500
SIDES = range(512, 2_049, 8)
CHALLENGE_S = 3.0


@dataclass(slots=True)
class MiniMaxEmulator(Emulator):
    """Answers under `/v1` and `/v2`; before its callbacks come, an address has to echo."""

    name: str = "minimax"
    id_name: str = "task_id"

    def routes(self) -> list[Route]:
        """Return every call of the contract."""
        return [
            Route("POST", r"/v1/video_generation", On.BEGIN, self._begin),
            Route("GET", r"/v1/query/video_generation", On.READ, self._read),
            Route("GET", r"/v1/files/retrieve", On.FILE, self._retrieve),
            Route("POST", r"/v2/video_generation", On.BEGIN, self._begin_newer),
            Route("GET", r"/v2/query/video_generation", On.LIST, self._list),
            Route("GET", r"/v2/query/video_generation/([\w-]+)", On.READ, self._read_newer),
            Route("DELETE", r"/v2/video_generation/([\w-]+)", On.STOP, self._stop),
            Route("POST", r"/v1/image_generation", On.BEGIN, self._picture),
            Route("POST", r"/v1/chat/completions", On.TEXT, self._text),
        ]

    def refusal(self, fault: Fault, why: str) -> Answer:
        """Refuse in MiniMax's words: inside a good answer where the call is of the older way."""
        code, status, kind = REFUSALS[fault]
        if fault is Fault.NO_MODEL and why == "id":
            code, message = 2013, "invalid task_id"
        else:
            message = f"secret of an upstream {why}"
        path = self.requests[-1].path
        if path.startswith("/v1") and not path.endswith("/completions"):
            return json_answer({"base_resp": {"status_code": code, "status_msg": message}})
        error = {"type": kind, "message": f"{message} ({code})", "http_code": str(status)}
        return json_answer({"type": "error", "error": error}, status=status)

    async def _begin(self, received: Received) -> Answer:
        body = received.body
        _check_fields(body, FIELDS, ("model",))
        _check_older(body)
        job = self.new_job(received, kind="video", prefix="")
        if url := body.get("callback_url"):
            self._call_back(url, job)
        return json_answer({"task_id": job.id, "base_resp": _base(0)})

    async def _begin_newer(self, received: Received) -> Answer:
        body = received.body
        _check_fields(body, NEWER_FIELDS, ("model", "content"))
        _check_newer(body)
        job = self.new_job(received, kind="video", prefix="")
        if url := body.get("callback_url"):
            self.send_callback(url, job, lambda: {"task": self._shown_newer(job)})
        return json_answer({"task_id": job.id})

    async def _read(self, received: Received) -> Answer:
        return json_answer(self._shown(self._asked(received, "task_id")))

    async def _retrieve(self, received: Received) -> Answer:
        job = self._asked(received, "file_id")
        file = {"file_id": job.id, "filename": "output.mp4", "purpose": "video_generation"}
        if url := self.file_url(job):
            file["download_url"] = url
        return json_answer({"file": file, "base_resp": _base(0)})

    async def _read_newer(self, received: Received) -> Answer:
        return json_answer({"task": self._shown_newer(self.known(received))})

    async def _list(self, received: Received) -> Answer:
        asked = dict(received.request.query)
        size, page = int(asked.get("page_size", "10")), int(asked.get("page_num", "1"))
        jobs = [job for job in reversed(self.jobs.values()) if "content" in job.body]
        items = [self._shown_newer(job) for job in jobs[(page - 1) * size : page * size]]
        return json_answer({"items": items, "total": len(jobs)})

    async def _stop(self, received: Received) -> Answer:
        job = self.known(received)
        phase = self.phase(job)
        if phase in {Phase.RUNNING, Phase.STOPPED, Phase.STRANGE}:
            raise RefusedError(Fault.INVALID, "status")
        if phase is Phase.QUEUED:
            job.is_stopped = True
        else:
            del self.jobs[job.id]
        return json_answer({"action": "cancelled" if job.is_stopped else "deleted"})

    async def _picture(self, received: Received) -> Answer:
        body = received.body
        _check_fields(body, IMAGE_FIELDS, ("model", "prompt"))
        _check_picture(body)
        if received.fault in PICTURE_FAILURES:
            raise RefusedError(PICTURE_FAILURES[received.fault])
        job = self.new_job(received, kind="image", prefix="img-")
        url = self.file_url(job)
        made: dict[str, Any] = {"id": job.id, "base_resp": _base(0)}
        made["data"] = {"image_urls": [url] * body.get("n", 1) if url else []}
        if job.fault is not Fault.NO_USAGE:
            count = -1 if job.fault is Fault.BAD_USAGE else body.get("n", 1)
            made["metadata"] = {"success_count": count, "failed_count": 0}
        return json_answer(made)

    async def _text(self, received: Received) -> Answer:
        return answer_text(received)

    def _asked(self, received: Received, name: str) -> Job:
        job = self.jobs.get(dict(received.request.query).get(name, ""))
        if job is None or job.fault is Fault.TASK_LOST:
            raise RefusedError(Fault.NO_MODEL, "id")
        return job

    def _call_back(self, url: str, job: Job) -> None:
        """Greet an address, and tell it of the end once it has echoed the challenge."""
        challenge = f"challenge-{job.id}"

        async def greet() -> None:
            asked = msgspec.json.encode({"challenge": challenge})
            with contextlib.suppress(OSError, TimeoutError):
                answer = await asyncio.wait_for(post_json(url, asked), CHALLENGE_S)
                if challenge.encode() in answer:
                    self.send_callback(url, job, lambda: self._told(job))

        greeting = asyncio.create_task(greet())
        self._sending.add(greeting)
        greeting.add_done_callback(self._sending.discard)

    def _told(self, job: Job) -> dict[str, Any]:
        shown = self._shown(job)
        return shown | {"status": SAID.get(shown["status"], "processing")}

    def _shown(self, job: Job) -> dict[str, Any]:
        phase = self.phase(job)
        is_done = phase is Phase.DONE
        return {
            "task_id": job.id,
            "status": STATES[phase],
            "file_id": job.id if is_done else "",
            "video_width": 1_280 if is_done else 0,
            "video_height": 720 if is_done else 0,
            "base_resp": _base(FAILURES.get(phase, 0)),
        }

    def _shown_newer(self, job: Job) -> dict[str, Any]:
        body, phase = job.body, self.phase(job)
        seconds = body.get("duration", 5)
        shown: dict[str, Any] = {
            "id": job.id,
            "model": body["model"],
            "status": NEWER_STATES[phase],
            "created_at": job.created_at // SECOND_MS,
            "updated_at": self.clock.now() // SECOND_MS,
            "resolution": body.get("resolution", "768P"),
            "duration": seconds,
            "ratio": body.get("ratio", "adaptive"),
            "task_type": "generation",
        }
        if phase in FAILURES:
            shown["error"] = {"code": str(FAILURES[phase]), "message": "secret of an upstream"}
        if phase is Phase.DONE:
            shown["content"] = {"url": self.file_url(job)}
            if job.fault is Fault.BAD_USAGE:
                seconds = -seconds
            if job.fault is not Fault.NO_USAGE:
                shown["usage"] = {
                    "total_seconds": seconds,
                    "input_seconds": 0,
                    "output_seconds": seconds,
                }
        return shown


def _base(code: int) -> dict[str, Any]:
    return {"status_code": code, "status_msg": "secret of an upstream" if code else "success"}


def _check_fields(body: dict[str, Any], fields: dict[str, Any], required: tuple[str, ...]) -> None:
    for name in required:
        if name not in body:
            raise RefusedError(Fault.INVALID, name)
    for name, value in body.items():
        wanted = fields.get(name)
        is_number = isinstance(value, bool) and wanted is int
        if wanted is None or not isinstance(value, wanted) or is_number:
            raise RefusedError(Fault.INVALID, name)


def _refuse_wrong(is_right: dict[str, bool]) -> None:
    wrong = [name for name, right in is_right.items() if not right]
    if wrong:
        raise RefusedError(Fault.INVALID, wrong[0])


def _check_older(body: dict[str, Any]) -> None:
    """Refuse what the pages of the older way refuse."""
    model, size = body["model"], body.get("resolution", "768P")
    seconds = body.get("duration", 6)
    is_hailuo = "Hailuo" in model
    has_last = "last_frame_image" in body
    _refuse_wrong(
        {
            "prompt": len(body.get("prompt", "")) <= PROMPT_MAX,
            "resolution": size in {"512P", "768P", "1080P"} if is_hailuo else True,
            "duration": seconds in ({6} if size == "1080P" else {6, 10}),
            "last_frame_image": not has_last or model.startswith("MiniMax-Hailuo-02"),
            "subject_reference": ("subject_reference" in body) is model.startswith("S2V"),
        }
    )
    for name in ("first_frame_image", "last_frame_image"):
        if not body.get(name, "data:").startswith(ADDRESSES):
            raise RefusedError(Fault.INVALID, name)
    for subject in body.get("subject_reference", ()):
        if set(subject) != {"type", "image"} or len(subject["image"]) != 1:
            raise RefusedError(Fault.INVALID, "subject_reference")


def _check_newer(body: dict[str, Any]) -> None:
    """Refuse what the page of the newer way refuses."""
    items = body["content"]
    roles = [_check_content(item) for item in items]
    texts = [item["text"] for item in items if item["type"] == "text"]
    is_words_alone = len(items) == len(texts)
    sizes = {"480P", "768P"} if "H3-Max" in body["model"] else {"768P", "2K"}
    _refuse_wrong(
        {
            "content": len(texts) == 1 and bool(texts[0].strip()),
            "resolution": body.get("resolution", "768P") in sizes,
            "duration": body.get("duration", 5) in NEWER_LENGTHS,
            "ratio": body.get("ratio", "adaptive")
            in (RATIOS if is_words_alone else {*RATIOS, "adaptive"}),
            "role": all(roles.count(role) <= most for role, most in ROLE_MAX.items()),
        }
    )


def _check_content(item: Any) -> str:
    """Return an item's role, `text` for words."""
    kind = str(item.get("type")) if isinstance(item, dict) else ""
    if kind == "text" and isinstance(item.get("text"), str):
        return "text"
    given = item.get(kind) if kind in ROLES else None
    url = given.get("url") if isinstance(given, dict) else None
    if not isinstance(url, str) or not url.startswith(ADDRESSES):
        raise RefusedError(Fault.INVALID, "content")
    role = str(item.get("role"))
    if role not in ROLES[kind]:
        raise RefusedError(Fault.INVALID, "role")
    return role


def _check_picture(body: dict[str, Any]) -> None:
    sides = [body[name] for name in ("width", "height") if name in body]
    subjects = body.get("subject_reference", [])
    _refuse_wrong(
        {
            "prompt": 0 < len(body["prompt"]) <= IMAGE_PROMPT_MAX,
            "aspect_ratio": body.get("aspect_ratio", "1:1") in IMAGE_RATIOS,
            "width": len(sides) in {0, 2} and all(side in SIDES for side in sides),
            "n": body.get("n", 1) in range(1, 10),
            "response_format": body.get("response_format", "url") in {"url", "base64"},
            "subject_reference": all(
                set(subject) == {"type", "image_file"}
                and subject["image_file"].startswith(ADDRESSES)
                for subject in subjects
            ),
        }
    )
