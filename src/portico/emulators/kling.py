"""Kling, after its pages on videos, pictures, virtual try-on, authentication and error codes."""

import base64
import binascii
import hmac
from dataclasses import dataclass, field
from typing import Any

import msgspec

from portico.core.clock import SECOND_MS, Clock, SystemClock
from portico.emulators.emulator import Emulator, Job, Phase, Received, RefusedError, Route
from portico.emulators.faults import Fault, On
from portico.emulators.wire import Answer, json_answer

# HTTP status and code of each refusal.
REFUSALS = {
    Fault.INVALID: (400, 1201),
    Fault.REFUSED: (400, 1301),
    Fault.BAD_KEY: (401, 1002),
    Fault.NO_CREDIT: (429, 1102),
    Fault.NO_MODEL: (404, 1203),
    Fault.RATE_LIMITED: (429, 1302),
    Fault.RATE_LIMITED_PLAIN: (429, 1303),
    Fault.BUSY: (503, 5001),
    Fault.BROKEN_BEFORE: (500, 5000),
    Fault.BROKEN_AFTER: (500, 5000),
}
STATES = {
    Phase.QUEUED: "submitted",
    Phase.RUNNING: "processing",
    Phase.STRANGE: "pondering",
    Phase.FAILED: "failed",
    Phase.REFUSED: "failed",
    Phase.DONE: "succeed",
}
REASONS = {
    Phase.FAILED: "secret of an upstream",
    Phase.REFUSED: "Failure to pass the risk control system, secret of an upstream",
}
_ALL = {"model_name": str, "callback_url": str, "external_task_id": str, "watermark_info": dict}
_VIDEO = {**_ALL, "prompt": str, "negative_prompt": str, "mode": str, "duration": str}
FIELDS: dict[str, dict[str, Any]] = {
    "videos/text2video": {
        **_VIDEO,
        "cfg_scale": (int, float),
        "sound": str,
        "voice_list": list,
        "camera_control": dict,
        "aspect_ratio": str,
    },
    "videos/image2video": {
        **_VIDEO,
        "cfg_scale": (int, float),
        "sound": str,
        "voice_list": list,
        "camera_control": dict,
        "image": str,
        "image_tail": str,
        "static_mask": str,
        "dynamic_masks": list,
    },
    "videos/multi-image2video": {**_VIDEO, "image_list": list, "aspect_ratio": str},
    "videos/motion-control": {
        **_ALL,
        "prompt": str,
        "image_url": str,
        "video_url": str,
        "keep_original_sound": str,
        "character_orientation": str,
        "mode": str,
    },
    "videos/omni-video": {
        **_ALL,
        "prompt": str,
        "image_list": list,
        "element_list": list,
        "video_list": list,
        "mode": str,
        "sound": str,
        "aspect_ratio": str,
        "duration": str,
    },
    "images/generations": {
        **_ALL,
        "prompt": str,
        "negative_prompt": str,
        "image": str,
        "image_reference": str,
        "image_fidelity": (int, float),
        "human_fidelity": (int, float),
        "resolution": str,
        "n": int,
        "aspect_ratio": str,
    },
    "images/kolors-virtual-try-on": {**_ALL, "human_image": str, "cloth_image": str},
}
REQUIRED = {
    "videos/text2video": ("prompt",),
    "videos/multi-image2video": ("image_list", "prompt"),
    "videos/motion-control": ("image_url", "video_url", "character_orientation", "mode"),
    "videos/omni-video": ("prompt",),
    "images/generations": ("prompt",),
    "images/kolors-virtual-try-on": ("human_image",),
}
_VIDEO_RATIOS = {"16:9", "9:16", "1:1"}
VALUES: dict[str, set[str]] = {
    "mode": {"std", "pro"},
    "sound": {"on", "off"},
    "keep_original_sound": {"yes", "no"},
    "character_orientation": {"image", "video"},
    "resolution": {"1k", "2k"},
    "image_reference": {"subject", "face"},
}
PICTURE_RATIOS = {*_VIDEO_RATIOS, "4:3", "3:4", "3:2", "2:3", "21:9"}
LENGTHS = {str(seconds) for seconds in range(3, 16)}
LENGTHS_BEFORE_V3 = {"5", "10"}
PICTURES = ("image", "image_tail", "image_url", "human_image", "cloth_image")
PROMPT_MAX = 2_500
REFERENCES_MAX, OMNI_MAX, OMNI_BESIDE_VIDEO_MAX = 4, 7, 4
LONGER_S = 0.1  # by which a file exceeds what was asked for


