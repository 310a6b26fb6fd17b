"""Yuanjing, after its page "Yuanjing Platform API"."""

from dataclasses import dataclass, replace
from typing import Any

from portico.emulators.chat import answer_text
from portico.emulators.emulator import (
    STATUSES,
    Emulator,
    Phase,
    Received,
    RefusedError,
    Route,
)
from portico.emulators.faults import Fault, On
from portico.emulators.wire import Answer, json_answer

# The page's own: an empty account is a 429.
STATUS = STATUSES | {Fault.NO_CREDIT: 429}
ERRORS = {
    Fault.BAD_KEY: "Invalid API Key",
    Fault.NO_CREDIT: "Insufficient balance",
    Fault.REFUSED: "Content does not meet safety guidelines: secret of an upstream",
}
STATES = {
    Phase.QUEUED: "PENDING",
    Phase.RUNNING: "RUNNING",
    Phase.STRANGE: "PONDERING",
    Phase.FAILED: "FAILED",
    Phase.REFUSED: "FAILED",
    Phase.DONE: "SUCCEEDED",
}
FAILURES = {Phase.FAILED: "secret of an upstream", Phase.REFUSED: ERRORS[Fault.REFUSED]}
_BOTH, _FIRST, _REFERENCES = 2, 1, -1
# llmid -> the models it stands for, and how many frames go with it.
LLMIDS: dict[str, tuple[set[str], int]] = {
    "o5vfXYD5BURJWRTWpopE5": ({"happyhorse-1.0-t2v"}, _FIRST),  # with a picture in an example
    "YjjGgxO_Xma8PWsMjJvps": (
        {"doubao-seedance-2-0-260128", "doubao-seedance-2-0-fast-260128"},
        0,
    ),
    "TWay-xd0p0pkEX-_Kuhto": (
        {"dreamina-seedance-2-0-260128", "dreamina-seedance-2-0-fast-260128"},
        0,
    ),
    "CrEMkFQfRCmbmopZsCqLj": ({"doubao-seedance-1-5-pro-251215"}, _BOTH),
    "u9HZyfDoqU6uKI6M1BTks": ({"wan2.6-t2v"}, 0),
    "r0ill7L0s6PtBS8mkmg-7": ({"viduq3-pro"}, 0),
    "7y7kfYM0Xasizyi37WvAZ": ({"happyhorse-1.0-i2v"}, _FIRST),
    "UeYax4591ytnPcr9eumry": (
        {"doubao-seedance-2-0-260128", "doubao-seedance-2-0-fast-260128"},
        _BOTH,
    ),
    "tb0VSY6WeyGbzaolU1_qE": (
        {"dreamina-seedance-2-0-260128", "dreamina-seedance-2-0-fast-260128"},
        _BOTH,
    ),
    "7RTOJD6K8A7RXCMG4GnQ9": ({"doubao-seedance-1-5-pro-251215"}, _BOTH),
    "FK_h7FLYnosv2TkMN4ATC": ({"viduq3-pro", "viduq2-turbo"}, _BOTH),
    "x4HksKp9mXR1Yv60mw6Py": ({"wan2.6-r2v"}, _BOTH),
    "6o9n_7u2K927hNlD8_72f": ({"happyhorse-1.0-r2v"}, _REFERENCES),
    "dmPXF65TD1riKj9KaxLmg": (
        {"doubao-seedance-2-0-260128", "doubao-seedance-2-0-fast-260128"},
        _REFERENCES,
    ),
    "nVbH7lEO51soqTbLGIHE_": (
        {"dreamina-seedance-2-0-260128", "dreamina-seedance-2-0-fast-260128"},
        _REFERENCES,
    ),
}
CATALOGUE_IDS = {"t2v", "i2v", "r2v"}
FRAMES = {"image1_file", "image2_file", "image_file1", "image_file2"}
REFERENCES = {"image_files", "video_files", "audio_files"}
VALUES = {
    "resolution": {"480p", "540p", "720p", "1080p", "720P", "1080P"},
    "ratio": {"adaptive", "16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "9:21", "keep_ratio"},
    "off_peak": {"Y", "N"},
}
FIELDS = {
    "llmid",
    "model",
    "catelogid",
    "prompt",
    "negative_prompt",
    "size",
    "duration",
    "radio",
    *FRAMES,
    *REFERENCES,
    *VALUES,
}
CREDITS = 10


@dataclass(slots=True)
class YuanjingEmulator(Emulator):
    """Answers under `/llmage`; a base URL is the host alone."""

    name: str = "yuanjing"
    id_name: str = "taskid"

    def routes(self) -> list[Route]:
        """Return every call of the contract; its example reads a task by POST."""
        return [
            Route("POST", r"/llmage/video", On.BEGIN, self._begin),
            Route("GET", r"/llmage/tasks", On.READ, self._read),
            Route("POST", r"/llmage/tasks", On.READ, self._read),
            Route("POST", r"/llmage/v1/chat/completions", On.TEXT, self._text),
        ]

    def refusal(self, fault: Fault, why: str) -> Answer:
        """Refuse in Yuanjing's words."""
        error = ERRORS.get(fault, f"secret of an upstream {why}")
        if fault is Fault.INVALID:
            error = f"Missing required parameter: {why}"
        return json_answer({"error": error}, status=STATUS[fault])

    async def _begin(self, received: Received) -> Answer:
        _check(received.body)
        job = self.new_job(received, kind="video", prefix="")
        return json_answer({"taskid": job.id, "status": "created"})

    async def _read(self, received: Received) -> Answer:
        task_id = dict(received.request.query).get("taskid")
        if not task_id:
            raise RefusedError(Fault.INVALID, "taskid")
        job = self.known(replace(received, names=(task_id,)))
        phase = self.phase(job)
        shown: dict[str, Any] = {"status": STATES[phase], "taskid": job.id}
        if phase in FAILURES:
            shown["error"] = FAILURES[phase]
        if phase is Phase.DONE:
            seconds = -5 if job.fault is Fault.BAD_USAGE else int(job.body.get("duration", 5))
            usage = {"action": "t2v", "credits": CREDITS, "duration": seconds}
            shown |= {} if job.fault is Fault.NO_USAGE else {"usage": usage}
            shown |= {"image": "", "video": self.file_url(job)}
        return json_answer(shown)

    async def _text(self, received: Received) -> Answer:
        if not isinstance(received.body.get("prompt"), str):
            raise RefusedError(Fault.INVALID, "prompt")
        return answer_text(received)


def _check(body: dict[str, Any]) -> None:
    if body.keys() - FIELDS:
        raise RefusedError(Fault.INVALID, "unknown field")
    if not body.get("prompt") or not str(body.get("duration", "5")).isdigit():
        raise RefusedError(Fault.INVALID, "prompt")
    for name, values in VALUES.items():
        if name in body and body[name] not in values:
            raise RefusedError(Fault.INVALID, name)
    frames, references = body.keys() & FRAMES, body.keys() & REFERENCES
    if "llmid" not in body:
        if "model" not in body or body.get("catelogid") not in CATALOGUE_IDS:
            raise RefusedError(Fault.INVALID, "llmid")
        return
    models, frames_max = LLMIDS.get(body["llmid"], (set(), 0))
    if body.get("model", next(iter(models), None)) not in models:
        raise RefusedError(Fault.INVALID, "model")
    wants_references = frames_max == _REFERENCES
    if bool(references) is not wants_references or len(frames) > max(frames_max, 0):
        raise RefusedError(Fault.INVALID, "image_files" if wants_references else "image1_file")
