"""Replicate, after its pages on predictions, files, webhooks and errors.

It has a few models with the inputs of their pages, and refuses whatever those would.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from portico.core.clock import SECOND_MS
from portico.emulators.emulator import Emulator, Job, Phase, Received, RefusedError, Route
from portico.emulators.faults import Fault, On
from portico.emulators.wire import Answer, json_answer

# HTTP status and title of each refusal.
REFUSALS = {
    Fault.INVALID: (422, "Input validation failed"),
    Fault.REFUSED: (422, "Input validation failed"),
    Fault.BAD_KEY: (401, "Unauthenticated"),
    Fault.NO_CREDIT: (402, "Insufficient credit"),
    Fault.NO_MODEL: (404, "Not found"),
    Fault.RATE_LIMITED: (429, "Too many requests"),
    Fault.RATE_LIMITED_PLAIN: (429, "Too many requests"),
    Fault.BUSY: (503, "Service unavailable"),
    Fault.BROKEN_BEFORE: (500, "Internal server error"),
    Fault.BROKEN_AFTER: (500, "Internal server error"),
}
SENSITIVE = "The input or output was flagged as sensitive. Please try again. (E005)"
DETAILS = {Fault.REFUSED: SENSITIVE, Fault.RATE_LIMITED: "Request was throttled."}
STATES = {
    Phase.QUEUED: "starting",
    Phase.RUNNING: "processing",
    Phase.STRANGE: "pondering",
    Phase.STOPPED: "canceled",
    Phase.FAILED: "failed",
    Phase.REFUSED: "failed",
    Phase.DONE: "succeeded",
}
ERRORS = {Phase.FAILED: "secret of an upstream", Phase.REFUSED: SENSITIVE}
UNFINISHED = frozenset({Phase.QUEUED, Phase.RUNNING, Phase.STRANGE})
EVENTS = {"start", "output", "logs", "completed"}
FIELDS = {
    "input": dict,
    "version": str,
    "webhook": str,
    "webhook_events_filter": list,
    "stream": bool,
}
VERSION = "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa"
PREDICT_S = 41.5
FILE_BYTES_MAX = 100 * 2**20
DATA_CHARS_MAX = 350_000  # of 256 kB, in base64
PAGE_ITEMS = 100
ADDRESSES = ("https://", "http://")

Wanted = type | frozenset[str]
_RATIOS = frozenset({"16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "9:21"})
_SEEDANCE: dict[str, Wanted] = {
    "prompt": str,
    "image": str,
    "last_frame_image": str,
    "reference_images": list,
    "duration": int,
    "resolution": frozenset({"480p", "720p", "1080p"}),
    "aspect_ratio": _RATIOS,
    "fps": int,
    "camera_fixed": bool,
    "seed": int,
}
_SEEDREAM: dict[str, Wanted] = {
    "prompt": str,
    "image_input": list,
    "size": frozenset({"2K", "4K", "custom"}),
    "aspect_ratio": _RATIOS | {"match_input_image", "3:2", "2:3"},
    "width": int,
    "height": int,
    "sequential_image_generation": frozenset({"disabled", "auto"}),
    "max_images": int,
}
# the official models; any other takes whatever it is given, as a model of somebody may
MODELS = {"bytedance/seedance-1-pro": _SEEDANCE, "bytedance/seedream-4.5": _SEEDREAM}
FILES = {"image", "last_frame_image", "reference_images", "image_input"}


@dataclass(slots=True)
class ReplicateEmulator(Emulator):
    """Answers under `/v1`."""

    name: str = "replicate"
    base_path: str = "/v1"
    models: dict[str, str] = field(default_factory=dict)  # of each job
    files: dict[str, int] = field(default_factory=dict)  # sizes

    def routes(self) -> list[Route]:
        """Return every call of the contract."""
        owned = r"([\w.-]+/[\w.-]+)"
        return [
            Route("POST", rf"/models/{owned}/predictions", On.BEGIN, self._of_model),
            Route("POST", rf"/deployments/{owned}/predictions", On.BEGIN, self._of_model),
            Route("POST", r"/predictions", On.BEGIN, self._of_version),
            Route("GET", r"/predictions", On.LIST, self._list),
            Route("GET", r"/predictions/([\w-]+)", On.READ, self._read),
            Route("POST", r"/predictions/([\w-]+)/cancel", On.STOP, self._stop),
            Route("POST", r"/files", On.FILE, self._file_in),
        ]

    def refusal(self, fault: Fault, why: str) -> Answer:
        """Refuse as RFC 7807 has it."""
        status, title = REFUSALS[fault]
        detail = DETAILS.get(fault, f"secret of an upstream {why}")
        told: dict[str, Any] = {"title": title, "detail": detail, "status": status}
        if fault is Fault.INVALID:
            told["invalid_fields"] = [{"field": why, "description": "secret of an upstream"}]
        return json_answer(
            told, status=status, headers={"content-type": "application/problem+json"}
        )

    async def _of_model(self, received: Received) -> Answer:
        if "version" in received.body:
            raise RefusedError(Fault.INVALID, "version")
        return self._begin(received, received.names[0])

    async def _of_version(self, received: Received) -> Answer:
        version = str(received.body.get("version", "")).rpartition(":")[2]
        if len(version) != len(VERSION) or not set(version) <= set("0123456789abcdef"):
            raise RefusedError(Fault.INVALID, "version")
        return self._begin(received, "somebody/something")

    def _begin(self, received: Received, model: str) -> Answer:
        body = received.body
        _check_request(body)
        _check_input(MODELS.get(model), body["input"])
        job = self.new_job(received, kind="image" if "seedream" in model else "video", prefix="p")
        self.models[job.id] = model
        if url := body.get("webhook"):
            self.send_callback(url, job, lambda: self._shown(job))
        return json_answer(self._shown(job), status=201)

    async def _read(self, received: Received) -> Answer:
        return json_answer(self._shown(self.known(received)))

    async def _list(self, received: Received) -> Answer:
        after = int(dict(received.request.query).get("cursor", "0"))
        jobs = list(reversed(self.jobs.values()))
        page = [self._shown(job) for job in jobs[after : after + PAGE_ITEMS]]
        is_last = after + PAGE_ITEMS >= len(jobs)
        following = f"{self.base_url}/predictions?cursor={after + PAGE_ITEMS}"
        return json_answer(
            {"previous": None, "next": None if is_last else following, "results": page}
        )

    async def _stop(self, received: Received) -> Answer:
        job = self.known(received)
        if self.phase(job) in UNFINISHED:
            job.is_stopped = True
        return json_answer(self._shown(job))

    async def _file_in(self, received: Received) -> Answer:
        content = received.body.get("content")
        if not isinstance(content, bytes) or len(content) > FILE_BYTES_MAX:
            raise RefusedError(Fault.INVALID, "content")
        file_id = f"f{len(self.files) + 1}"
        self.files[file_id] = len(content)
        address = f"{self.base_url}/files/{file_id}"
        answer = {
            "id": file_id,
            "name": "file",
            "content_type": "application/octet-stream",
            "size": len(content),
            "etag": file_id,
            "checksums": {},
            "metadata": {},
            "created_at": _time(self.clock.now()),
            "expires_at": None,
            "urls": {"get": address},
        }
        return json_answer(answer, status=201)

    def _shown(self, job: Job) -> dict[str, Any]:
        phase = self.phase(job)
        address = f"{self.base_url}/predictions/{job.id}"
        shown: dict[str, Any] = {
            "id": job.id,
            "model": self.models.get(job.id, "somebody/something"),
            "version": VERSION,
            "input": job.body.get("input", {}),
            "output": None,
            "status": STATES[phase],
            "error": ERRORS.get(phase),
            "logs": "",
            "created_at": _time(job.created_at),
            "started_at": None if phase is Phase.QUEUED else _time(job.created_at),
            "completed_at": None if phase in UNFINISHED else _time(job.due_at),
            "data_removed": False,
            "urls": {"get": address, "cancel": f"{address}/cancel"},
        }
        if phase is Phase.DONE:
            url = self.file_url(job)
            shown["output"] = [url] if job.kind == "image" and url else url
            measured = -PREDICT_S if job.fault is Fault.BAD_USAGE else PREDICT_S
            if job.fault is not Fault.NO_USAGE:
                shown["metrics"] = {"predict_time": measured, "total_time": measured}
        return shown


def _time(instant: int) -> str:
    stamp = datetime.fromtimestamp(instant / SECOND_MS, UTC)
    return stamp.isoformat().replace("+00:00", "Z")


def _check_request(body: dict[str, Any]) -> None:
    for name, value in body.items():
        if name not in FIELDS or not isinstance(value, FIELDS[name]):
            raise RefusedError(Fault.INVALID, name)
    if "input" not in body or not set(body.get("webhook_events_filter", ())) <= EVENTS:
        raise RefusedError(Fault.INVALID, "input")


def _check_input(fields: dict[str, Wanted] | None, given: dict[str, Any]) -> None:
    """Refuse what a model's schema refuses."""
    if fields is None:
        return
    if not isinstance(given.get("prompt"), str):
        raise RefusedError(Fault.INVALID, "prompt")
    for name, value in given.items():
        if name not in fields or not _fits(fields[name], value):
            raise RefusedError(Fault.INVALID, name)
        if name in FILES and not all(map(_is_file, value if isinstance(value, list) else [value])):
            raise RefusedError(Fault.INVALID, name)


def _fits(wanted: Wanted, value: object) -> bool:
    if isinstance(wanted, frozenset):
        return isinstance(value, str) and value in wanted
    return isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))


def _is_file(value: object) -> bool:
    if not isinstance(value, str):
        return False
    inside = value.startswith("data:") and len(value) <= DATA_CHARS_MAX
    return inside or value.startswith(ADDRESSES)
