"""WaveSpeed v3, after its pages on predictions, uploads, webhooks and error codes."""

import hashlib
import hmac
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from portico.core.clock import SECOND_MS
from portico.emulators.emulator import Emulator, Job, Phase, Received, RefusedError, Route
from portico.emulators.faults import Fault, On
from portico.emulators.wire import Answer, json_answer

# HTTP status and, where the page has one, the code inside `data`.
REFUSALS: dict[Fault, tuple[int, int | None]] = {
    Fault.INVALID: (400, 1401),
    Fault.REFUSED: (400, 1200),
    Fault.BAD_KEY: (401, None),
    Fault.NO_CREDIT: (402, None),
    Fault.NO_MODEL: (404, None),
    Fault.RATE_LIMITED: (429, None),
    Fault.RATE_LIMITED_PLAIN: (429, None),
    Fault.BUSY: (503, 5003),
    Fault.BROKEN_BEFORE: (500, 5000),
    Fault.BROKEN_AFTER: (500, 5000),
}
STATES = {
    Phase.QUEUED: "created",
    Phase.RUNNING: "processing",
    Phase.STRANGE: "pondering",
    Phase.STOPPED: "cancelled",
    Phase.FAILED: "failed",
    Phase.REFUSED: "failed",
    Phase.DONE: "completed",
}
FAILURES = {Phase.FAILED: 1405, Phase.REFUSED: 1200}
FIELDS: dict[str, type] = {
    "prompt": str,
    "negative_prompt": str,
    "aspect_ratio": str,
    "duration": int,
    "resolution": str,
    "size": str,
    "seed": int,
    "image": str,
    "last_image": str,
    "video": str,
    "audio": str,
    "images": list,
    "reference_images": list,
    "reference_videos": list,
    "reference_audios": list,
    "generate_audio": bool,
    "enable_audio": bool,
    "camera_fixed": bool,
    "enable_prompt_expansion": bool,
    "enable_web_search": bool,
    "enable_sync_mode": bool,
    "enable_base64_output": bool,
}
FILES = {"image", "last_image", "video", "audio"}
# What a model of a kind cannot do without, by its name.
REQUIRED = {
    "text-to-": ("prompt",),
    "image-to-video": ("image",),
    "reference-to-video": ("reference_images",),
    "edit": ("prompt", "images"),
}
VIDEO = "-to-video"  # in the name of every model that makes one
UPLOAD_BYTES_MAX = 200 * 2**20
SECRET = "whsec_abcdef0123456789"  # noqa: S105 - of nobody


