"""Vidu, after its pages on the five calls that make something, on tasks, callbacks and errors."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from portico.core.clock import SECOND_MS, Instant
from portico.emulators.emulator import Emulator, Job, Phase, Received, RefusedError, Route
from portico.emulators.faults import Fault, On
from portico.emulators.wire import Answer, json_answer

# HTTP status and reason of each refusal.
REFUSALS = {
    Fault.INVALID: (400, "FieldInvalid"),
    Fault.REFUSED: (400, "TaskPromptPolicyViolation"),
    Fault.BAD_KEY: (401, "Unauthorized"),
    Fault.NO_CREDIT: (400, "CreditInsufficient"),
    Fault.NO_MODEL: (400, "ModelUnavailable"),
    Fault.RATE_LIMITED: (429, "TooManyRequests"),
    Fault.RATE_LIMITED_PLAIN: (429, "QuotaExceeded"),
    Fault.BUSY: (429, "SystemThrottling"),
    Fault.BROKEN_BEFORE: (500, "InternalServiceFailure"),
    Fault.BROKEN_AFTER: (500, "InternalServiceFailure"),
}
MISSING = {"id": (404, "TaskNotFound"), "no such path": (404, "NotFound")}
STATES = {
    Phase.QUEUED: "queueing",
    Phase.RUNNING: "processing",
    Phase.STRANGE: "pondering",
    Phase.STOPPED: "failed",
    Phase.FAILED: "failed",
    Phase.REFUSED: "failed",
    Phase.DONE: "success",
}
FAILURES = {
    Phase.STOPPED: "UserCancelled",
    Phase.FAILED: "InternalServiceFailure",
    Phase.REFUSED: "CreationPolicyViolation",
}
EVERYWHERE = {
    "model": str,
    "prompt": str,
    "seed": int,
    "resolution": str,
    "payload": str,
    "callback_url": str,
    "watermark": bool,
    "wm_position": int,
    "wm_url": str,
    "meta_data": str,
}
MOVING = {
    "duration": int,
    "movement_amplitude": str,
    "audio": bool,
    "audio_type": str,
    "voice_id": str,
    "bgm": bool,
    "is_rec": bool,
    "off_peak": bool,
}
FIELDS: dict[str, dict[str, type]] = {
    "text2video": EVERYWHERE | MOVING | {"aspect_ratio": str, "style": str},
    "img2video": EVERYWHERE | MOVING | {"images": list},
    "start-end2video": EVERYWHERE | MOVING | {"images": list},
    "reference2video": EVERYWHERE
    | MOVING
    | {"images": list, "videos": list, "sounds": list, "subjects": list, "aspect_ratio": str},
    "reference2image": EVERYWHERE | {"images": list, "aspect_ratio": str},
}
MODELS = {
    "text2video": ("viduq3-turbo", "viduq3-pro", "viduq2", "viduq1"),
    "img2video": (
        *("viduq3-pro-fast", "viduq3-turbo", "viduq3-pro", "viduq2-pro-fast", "viduq2-pro"),
        *("viduq2-turbo", "viduq1", "viduq1-classic", "vidu2.0"),
    ),
    "start-end2video": (
        *("viduq3-turbo", "viduq3-pro", "viduq2-pro-fast", "viduq2-pro", "viduq2-turbo"),
        *("viduq1", "viduq1-classic", "vidu2.0"),
    ),
    "reference2video": (
        *("viduq3", "viduq3-turbo", "viduq3-mix", "viduq2-pro", "viduq2", "viduq1", "vidu2.0"),
    ),
    "reference2image": ("viduq2", "viduq1"),
}
IMAGES = {"img2video": range(1, 2), "start-end2video": range(2, 3), "reference2video": range(8)}
RATIOS = {"16:9", "9:16", "1:1", "3:4", "4:3"}
MORE_RATIOS = {
    "reference2video": {"auto"},
    "reference2image": {"auto", "21:9", "2:3", "3:2"},
}
RESOLUTIONS = {"540p", "720p", "1080p"}
PICTURE_RESOLUTIONS = {"1080p", "2K", "4K"}
DURATIONS = {  # by the start of a model's name, most special first
    "viduq3": range(1, 17),
    "viduq2-": range(1, 9),
    "viduq2": range(1, 11),
    "viduq1": (5,),
    "vidu2": (4, 8),
}
PROMPT_MAX, PAYLOAD_MAX, PAGE_MAX = 5_000, 1_048_576, 100
BODY_BYTES_MAX = 20 * 10**6
CREDITS_A_SECOND = {"540p": 14, "720p": 30, "1080p": 32}  # of Q3 from text
PICTURE_CREDITS = 10
ACCESS_KEY = "vidu"


@dataclass(slots=True)
class ViduEmulator(Emulator):
    """Answers under `/ent/v2`; signs callbacks with the key that a task was submitted under."""

    name: str = "vidu"
    base_path: str = "/ent/v2"
    key_word: str = "Token"
    id_name: str = "task_id"

    def routes(self) -> list[Route]:
        """Return every call of the contract."""
        begin = [Route("POST", f"/({call})", On.BEGIN, self._begin) for call in FIELDS]
        return [
            *begin,
            Route("GET", r"/tasks/([\w-]+)/creations", On.READ, self._read),
            Route("GET", r"/tasks", On.LIST, self._list),
            Route("POST", r"/tasks/([\w-]+)/cancel", On.STOP, self._stop),
            Route("GET", r"/credits", On.LIST, self._credits),
        ]

    def refusal(self, fault: Fault, why: str) -> Answer:
        """Refuse in Vidu's words."""
        status, reason = MISSING.get(why) or REFUSALS[fault]
        message = f"secret of an upstream {why}"
        error = {
            "code": status,
            "reason": reason,
            "message": message,
            "metadata": {"trace_id": "0"},
        }
        return json_answer(error, status=status)

    async def _begin(self, received: Received) -> Answer:
        call = received.names[0]
        if len(received.request.body) > BODY_BYTES_MAX:
            raise RefusedError(Fault.INVALID, "body")
        _check(call, received.body)
        is_picture = call == "reference2image"
        job = self.new_job(received, kind="image" if is_picture else "video", prefix="9")
        if url := job.body.get("callback_url"):
            key = received.request.headers["authorization"].removeprefix("Token ")
            self.send_callback(url, job, lambda: self._shown(job), partial(self._signed, key))
        taken = self._asked(job) | {"task_id": job.id, "type": call, "state": "created"}
        return json_answer(taken)

    async def _read(self, received: Received) -> Answer:
        return json_answer(self._shown(self.known(received)))

    async def _list(self, received: Received) -> Answer:
        asked = dict(received.request.query)
        ids = [value for name, value in received.request.query if name == "task_ids"]
        size, page = int(asked.get("pager.pagesz", "10")), int(asked.get("pager.page", "0"))
        if size > PAGE_MAX:
            raise RefusedError(Fault.INVALID, "pager.pagesz")
        since = _instant(asked.get("created_at.from"))
        tasks = [
            self._shown(job) | self._asked(job)
            for job in reversed(self.jobs.values())
            if job.created_at >= since and (not ids or job.id in ids)
        ]
        return json_answer({"next_page_token": "", "tasks": tasks[page * size :][:size]})

    async def _stop(self, received: Received) -> Answer:
        job = self.known(received)
        if received.body.get("id") != job.id:
            raise RefusedError(Fault.INVALID, "id of the body")
        phase = self.phase(job)
        if phase is not Phase.QUEUED and not (phase is Phase.RUNNING and job.body.get("off_peak")):
            raise RefusedError(Fault.INVALID, "state")
        job.is_stopped = True
        return json_answer({})

    async def _credits(self, _received: Received) -> Answer:
        running = sum(self.phase(job) is Phase.RUNNING for job in self.jobs.values())
        package = {"type": "metered", "credit_remain": 10_000, "concurrency_limit": 5}
        return json_answer({"remains": [package | {"current_concurrency": running}]})

    def _asked(self, job: Job) -> dict[str, Any]:
        """Return what a task was asked for, as its submit and the list show it."""
        defaults = {"duration": 5, "resolution": "720p", "payload": "", "off_peak": False}
        created = datetime.fromtimestamp(job.created_at / SECOND_MS, UTC).isoformat()
        shown = defaults | {"bgm": False, "seed": 0, "movement_amplitude": "auto"} | dict(job.body)
        return shown | {"created_at": created.replace("+00:00", "Z")} | self._counted(job)

    def _shown(self, job: Job) -> dict[str, Any]:
        phase = self.phase(job)
        shown: dict[str, Any] = {
            "id": job.id,
            "state": STATES[phase],
            "err_code": FAILURES.get(phase, ""),
            "payload": job.body.get("payload", ""),
            "bgm": job.body.get("bgm", False),
            "off_peak": job.body.get("off_peak", False),
            "creations": [],
        }
        if phase is Phase.DONE:
            shown |= self._counted(job)
            made: dict[str, Any] = {"id": f"c-{job.id}", "url": self.file_url(job)}
            if job.kind == "video":
                made["video"] = {"duration": job.body.get("duration", 5), "fps": 24}
            shown["creations"] = [made]
        return shown

    def _counted(self, job: Job) -> dict[str, int]:
        if job.fault is Fault.NO_USAGE:
            return {}
        cost = PICTURE_CREDITS
        if job.kind == "video":
            a_second = CREDITS_A_SECOND[job.body.get("resolution", "720p")]
            cost = a_second * job.body.get("duration", 5) // (2 if job.body.get("off_peak") else 1)
        return {"credits": -cost if job.fault is Fault.BAD_USAGE else cost}

    def _signed(self, key: str, url: str, _body: bytes) -> dict[str, str]:
        date = format_datetime(
            datetime.fromtimestamp(self.clock.now() // SECOND_MS, UTC), usegmt=True
        )
        return signed(url, key=key, date=date, more={"x-request-nonce": "n-1"})


def signed(url: str, *, key: str, date: str, more: dict[str, str]) -> dict[str, str]:
    """Return the headers of a callback: all but its body is signed, with the customer's key.

    Args:
        url: where it goes.
        key: Vidu's key of whoever submitted the task.
        date: as the header `Date` says it.
        more: further headers that are signed, in this order.
    """
    parts = urlsplit(url)
    pairs = sorted(parse_qsl(parts.query, keep_blank_values=True))
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    lines = ["POST", parts.path, query, ACCESS_KEY, date]
    lines += [f"{name}:{value}" for name, value in more.items()]
    text = "".join(f"{line}\n" for line in lines)
    digest = hmac.digest(key.encode(), text.encode(), hashlib.sha256)
    return {
        "Date": date,
        "X-HMAC-SIGNATURE": base64.b64encode(digest).decode(),
        "X-HMAC-ALGORITHM": "hmac-sha256",
        "X-HMAC-ACCESS-KEY": ACCESS_KEY,
        "X-HMAC-SIGNED-HEADERS": ";".join(more),
        **more,
    }


def _check(call: str, body: dict[str, Any]) -> None:
    """Refuse what the page of a call refuses."""
    for name, value in body.items():
        wanted = FIELDS[call].get(name)
        if wanted is None or type(value) is not wanted:
            raise RefusedError(Fault.INVALID, name)
    model, images = str(body.get("model", "")), body.get("images", [])
    if model.startswith("vidu") and model not in MODELS[call]:  # others are newer than the page
        raise RefusedError(Fault.NO_MODEL, "model")
    is_picture = call == "reference2image"
    resolutions = PICTURE_RESOLUTIONS if is_picture else RESOLUTIONS
    ratio = body.get("aspect_ratio", "16:9")
    durations = next((some for name, some in DURATIONS.items() if model.startswith(name)), None)
    needs_words = call in {"text2video", "reference2video", "reference2image"}
    wrong = {
        "model": not model,
        "prompt": needs_words and not body.get("prompt"),
        "prompt is too long": len(body.get("prompt", "")) > PROMPT_MAX,
        "payload": len(body.get("payload", "")) > PAYLOAD_MAX,
        "images": len(images) not in IMAGES.get(call, range(8)) or not all(map(_is_file, images)),
        "resolution": body.get("resolution", "1080p") not in resolutions,
        "aspect_ratio": ratio not in RATIOS | MORE_RATIOS.get(call, set()),
        "auto": ratio == "auto" and not images,
        "duration": durations is not None and body.get("duration", durations[0]) not in durations,
        "audio": "audio" in body and model.startswith(("viduq1", "vidu2")),
        "videos": "videos" in body and model.startswith("vidu") and model != "viduq2-pro",
        "nothing": call == "reference2video"
        and not any(body.get(name) for name in ("images", "videos", "subjects")),
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise RefusedError(Fault.INVALID, name)


def _is_file(value: object) -> bool:
    inside = ("http://", "https://", "data:image/")
    return isinstance(value, str) and value.startswith(inside)


def _instant(text: str | None) -> Instant:
    if text is None:
        return 0
    try:
        return round(datetime.fromisoformat(text).timestamp() * SECOND_MS)
    except ValueError:
        raise RefusedError(Fault.INVALID, "created_at.from") from None
