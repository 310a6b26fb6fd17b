"""XiaoYang, after its page "Developer API"."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from portico.core.clock import SECOND_MS
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

# The page's own words; it has none for a model that is missing, which is a wrong parameter there.
DETAILS = {
    Fault.BAD_KEY: "Invalid API key",
    Fault.NO_CREDIT: "Không đủ credit",
    Fault.NO_MODEL: "modal_key: secret of an upstream",
    Fault.REFUSED: "Content does not meet safety guidelines: secret of an upstream",
}
UNKNOWN_TASK = "id"
STATES = {
    Phase.QUEUED: "QUEUED",
    Phase.RUNNING: "PROCESSING",
    Phase.STRANGE: "PONDERING",
    Phase.FAILED: "FAIL",
    Phase.REFUSED: "FAIL",
    Phase.DONE: "SUCCESS",
}
FAILURES = {Phase.FAILED: "secret of an upstream", Phase.REFUSED: DETAILS[Fault.REFUSED]}
# What each modal of the page needs. Its list is behind the key, so there may be others.
NEEDS = {
    "img2vid_*": ("prompt", "image_url"),
    "motion_*": ("image_url", "video_url"),
    "seedance_*": ("prompt", "image_url"),
    "ai_wardrobe": ("image_url", "clothes_image_url"),
    "enhance_image": ("image_url",),
    "enhance_video": ("video_url",),
}
PICTURES = ("ai_wardrobe", "enhance_image")
WORDLESS = ("ai_wardrobe", "enhance_*")
VALUES: dict[str, set[Any]] = {
    "wardrobe_replace": {"upper", "lower", "dress", "coat", "jumpsuit", "full"},
    "motion_orientation": {"video", "image"},
    "ratio": {"adaptive", "1:1", "3:4", "4:3", "9:16", "16:9", "21:9"},
    "enhance_4k": {True, False},
}
LINKS = ("image_url", "video_url", "clothes_image_url")
FIELDS = {"modal_key", "option_key", "prompt", *LINKS, *VALUES}
CREDIT, BALANCE = 72, 1_234


@dataclass(slots=True)
class XiaoYangEmulator(Emulator):
    """Answers under `/api/v1`."""

    name: str = "xiaoyang"
    base_path: str = "/api/v1"
    id_name: str = "task_id"

    def routes(self) -> list[Route]:
        """Return every call of the contract about tasks."""
        task = r"/tasks/([\w-]+)"
        return [
            Route("POST", r"/tasks", On.BEGIN, self._begin),
            Route("GET", task, On.READ, self._read),
            Route("GET", rf"{task}/download", On.FILE, self._download),
        ]

    def refusal(self, fault: Fault, why: str) -> Answer:
        """Refuse in XiaoYang's words."""
        if fault is Fault.NO_MODEL and why:
            return json_answer({"detail": "Task not found"}, status=404)
        status = 400 if fault is Fault.NO_MODEL else STATUSES[fault]
        detail = DETAILS.get(fault, f"secret of an upstream {why}")
        return json_answer({"detail": detail}, status=status)

    async def _begin(self, received: Received) -> Answer:
        _check(received.body)
        kind = "image" if received.body["modal_key"] in PICTURES else "video"
        job = self.new_job(received, kind=kind, prefix="xy")
        return json_answer({"ok": True, "task_id": job.id, "status": "QUEUED", "credits": BALANCE})

    async def _read(self, received: Received) -> Answer:
        job = self.known(received)
        phase = self.phase(job)
        link = None
        if phase is Phase.DONE and job.fault is not Fault.NO_URL:
            link = f"/api/v1/tasks/{job.id}/download"
        shown = {
            "ok": True,
            "task_id": job.id,
            "status": STATES[phase],
            "error_message": FAILURES.get(phase),
            "video_url": link if job.kind == "video" else None,
            "image_url": link if job.kind == "image" else None,
            "created_at": job.created_at // SECOND_MS,
            "credit": -CREDIT if job.fault is Fault.BAD_USAGE else CREDIT,
        }
        if job.fault is Fault.NO_USAGE:
            del shown["credit"]
        return json_answer(shown)

    async def _download(self, received: Received) -> Answer:
        job = self.known(received)
        if self.phase(job) is not Phase.DONE or not self.file_url(job):
            raise RefusedError(Fault.INVALID, "not finished")
        return self._file(_file_name(job))


def _file_name(job: Job) -> str:
    return f"{job.id}.{'mp4' if job.kind == 'video' else 'png'}"


def _check(body: dict[str, Any]) -> None:
    modal = body.get("modal_key")
    if not isinstance(modal, str) or not isinstance(body.get("option_key"), str):
        raise RefusedError(Fault.INVALID, "modal_key, option_key")
    if body.keys() - FIELDS:
        raise RefusedError(Fault.INVALID, "unknown field")
    needed = next((needs for name, needs in NEEDS.items() if fnmatchcase(modal, name)), ())
    wordless = any(fnmatchcase(modal, name) for name in WORDLESS)
    if any(not body.get(name) for name in needed) or (wordless and "prompt" in body):
        raise RefusedError(Fault.INVALID, "inputs")
    for name in LINKS:
        if not str(body.get(name, "https://")).startswith(("http://", "https://")):
            raise RefusedError(Fault.INVALID, f"E_DIRECT_MEDIA_URL {name}")
    for name, values in VALUES.items():
        if name in body and body[name] not in values:
            raise RefusedError(Fault.INVALID, name)
