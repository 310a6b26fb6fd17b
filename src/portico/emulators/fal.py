"""fal's queue, after its pages on the queue, webhooks, model errors and request errors.

It has a few apps with the inputs of their pages, and refuses whatever those would.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from portico.emulators.emulator import Emulator, Job, Phase, Received, RefusedError, Route
from portico.emulators.faults import Fault, On
from portico.emulators.wire import Answer, json_answer

# HTTP status, and the type of the error, of each refusal.
REFUSALS = {
    Fault.INVALID: (422, "missing"),
    Fault.REFUSED: (422, "content_policy_violation"),
    Fault.BAD_KEY: (401, ""),
    Fault.NO_CREDIT: (403, ""),
    Fault.NO_MODEL: (404, ""),
    Fault.RATE_LIMITED: (429, "concurrent_requests_limit"),
    Fault.RATE_LIMITED_PLAIN: (429, "concurrent_requests_limit"),
    Fault.BUSY: (503, "runner_scheduling_failure"),
    Fault.BROKEN_BEFORE: (500, "internal_error"),
    Fault.BROKEN_AFTER: (500, "internal_error"),
}
TYPED = {Fault.INVALID, Fault.REFUSED}
STATES = {Phase.QUEUED: "IN_QUEUE", Phase.RUNNING: "IN_PROGRESS", Phase.STRANGE: "PONDERING"}
UNFINISHED = frozenset(STATES)
STOPPED = {"error": "Request was cancelled", "error_type": "client_cancelled"}
FAILED = {"error": "secret of an upstream", "error_type": "runner_server_error"}
ADDRESSES = ("https://", "http://", "data:")
INFERENCE_S = 41.5

Wanted = type | frozenset[str]
_RATIOS = frozenset({"auto", "21:9", "16:9", "4:3", "1:1", "3:4", "9:16"})
_VIDEO: dict[str, Wanted] = {
    "prompt": str,
    "aspect_ratio": _RATIOS,
    "resolution": frozenset({"480p", "720p", "1080p"}),
    "duration": frozenset({"auto", *map(str, range(4, 16))}),
    "seed": int,
    "generate_audio": bool,
}
_FRAMES: dict[str, Wanted] = {"image_url": str, "end_image_url": str}
_REFERENCES: dict[str, Wanted] = {"image_urls": list, "video_urls": list, "audio_urls": list}
_SIZES = frozenset(
    {
        "square_hd",
        "square",
        "portrait_4_3",
        "portrait_16_9",
        "landscape_4_3",
        "landscape_16_9",
        "auto_2K",
        "auto_4K",
    }
)
_IMAGE: dict[str, Wanted] = {
    "prompt": str,
    "image_size": _SIZES,  # or an object with width and height
    "num_images": int,
    "seed": int,
}
_SEEDREAM = "fal-ai/bytedance/seedream/v4.5"
# what each endpoint takes, and what it must be given
APPS: dict[str, tuple[dict[str, Wanted], tuple[str, ...]]] = {
    "bytedance/seedance-2.0/text-to-video": (_VIDEO, ("prompt",)),
    "bytedance/seedance-2.0/image-to-video": (_VIDEO | _FRAMES, ("prompt", "image_url")),
    "bytedance/seedance-2.0/reference-to-video": (_VIDEO | _REFERENCES, ("prompt",)),
    f"{_SEEDREAM}/text-to-image": (_IMAGE, ("prompt",)),
    f"{_SEEDREAM}/edit": (_IMAGE | {"image_urls": list}, ("prompt", "image_urls")),
}
_REQUEST = r"/([\w.-]+/[\w.-]+)/requests/([\w-]+)"


@dataclass(slots=True)
class FalEmulator(Emulator):
    """Answers at the root, as the queue's own host does."""

    name: str = "fal"
    id_name: str = "request_id"
    key_word: str = "Key"
    apps: dict[str, str] = field(default_factory=dict)  # of each job

    def routes(self) -> list[Route]:
        """Return every call of the contract."""
        return [
            Route("GET", f"{_REQUEST}/status", On.READ, self._status),
            Route("PUT", f"{_REQUEST}/cancel", On.STOP, self._stop),
            Route("GET", _REQUEST, On.READ, self._result),
            Route("POST", r"/((?:[\w.-]+/)+[\w.-]+)", On.BEGIN, self._begin),
        ]

    def refusal(self, fault: Fault, why: str) -> Answer:
        """Refuse in fal's words: a list of errors from a model, a text from the queue."""
        status, kind = REFUSALS[fault]
        if fault in TYPED:
            problem = {"loc": ["body", why], "msg": "secret of an upstream", "type": kind}
            return json_answer({"detail": [problem]}, status=status)
        told = {"error_type": kind} if kind else {}
        headers = {"x-fal-error-type": kind} if kind else {}
        locked = "User is locked. Reason: Exhausted balance." if fault is Fault.NO_CREDIT else why
        body = {"detail": f"secret of an upstream {locked}"} | told
        return json_answer(body, status=status, headers=headers)

    async def _begin(self, received: Received) -> Answer:
        endpoint = received.names[0]
        _check(endpoint, received.body)
        job = self.new_job(received, kind="image" if "seedream" in endpoint else "video", prefix="")
        app = self.apps[job.id] = "/".join(endpoint.split("/")[:2])
        asked = dict(received.request.query)
        if url := asked.get("fal_webhook"):
            self.send_callback(url, job, lambda: self._told(job))
        base = f"{self.base_url}/{app}/requests/{job.id}"
        answer = {
            "status": "IN_QUEUE",
            "request_id": job.id,
            "response_url": base,
            "status_url": f"{base}/status",
            "cancel_url": f"{base}/cancel",
            "queue_position": 0,
        }
        return json_answer(answer)

    async def _status(self, received: Received) -> Answer:
        job = self._of_app(received)
        phase = self.phase(job)
        shown: dict[str, Any] = {"request_id": job.id, "status": STATES.get(phase, "COMPLETED")}
        if phase is Phase.QUEUED:
            shown["queue_position"] = 0
        if phase is Phase.STOPPED:
            shown |= STOPPED
        if phase is Phase.FAILED:
            shown |= FAILED
        if phase is Phase.DONE and job.fault is not Fault.NO_USAGE:
            measured = -INFERENCE_S if job.fault is Fault.BAD_USAGE else INFERENCE_S
            shown |= {"logs": None, "metrics": {"inference_time": measured}}
        return json_answer(shown)

    async def _result(self, received: Received) -> Answer:
        job = self._of_app(received)
        phase = self.phase(job)
        if phase in UNFINISHED:
            return json_answer({"detail": "Request is still in progress"}, status=400)
        if phase is Phase.REFUSED:
            raise RefusedError(Fault.REFUSED, "prompt")
        if phase is not Phase.DONE:
            told = STOPPED if phase is Phase.STOPPED else FAILED
            return json_answer(
                {"detail": told["error"], "error_type": told["error_type"]}, status=500
            )
        return json_answer(self._made(job))

    async def _stop(self, received: Received) -> Answer:
        job = self._of_app(received)
        if self.phase(job) not in UNFINISHED:
            return json_answer({"status": "ALREADY_COMPLETED"}, status=400)
        job.is_stopped = True
        return json_answer({"status": "CANCELLATION_REQUESTED"}, status=202)

    def _of_app(self, received: Received) -> Job:
        """Return the job, which only its own app knows."""
        app, job_id = received.names
        job = self.known(dataclasses.replace(received, names=(job_id,)))
        if self.apps.get(job_id, app) != app:
            raise RefusedError(Fault.NO_MODEL, "id")
        return job

    def _made(self, job: Job) -> dict[str, Any]:
        url = self.file_url(job)
        if job.kind == "image":
            pictures = [{"url": url, "content_type": "image/png"}]
            return {"images": pictures, "seed": job.body.get("seed", 7)}
        return {"video": {"url": url, "content_type": "video/mp4"}, "seed": 7}

    def _told(self, job: Job) -> dict[str, Any]:
        phase = self.phase(job)
        told = {"request_id": job.id, "gateway_request_id": job.id}
        if phase is Phase.DONE:
            return told | {"status": "OK", "payload": self._made(job)}
        return told | {"status": "ERROR", "error": "secret of an upstream", "payload": None}


def _check(endpoint: str, body: dict[str, Any]) -> None:
    """Refuse what the endpoint's page refuses."""
    if endpoint not in APPS:
        raise RefusedError(Fault.NO_MODEL, "app")
    fields, required = APPS[endpoint]
    for name in required:
        if not body.get(name):
            raise RefusedError(Fault.INVALID, name)
    for name, value in body.items():
        if name not in fields or not _fits(fields[name], value):
            raise RefusedError(Fault.INVALID, name)
        if name.endswith(("_url", "_urls")):
            _check_addresses(name, value)


def _fits(wanted: Wanted, value: object) -> bool:
    if isinstance(wanted, frozenset):
        is_size = wanted is _SIZES and isinstance(value, dict) and set(value) == {"width", "height"}
        return is_size or (isinstance(value, str) and value in wanted)
    return isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))


def _check_addresses(name: str, value: Any) -> None:
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, str) or not each.startswith(ADDRESSES):
            raise RefusedError(Fault.INVALID, name)
