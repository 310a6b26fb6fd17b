"""WaveSpeed v3, which runs many makers' models: each model is a path, with fields of its own.

A route names a model with its task (`bytedance/seedance-2.0/text-to-video`) or without; the task
follows from the inputs. Sources: the pages "What are Predictions", "Error Codes", "Verify
Webhooks", those of the models, and what the vendor's Python client sends.

There is no mark of ours on a prediction, and nothing stops one: a lost start stays lost, and what
runs is paid. Every start is a prediction to ask about later: nothing is made within an answer.
"""

import math
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import partial
from typing import Any
from urllib.parse import urlencode

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaJob, ParamValue, Role
from portico.core.upstreams import Call, Part, Trouble, Upstream, UpstreamError
from portico.providers.base import (
    Assignment,
    Capabilities,
    Credential,
    Finished,
    HandOver,
    InputFile,
    Missing,
    OutputFile,
    Pending,
    Remaining,
)
from portico.providers.http import (
    Api,
    Refusals,
    State,
    at,
    hint_of,
    read_id,
    read_json,
    read_remaining,
    read_url,
)
from portico.providers.inputs import file_name, hand_over, refuse_unsupported, without_neutral

STATES = {
    "created": State.QUEUED,
    "pending": State.QUEUED,
    "processing": State.RUNNING,
    "completed": State.DONE,
    "failed": State.FAILED,
    "cancelled": State.FAILED,
    "timeout": State.FAILED,
    "deleted": State.FAILED,
}
# 0 is none, and 5004 only says that somebody's waiting has ended.
REFUSALS = Refusals(
    code_at=("data", "code"),
    codes={
        "1200": Trouble.CONTENT,
        "1400": Trouble.REQUEST,
        "1401": Trouble.REQUEST,
        "1402": Trouble.MEDIA,
        "1403": Trouble.FAILED,
        "1405": Trouble.FAILED,
        "5000": Trouble.AMBIGUOUS,
        "5003": Trouble.BUSY,
    },
)
# What an upload's trouble means for a job that has not begun yet.
BEFORE_START = {Trouble.AMBIGUOUS: Trouble.UNREACHED, Trouble.REQUEST: Trouble.MEDIA}
UPLOAD_S = 180.0  # for files of up to 200 MB
_ANY = (HandOver.PASS, HandOver.UPLOAD)
_MEDIA = {"image": _ANY, "video": _ANY, "audio": _ANY}
_FRAMES = {Role.FIRST_FRAME: "image", Role.LAST_FRAME: "last_image"}
_REFERENCES = {
    Role.REFERENCE_IMAGE: "reference_images",
    Role.REFERENCE_VIDEO: "reference_videos",
    Role.REFERENCE_AUDIO: "reference_audios",
}
_IMAGES = {Role.REFERENCE_IMAGE: "images", Role.SOURCE_IMAGE: "images", Role.FIRST_FRAME: "images"}
LISTS = frozenset(name for name in (*_REFERENCES.values(), *_IMAGES.values()))
_LENGTH = {"duration": "duration", "resolution": "resolution"}
_SHAPE = {"ratio": "aspect_ratio"}
_SEED = {"seed": "seed"}
_SOUND = {"audio": "generate_audio"}
_SIZE = {"size": "size", "ratio": "size", "resolution": "size"}
_WAN = {
    "seed": "seed",
    "negative_prompt": "negative_prompt",
    "prompt_expansion": "enable_prompt_expansion",
}


def _video(params: Mapping[str, str], roles: Mapping[Role, str]) -> Capabilities:
    return Capabilities(
        kinds=frozenset({Kind.VIDEO}), params=params, roles=roles, media=_MEDIA, calls_back=True
    )


def _picture(params: Mapping[str, str], roles: Mapping[Role, str]) -> Capabilities:
    return Capabilities(
        kinds=frozenset({Kind.IMAGE}), params=params, roles=roles, media=_MEDIA, calls_back=True
    )