@dataclass(slots=True)
class KlingEmulator(Emulator):
    """Answers under `/v1`; its key may be `ACCESS_KEY:SECRET_KEY`, and then wants signed tokens.

    Args:
        calendar: tells whether a token is valid; the real time, as for every caller.
    """

    name: str = "kling"
    id_name: str = "task_id"
    calendar: Clock = field(default_factory=SystemClock)

    def routes(self) -> list[Route]:
        """Return every call of the contract."""
        kinds = "|".join(FIELDS)
        return [
            Route("POST", rf"/v1/({kinds})", On.BEGIN, self._begin),
            Route("GET", rf"/v1/({kinds})", On.LIST, self._list),
            Route("GET", rf"/v1/({kinds})/([\w-]+)", On.READ, self._read),
        ]

    def opens(self, token: str) -> bool:
        """Return whether a token is signed with the secret key, and is valid now."""
        access_key, colon, secret_key = self.key.partition(":")
        if not colon:
            return Emulator.opens(self, token)
        signed, _, signature = token.rpartition(".")
        right = hmac.digest(secret_key.encode(), signed.encode(), "sha256")
        first, _, second = signed.partition(".")
        head, claims = _decoded(first), _decoded(second)
        now_s = self.calendar.now() / SECOND_MS
        return (
            base64.urlsafe_b64encode(right).rstrip(b"=").decode() == signature
            and (head.get("alg"), head.get("typ")) == ("HS256", "JWT")
            and claims.get("iss") == access_key
            and claims.get("nbf", 0) <= now_s < claims.get("exp", 0)
        )

    def refusal(self, fault: Fault, why: str) -> Answer:
        """Refuse in Kling's words."""
        status, code = REFUSALS[fault]
        body = {"code": code, "message": f"secret of an upstream {why}", "request_id": "r-1"}
        return json_answer(body, status=status)

    async def _begin(self, received: Received) -> Answer:
        kind, body = received.names[0], received.body
        _check(kind, body)
        own = body.get("external_task_id")
        if own is not None and any(own == _own(job) for job in self.jobs.values()):
            raise RefusedError(Fault.INVALID, "external_task_id")
        what = "video" if kind.startswith("videos") else "image"
        job = self.new_job(received, kind=what, prefix="")
        job.body = {**job.body, "kind": kind}
        if url := body.get("callback_url"):
            self.send_callback(url, job, lambda: self._shown(job))
        return self._good(self._shown(job, is_new=True))

    async def _read(self, received: Received) -> Answer:
        kind, name = received.names
        for job in self.jobs.values():
            is_meant = name in {job.id, _own(job)} and job.body["kind"] == kind
            if is_meant and job.fault is not Fault.TASK_LOST:
                return self._good(self._shown(job))
        raise RefusedError(Fault.NO_MODEL, "id")

    async def _list(self, received: Received) -> Answer:
        asked = dict(received.request.query)
        size, page = int(asked.get("pageSize", "30")), int(asked.get("pageNum", "1"))
        jobs = [job for job in self.jobs.values() if job.body["kind"] == received.names[0]]
        return self._good([self._shown(job) for job in jobs[(page - 1) * size : page * size]])

    def _good(self, data: object) -> Answer:
        return json_answer({"code": 0, "message": "SUCCEED", "request_id": "r-1", "data": data})

    def _shown(self, job: Job, *, is_new: bool = False) -> dict[str, Any]:
        phase = Phase.QUEUED if is_new else self.phase(job)
        shown: dict[str, Any] = {
            "task_id": job.id,
            "task_status": STATES[phase],
            "task_info": {"external_task_id": _own(job)},
            "created_at": job.created_at,
            "updated_at": self.clock.now(),
        }
        if phase in REASONS:
            shown["task_status_msg"] = REASONS[phase]
        if phase is Phase.DONE:
            shown["task_result"] = self._result(job)
            shown["final_unit_deduction"] = "2"
        return shown

    def _result(self, job: Job) -> dict[str, Any]:
        if job.kind == "image":
            return {"images": [{"index": 0, "url": self.file_url(job)}]}
        seconds = int(job.body.get("duration", "5")) + LONGER_S
        video: dict[str, Any] = {"id": "v-1", "url": self.file_url(job), "duration": str(seconds)}
        if job.fault is Fault.BAD_USAGE:
            video["duration"] = f"-{seconds}"
        elif job.fault is Fault.NO_USAGE:
            del video["duration"]
        return {"videos": [video]}