@dataclass(slots=True)
class WaveSpeedEmulator(Emulator):
    """Answers under `/api/v3`; a model's name is the path of its submits."""

    name: str = "wavespeed"
    base_path: str = "/api/v3"
    uploads: dict[str, int] = field(default_factory=dict)  # names to bytes, once they came
    _uploading: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def routes(self) -> list[Route]:
        """Return every call of the contract."""
        model = r"/([\w.-]+(?:/[\w.-]+)*)"
        return [
            Route("POST", r"/media/uploads", On.FILE, self._ticket),
            Route("PUT", r"/media/signed/([\w.-]+)", On.FILE, self._put, needs_key=False),
            Route("POST", r"/media/upload/binary", On.FILE, self._upload),
            Route("GET", r"/predictions/([\w-]+)(?:/result)?", On.READ, self._read),
            Route("GET", r"/balance", On.LIST, self._balance),
            Route("GET", r"/webhook/secret", On.LIST, self._secret),
            Route("POST", model, On.BEGIN, self._begin),
        ]

    def refusal(self, fault: Fault, why: str) -> Answer:
        """Refuse in WaveSpeed's words."""
        status, code = REFUSALS[fault]
        error: dict[str, Any] = {"code": status, "message": f"secret of an upstream {why}"}
        if code is not None:
            error["data"] = {"code": code}
        return json_answer(error, status=status)

    async def _begin(self, received: Received) -> Answer:
        model, body = received.names[0], received.body
        _check(model, body)
        job = self.new_job(received, kind="video" if VIDEO in model else "image", prefix="w")
        job.body = {**body, "model": model}
        if url := dict(received.request.query).get("webhook"):
            self.send_callback(url, job, lambda: self._shown(job), self._signed)
        return _enveloped(self._shown(job))

    async def _read(self, received: Received) -> Answer:
        return _enveloped(self._shown(self.known(received)))

    async def _ticket(self, received: Received) -> Answer:
        body = received.body
        name, size = body.get("filename"), body.get("size")
        if not isinstance(name, str) or not isinstance(size, int) or size > UPLOAD_BYTES_MAX:
            raise RefusedError(Fault.INVALID, "filename")
        stored = f"u{next(self._uploading)}.{name.rpartition('.')[2]}"
        url = f"{self.base_url}/media/signed/{stored}"
        upload = {"method": "PUT", "url": url, "headers": {"Content-Type": "image/png"}}
        return _enveloped({"download_url": self._address(stored), "upload": upload})

    async def _put(self, received: Received) -> Answer:
        self.uploads[received.names[0]] = len(received.request.body)
        return Answer()

    async def _upload(self, received: Received) -> Answer:
        content = received.body.get("file")
        if not isinstance(content, bytes) or len(content) > UPLOAD_BYTES_MAX:
            raise RefusedError(Fault.INVALID, "file")
        stored = f"u{next(self._uploading)}.bin"
        self.uploads[stored] = len(content)
        shown = {"type": "image", "filename": stored, "size": len(content)}
        return _enveloped(shown | {"download_url": self._address(stored)})

    async def _balance(self, _received: Received) -> Answer:
        return _enveloped({"balance": 50.25})

    async def _secret(self, _received: Received) -> Answer:
        return _enveloped({"secret": SECRET})

    def _address(self, name: str) -> str:
        return f"http://{self.address}/_files/{name}"

    def _shown(self, job: Job) -> dict[str, Any]:
        phase = self.phase(job)
        is_done = phase is Phase.DONE
        url = self.file_url(job) if is_done else None
        created = datetime.fromtimestamp(job.created_at / SECOND_MS, UTC).isoformat()
        shown: dict[str, Any] = {
            "id": job.id,
            "model": job.body["model"],
            "outputs": [url] if url else [],
            "urls": {"get": f"{self.base_url}/predictions/{job.id}/result"},
            "has_nsfw_contents": [False] if is_done else [],
            "status": STATES[phase],
            "created_at": created.replace("+00:00", "Z"),
            "error": "",
            "timings": {"inference": 2_500 if is_done else 0},
        }
        if phase in FAILURES:
            shown |= {"error": "secret of an upstream", "code": FAILURES[phase]}
        return shown

    def _signed(self, _url: str, body: bytes) -> dict[str, str]:
        number = str(len(self.jobs))
        return signed(body, webhook_id=f"msg_{number}", timestamp=self.clock.now() // SECOND_MS)


def signed(body: bytes, *, webhook_id: str, timestamp: int, secret: str = SECRET) -> dict[str, str]:
    """Return the headers of a webhook; `timestamp` in seconds.

    Nearly Standard Webhooks: but the secret is no base64, the signature is hex, the version v3.
    """
    text = f"{webhook_id}.{timestamp}.".encode() + body
    digest = hmac.digest(secret.removeprefix("whsec_").encode(), text, hashlib.sha256)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v3,{digest.hex()}",
    }


def _enveloped(data: dict[str, Any]) -> Answer:
    return json_answer({"code": 200, "message": "success", "data": data})


def _check(model: str, body: dict[str, Any]) -> None:
    """Refuse what the page of a model of this kind refuses."""
    task = model.rpartition("/")[2]
    for start, names in REQUIRED.items():
        if task.startswith(start) and not all(body.get(name) for name in names):
            raise RefusedError(Fault.INVALID, names[0])
    for name, value in body.items():
        if type(value) is not FIELDS.get(name):
            raise RefusedError(Fault.INVALID, name)
        if not all(_is_address(each) for each in _files(name, value)):
            raise RefusedError(Fault.INVALID, name)
    if task.startswith("text-to-") and FILES & set(body):
        raise RefusedError(Fault.INVALID, "image")


def _files(name: str, value: Any) -> list[Any]:
    if FIELDS[name] is list:
        return list(value)
    return [value] if name in FILES else []


def _is_address(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))