# The fields of a model, by its path, most special first; what nobody tabled has the usual ones.
MODELS: Mapping[str, Capabilities] = {
    "bytedance/seedance-2.5*/image-to-video*": _video(_LENGTH | _SOUND, _FRAMES),
    "bytedance/seedance-*2*/image-to-video*": _video(_LENGTH | _SHAPE | _SOUND, _FRAMES),
    "bytedance/seedance-*2*/text-to-video*": _video(_LENGTH | _SHAPE | _SOUND, _REFERENCES),
    "bytedance/seedance-v1.5*/image-to-video*": _video(
        _LENGTH | _SHAPE | _SEED | _SOUND | {"lock_camera": "camera_fixed"}, _FRAMES
    ),
    "bytedance/seedance-v1.5*/text-to-video*": _video(
        _LENGTH | _SHAPE | _SEED | _SOUND | {"lock_camera": "camera_fixed"}, {}
    ),
    "bytedance/seedance-v1*/text-to-video*": _video(
        _LENGTH | _SHAPE | _SEED | {"lock_camera": "camera_fixed"}, {}
    ),
    "bytedance/seedance-v1*/image-to-video*": _video(
        _LENGTH | _SEED | {"lock_camera": "camera_fixed"}, _FRAMES
    ),
    "bytedance/seedance-v1*/reference-to-video*": _video(
        _LENGTH | _SEED | {"lock_camera": "camera_fixed"},
        {Role.REFERENCE_IMAGE: "reference_images"},
    ),
    "alibaba/wan-2*/text-to-video*": _video({"duration": "duration"} | _SIZE | _WAN, {}),
    "alibaba/wan-2*/image-to-video*": _video(
        _LENGTH | {"size": "resolution"} | _WAN, {Role.FIRST_FRAME: "image"}
    ),
    "alibaba/wan-*/text-to-video*": _video(_LENGTH | _SHAPE | _WAN | {"audio": "enable_audio"}, {}),
    "alibaba/wan-*/image-to-video*": _video(_LENGTH | _WAN | {"audio": "enable_audio"}, _FRAMES),
    "*/text-to-video*": _video(_LENGTH | _SHAPE | _SEED, {}),
    "*/image-to-video*": _video(_LENGTH | _SEED, _FRAMES),
    "*/reference-to-video*": _video(_LENGTH | _SHAPE | _SEED, {Role.REFERENCE_IMAGE: "images"}),
    "*/edit*": _picture(_SIZE | _SEED, _IMAGES),
    "*": _picture(_SIZE | _SEED, {}),
}
# A video has the shape of its first frame: what everybody has by default asks for nothing there.
NEUTRAL = {"ratio": ("16:9", "adaptive")}
# Of videos whose models want width and height, by resolution and ratio.
VIDEO_SIZES = {
    ("480p", "16:9"): "832*480",
    ("480p", "9:16"): "480*832",
    ("720p", "16:9"): "1280*720",
    ("720p", "9:16"): "720*1280",
    ("1080p", "16:9"): "1920*1080",
    ("1080p", "9:16"): "1080*1920",
}
SIDES = {"1k": 1_024, "2k": 2_048, "4k": 4_096}  # of a square picture, in pixels
TIERS = {"*seedream*": "2k", "*": "1k"}  # what a model makes unless told
_SIDE_STEP = 8
_TASK = re.compile(r"(?:text|image|reference)-to-(?:video|image)|edit")