def _own(job: Job) -> Any:
    return job.body.get("external_task_id")


def _decoded(part: str) -> dict[str, Any]:
    try:
        padded = part + "=" * (-len(part) % 4)
        return msgspec.json.decode(base64.urlsafe_b64decode(padded), type=dict[str, Any])
    except (msgspec.DecodeError, binascii.Error):
        return {}


def _check(kind: str, body: dict[str, Any]) -> None:
    """Refuse what the pages refuse."""
    for name in REQUIRED.get(kind, ()):
        if name not in body:
            raise RefusedError(Fault.INVALID, name)
    for name, value in body.items():
        wanted = FIELDS[kind].get(name)
        if wanted is None or not isinstance(value, wanted):
            raise RefusedError(Fault.INVALID, name)
        if name in VALUES and value not in VALUES[name]:
            raise RefusedError(Fault.INVALID, name)
        if name in PICTURES:
            _check_picture(value)
    _check_sizes(kind, body)
    if kind == "videos/omni-video":
        _check_omni(body)


def _check_omni(body: dict[str, Any]) -> None:
    images, videos = body.get("image_list", []), body.get("video_list", [])
    types = [image.get("type") for image in images]
    is_settled = "first_frame" in types or any(each["refer_type"] == "base" for each in videos)
    is_right = {
        "image_list": len(images) <= (OMNI_BESIDE_VIDEO_MAX if videos else OMNI_MAX)
        and set(types) <= {"first_frame", "end_frame", None},
        "video_list": len(videos) <= 1
        and all(each["refer_type"] in {"feature", "base"} for each in videos),
        "aspect_ratio": ("aspect_ratio" in body) is not is_settled,
    }
    wrong = [name for name, right in is_right.items() if not right]
    if wrong:
        raise RefusedError(Fault.INVALID, wrong[0])


def _check_sizes(kind: str, body: dict[str, Any]) -> None:
    model, listed = str(body.get("model_name", "")), body.get("image_list", ["one"])
    before_v3 = model.startswith(("kling-v1", "kling-v2"))
    ratios = _VIDEO_RATIOS if kind.startswith("videos") else PICTURE_RATIOS
    has_frame = kind != "videos/image2video" or "image" in body or "image_tail" in body
    lengths = LENGTHS_BEFORE_V3 if before_v3 else LENGTHS
    sound_is_old = model.startswith(("kling-v1", "kling-v2-1", "kling-v2-5", "kling-v2-m"))
    is_right = {
        "prompt": len(body.get("prompt", "")) <= PROMPT_MAX,
        "duration": body.get("duration", "5") in lengths,
        "aspect_ratio": body.get("aspect_ratio", "1:1") in ratios,
        "image": has_frame,
        "image_list": 1 <= len(listed) <= REFERENCES_MAX or kind == "videos/omni-video",
        "sound": not ("sound" in body and sound_is_old),
        "cfg_scale": not ("cfg_scale" in body and model.startswith("kling-v2")),
    }
    wrong = [name for name, right in is_right.items() if not right]
    if wrong:
        raise RefusedError(Fault.INVALID, wrong[0])
    field = "image_url" if kind == "videos/omni-video" else "image"
    for each in body.get("image_list", ()):
        _check_picture(each.get(field) if isinstance(each, dict) else None)


def _check_picture(value: Any) -> None:
    """Take an address, or bare base64: with the head of a data URI it is refused."""
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        return
    try:
        base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError(Fault.INVALID, "image") from None