class WaveSpeed:
    """Implements `TaskProvider`, `CallbackReader` and `BalanceReader`; knows no options."""

    name = "wavespeed"
    restartable = False
    capabilities = tuple(MODELS.values())

    def __init__(self, credential: Credential, upstream: Upstream) -> None:
        headers = {"Authorization": f"Bearer {credential.secret}"}
        self._api = Api(upstream, headers=headers, refusals=REFUSALS)

    async def start(self, assignment: Assignment, *, attempt_id: str) -> Pending | Finished:
        """Submit a prediction and return its id; files of ours are uploaded before."""
        path = path_of(assignment)
        body = await self._body(path, assignment)
        query = {"webhook": assignment.callback_url} if assignment.callback_url else {}
        submit = f"/{path}?{urlencode(query)}" if query else f"/{path}"
        answer = await self._api.begin(submit, attempt_id=attempt_id, body=body)
        told, upstream_id = answer.get("code"), at(answer, "data", "id")
        if upstream_id is None and isinstance(told, int) and 400 <= told < 500:  # noqa: PLR2004
            raise UpstreamError(REFUSALS.of(told, answer), status=told)  # inside a good answer
        return Pending(read_id(upstream_id), running=False)

    async def check(self, upstream_id: str) -> Pending | Finished | Missing:
        """Read a prediction once."""
        if (asked := await self._api.ask(f"/predictions/{upstream_id}/result")) is None:
            return Missing()
        data = at(asked[0], "data")
        if not isinstance(data, dict):
            raise UpstreamError(Trouble.UNREACHED, error="no prediction")
        state = self._api.state(STATES, data.get("status"))
        if state is State.FAILED:
            raise self._api.failed(data.get("code"))
        if state is not State.DONE:
            return Pending(upstream_id, running=state is State.RUNNING)
        made = data.get("outputs")
        urls = [url for each in made if (url := read_url(each))] if isinstance(made, list) else []
        model = data.get("model")
        counted = isinstance(model, str) and Kind.IMAGE in _can(model).kinds
        outputs = tuple(OutputFile("output", url=url) for url in urls)
        return Finished(outputs=outputs, usage={"images": len(urls)} if counted else {})

    async def balance(self) -> Remaining:
        """Read what is left, in US dollars, as `GET /api/v3/balance` says it."""
        asked = await self._api.ask("/balance")
        return read_remaining([at(asked[0], "data", "balance") if asked else None], "USD")

    async def cancel(self, upstream_id: str) -> None:
        """Do nothing: there is no call for it."""

    def parse_callback(self, body: bytes) -> str | None:
        """Return the prediction's id; a webhook holds it without the envelope of an answer."""
        return hint_of(body, "id")

    async def close(self) -> None:
        """Let go of all connections."""
        await self._api.upstream.close()

    async def _body(self, path: str, assignment: Assignment) -> dict[str, Any]:
        """Write the fields of a model; what is unset is left out, so that its defaults hold."""
        can = _can(path)
        assignment = without_neutral(can, assignment, NEUTRAL)
        refuse_unsupported(can, assignment)
        body: dict[str, Any] = {"prompt": assignment.job.prompt} if assignment.job.prompt else {}
        body |= _fields(can, path, assignment.job)
        for file in assignment.inputs:
            name = can.roles[file.role]
            address = await hand_over(can, file, upload=self._upload)
            if name in LISTS:
                body.setdefault(name, []).append(address)
            else:
                body[name] = address
        return body

    async def _upload(self, file: InputFile) -> str:
        """Upload a file, and return where the models find it; nothing is paid for it."""
        part = Part(
            name="file",
            path=file.path,
            media_type=file.media_type,
            file_name=file_name(file, 1),
        )
        call = Call(
            method="POST",
            path="/media/upload/binary",
            headers=self._api.headers,
            parts=(part,),
            timeout_s=UPLOAD_S,
        )
        try:
            reply = await self._api.upstream.send(call)
            if url := read_url(at(read_json(reply.body), "data", "download_url")):
                return url
            raise self._api.refused(reply)
        except UpstreamError as error:
            trouble = BEFORE_START.get(error.trouble, error.trouble)
            raise UpstreamError(trouble, retry_after_s=error.retry_after_s, at="upload") from None


def path_of(assignment: Assignment) -> str:
    """Return the path of a route's model for what is given: its task follows from the inputs."""
    roles = {file.role for file in assignment.inputs}
    if assignment.job.kind is Kind.IMAGE:
        return _named(assignment.model, "edit") if roles else assignment.model
    if roles & set(_FRAMES):
        return _named(assignment.model, "image-to-video")
    from_words = _named(assignment.model, "text-to-video")
    if roles <= set(_can(from_words).roles):
        return from_words
    return _named(assignment.model, "reference-to-video")


def _named(model: str, task: str) -> str:
    family, slash, last = model.rpartition("/")
    if _TASK.search(last):
        return f"{family}{slash}{_TASK.sub(task, last, count=1)}"
    return f"{model}/{task}"


def _can(path: str) -> Capabilities:
    return next(can for name, can in MODELS.items() if fnmatchcase(path, name))


def _fields(can: Capabilities, path: str, job: MediaJob) -> dict[str, Any]:
    sized = can.params.get("size")
    fields: dict[str, Any] = {
        can.params[name]: value
        for name, value in job.params.items()
        if name in can.params and can.params[name] != "size" and value not in {"adaptive", ""}
    }
    size = str(job.params.get("size", "")).replace("x", "*")
    if sized == "size":
        made = _video_size if Kind.VIDEO in can.kinds else partial(_picture_size, path)
        fields["size"] = size or made(job.params)
    elif sized and size:
        fields[sized] = f"{min(int(side) for side in size.split('*'))}p"
    return {name: value for name, value in fields.items() if value is not None}


def _video_size(params: Mapping[str, ParamValue]) -> str:
    ratio = str(params.get("ratio", "adaptive")).replace("adaptive", "16:9")
    if size := VIDEO_SIZES.get((str(params.get("resolution", "720p")), ratio)):
        return size
    message = "This model makes no video of this shape"
    raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param="ratio")


def _picture_size(path: str, params: Mapping[str, ParamValue]) -> str | None:
    """Return width and height, with a star between; None: as the model likes."""
    across, _, down = str(params.get("ratio", "1:1")).partition(":")
    if not (across.isdigit() and down.isdigit() and int(across) and int(down)):
        return None
    usual = next(tier for name, tier in TIERS.items() if fnmatchcase(path, name))
    side = SIDES.get(str(params.get("resolution")), SIDES[usual])
    stretch = math.sqrt(int(across) / int(down))
    sides = (round(side * each / _SIDE_STEP) * _SIDE_STEP for each in (stretch, 1 / stretch))
    return "*".join(str(each) for each in sides)
