"""Kling, after its pages on authentication, videos, motion control, pictures, try-on and errors.

The secret of a credential is `ACCESS_KEY:SECRET_KEY`: every call carries a token of its own, signed
with the secret key and valid for half an hour. A secret without a colon is one of the newer plain
keys. The base URL is the host alone, such as `https://api-singapore.klingai.com`.

A task is read under the path that began it, so our id of it is `image2video:123`. It carries the
id of our attempt as `external_task_id`, by which a lost one is found. There is no way to stop one.
"""

import base64
import hmac
from collections.abc import Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

import msgspec

from portico.core.clock import SECOND_MS, Clock, Instant, SystemClock
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, ParamValue, Role
from portico.core.upstreams import Trouble, Upstream, UpstreamError
from portico.providers.base import (
    Assignment,
    Capabilities,
    Credential,
    Finished,
    HandOver,
    InputFile,
    Lost,
    Missing,
    OutputFile,
    Pending,
)
from portico.providers.http import (
    Api,
    Refusals,
    State,
    at,
    hint_of,
    read_id,
    read_number,
    read_url,
)
from portico.providers.inputs import hand_over, refuse_unsupported

STATES = {
    "submitted": State.QUEUED,
    "processing": State.RUNNING,
    "succeed": State.DONE,
    "failed": State.FAILED,
}
REFUSALS = Refusals(
    code_at=("code",),
    codes={
        "1101": Trouble.CREDIT,
        "1102": Trouble.CREDIT,
        "1103": Trouble.MODEL,
        "1[01]??": Trouble.CREDENTIAL,
        "1202": Trouble.MODEL,
        "1203": Trouble.MODEL,
        "12??": Trouble.REQUEST,
        "1300": Trouble.CONTENT,
        "1301": Trouble.CONTENT,
        "1302": Trouble.BUSY,
        "1303": Trouble.BUSY,
        "1304": Trouble.CREDENTIAL,  # our address is not on the account's list
        "5001": Trouble.BUSY,
        "5???": Trouble.AMBIGUOUS,
        # a task that failed has no code, only words
        "*risk control*": Trouble.CONTENT,
        "*content*policy*": Trouble.CONTENT,
        "*sensitive*": Trouble.CONTENT,
    },
)
_IMAGES: dict[str, tuple[HandOver, ...]] = {"image": (HandOver.PASS, HandOver.DATA, HandOver.LINK)}
_VIDEOS: dict[str, tuple[HandOver, ...]] = {"video": (HandOver.PASS, HandOver.LINK)}
_BYTES_MAX = 10 * 10**6
_MADE = {"duration": "duration", "resolution": "mode", "negative_prompt": "negative_prompt"}
TEXT_TO_VIDEO = Capabilities(
    kinds=frozenset({Kind.VIDEO}),
    params={**_MADE, "ratio": "aspect_ratio", "audio": "sound"},
    calls_back=True,
)
IMAGE_TO_VIDEO = Capabilities(
    kinds=frozenset({Kind.VIDEO}),
    params={**_MADE, "audio": "sound"},
    roles={Role.FIRST_FRAME: "image", Role.LAST_FRAME: "image_tail"},
    media=_IMAGES,
    data_bytes_max=_BYTES_MAX,
    calls_back=True,
)
IMAGES_TO_VIDEO = Capabilities(
    kinds=frozenset({Kind.VIDEO}),
    params={**_MADE, "ratio": "aspect_ratio"},
    roles={Role.REFERENCE_IMAGE: "image_list"},
    media=_IMAGES,
    data_bytes_max=_BYTES_MAX,
    calls_back=True,
)
MOTION = Capabilities(
    kinds=frozenset({Kind.VIDEO}),
    params={
        "resolution": "mode",
        "motion_orientation": "character_orientation",
        "audio": "keep_original_sound",
    },
    roles={Role.FIRST_FRAME: "image_url", Role.MOTION_VIDEO: "video_url"},
    media=_IMAGES | _VIDEOS,
    data_bytes_max=_BYTES_MAX,
    calls_back=True,
)
OMNI = Capabilities(
    kinds=frozenset({Kind.VIDEO}),
    params={
        "duration": "duration",
        "resolution": "mode",
        "ratio": "aspect_ratio",
        "audio": "sound",
    },
    roles={
        Role.FIRST_FRAME: "first_frame",
        Role.LAST_FRAME: "end_frame",
        Role.REFERENCE_IMAGE: "",  # a picture without a word of its own
        Role.REFERENCE_VIDEO: "feature",
    },
    media={**_IMAGES, **_VIDEOS},
    data_bytes_max=_BYTES_MAX,
    calls_back=True,
)
PICTURE = Capabilities(
    kinds=frozenset({Kind.IMAGE}),
    params={
        "ratio": "aspect_ratio",
        "resolution": "resolution",
        "negative_prompt": "negative_prompt",
    },
    roles={Role.REFERENCE_IMAGE: "image", Role.FIRST_FRAME: "image", Role.SOURCE_IMAGE: "image"},
    media=_IMAGES,
    data_bytes_max=_BYTES_MAX,
    calls_back=True,
)
TRY_ON = Capabilities(
    kinds=frozenset({Kind.IMAGE}),
    roles={Role.SOURCE_IMAGE: "human_image", Role.GARMENT: "cloth_image"},
    media=_IMAGES,
    data_bytes_max=_BYTES_MAX,
    calls_back=True,
)


class Endpoint(msgspec.Struct, frozen=True):
    """One path under which tasks are begun and read."""

    path: str
    can: Capabilities
    settled: frozenset[str] = frozenset()  # options that the given pictures settle themselves


ENDPOINTS = {
    "text2video": Endpoint("/v1/videos/text2video", TEXT_TO_VIDEO),
    "image2video": Endpoint("/v1/videos/image2video", IMAGE_TO_VIDEO, frozenset({"ratio"})),
    "multi-image2video": Endpoint("/v1/videos/multi-image2video", IMAGES_TO_VIDEO),
    "motion-control": Endpoint("/v1/videos/motion-control", MOTION, frozenset({"ratio"})),
    "omni-video": Endpoint("/v1/videos/omni-video", OMNI),
    "generations": Endpoint("/v1/images/generations", PICTURE),
    "kolors-virtual-try-on": Endpoint(
        "/v1/images/kolors-virtual-try-on", TRY_ON, frozenset({"ratio", "wardrobe_part"})
    ),
}
# The first role that is among the inputs decides; without any it is the last line of its kind.
BY_ROLE: Mapping[Kind, Mapping[Role | None, str]] = {
    Kind.VIDEO: {
        Role.MOTION_VIDEO: "motion-control",
        Role.FIRST_FRAME: "image2video",
        Role.LAST_FRAME: "image2video",
        Role.REFERENCE_IMAGE: "multi-image2video",
        None: "text2video",
    },
    Kind.IMAGE: {Role.GARMENT: "kolors-virtual-try-on", None: "generations"},
}


OMNI_MODELS = ("kling-video-o*", "*omni*")  # take everything under one path, but for motion
MODES = MappingProxyType({"720p": "std", "1080p": "pro"})


class Model(msgspec.Struct, frozen=True):
    """What a family of video models makes: lengths, its mode for a resolution, sound."""

    seconds: frozenset[int] = frozenset({5, 10})
    modes: Mapping[str, str] = MODES  # "": it has none to choose
    has_sound: bool = False


MODELS = {
    "kling-v2-master": Model(modes={"720p": ""}),
    "kling-v2-1-master": Model(modes={"1080p": ""}),
    "kling-v1*": Model(),
    "kling-v2-[15]*": Model(),
    "kling-v2-6*": Model(has_sound=True),
    "kling-video-o*": Model(seconds=frozenset(range(3, 11))),
    "*": Model(seconds=frozenset(range(3, 16)), has_sound=True),
}
RATIOS = {
    Kind.VIDEO: {"16:9", "9:16", "1:1"},
    Kind.IMAGE: {"16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9"},
}
RATIO_OF_THEIRS = "adaptive"  # is not said: their default holds
RATIO_OF_OMNI = "16:9"  # has to be said where no frame settles it
PICTURE_TIERS = {"1k", "2k"}
ORIENTATION = "video"  # has to be said, and takes the longest videos
REFERENCES_MAX = 4
OMNI_IMAGES_MAX, OMNI_IMAGES_BESIDE_VIDEO_MAX, OMNI_VIDEOS_MAX = 7, 4, 1
REASON_MAX = 500
TOKEN_S = 1_800
CLOCKS_DIFFER_S = 5


class Kling:
    """Implements the protocols for tasks, finding and callbacks; knows no options."""

    name = "kling"
    restartable = False
    capabilities = tuple(endpoint.can for endpoint in ENDPOINTS.values())

    def __init__(
        self, credential: Credential, upstream: Upstream, clock: Clock | None = None
    ) -> None:
        self._clock = clock or SystemClock()
        access_key, _, secret_key = credential.secret.partition(":")

        def headers() -> dict[str, str]:
            token = access_key
            if secret_key:
                token = sign(access_key, secret_key, self._clock.now())
            return {"Authorization": f"Bearer {token}"}

        self._api = Api(upstream, headers=headers, refusals=REFUSALS)

    async def start(self, assignment: Assignment, *, attempt_id: str) -> Pending | Finished:
        """Submit a task and return its id; pictures are tasks as well."""
        name = _endpoint(assignment)
        body = await _task(ENDPOINTS[name], assignment)
        body["external_task_id"] = attempt_id
        if assignment.callback_url:
            body["callback_url"] = assignment.callback_url
        answer = await self._api.begin(ENDPOINTS[name].path, attempt_id=attempt_id, body=body)
        task_id = read_id(at(answer, "data", "task_id"))
        return Pending(f"{name}:{task_id}", running=False)

    async def check(self, upstream_id: str) -> Pending | Finished | Missing:
        """Read a task once; a bare id, as a callback names it, is looked for under every path."""
        name, colon, task_id = upstream_id.rpartition(":")
        for each in (name,) if colon else ENDPOINTS:
            known = await self._read(each, task_id)
            if not isinstance(known, Missing):
                return known
        return Missing()

    async def cancel(self, upstream_id: str) -> None:
        """Do nothing: a task cannot be stopped there."""

    async def find(self, lost: Lost) -> Pending | Finished | Missing | None:
        """Read the task by the id of the attempt."""
        return await self._read(_endpoint(lost.assignment), lost.attempt_id)

    def parse_callback(self, body: bytes) -> str | None:
        """Return the task's id; nothing signs these callbacks."""
        return hint_of(body, "task_id")

    async def close(self) -> None:
        """Let go of all connections."""
        await self._api.upstream.close()

    async def _read(self, name: str, task_id: str) -> Pending | Finished | Missing:
        if name not in ENDPOINTS:
            return Missing()
        asked = await self._api.ask(f"{ENDPOINTS[name].path}/{task_id}")
        if asked is None:
            return Missing()
        task = at(asked[0], "data")
        if at(asked[0], "code") not in (0, None) or not isinstance(task, dict):
            raise UpstreamError(Trouble.AMBIGUOUS, error="no task").of_read()
        try:
            upstream_id = f"{name}:{read_id(task.get('task_id'))}"
        except UpstreamError as error:
            raise error.of_read() from None
        state = self._api.state(STATES, task.get("task_status"))
        if state is State.FAILED:
            raise self._api.failed(_reason(task))
        if state is State.DONE:
            return _finished(task)
        return Pending(upstream_id, running=state is State.RUNNING)


def sign(access_key: str, secret_key: str, now: Instant) -> str:
    """Return a token as their page "General Information" wants it: a JWT by HS256."""
    now_s = now // SECOND_MS
    claims = {"iss": access_key, "exp": now_s + TOKEN_S, "nbf": now_s - CLOCKS_DIFFER_S}
    signed = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
    signature = hmac.digest(secret_key.encode(), signed.encode(), "sha256")
    return f"{signed}.{_base64(signature)}"


def _encoded(value: object) -> str:
    return _base64(msgspec.json.encode(value))


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _endpoint(assignment: Assignment) -> str:
    names = BY_ROLE.get(assignment.job.kind, BY_ROLE[Kind.VIDEO])
    given = {file.role for file in assignment.inputs} | {None}
    is_omni = any(fnmatchcase(assignment.model, pattern) for pattern in OMNI_MODELS)
    if is_omni and assignment.job.kind is Kind.VIDEO and Role.MOTION_VIDEO not in given:
        return "omni-video"
    return next(name for role, name in names.items() if role in given)


async def _task(endpoint: Endpoint, assignment: Assignment) -> dict[str, Any]:
    """Write the body of a new task; what is unset is left out, so that their defaults hold."""
    can, job = endpoint.can, assignment.job
    settled = endpoint.settled
    if can is OMNI and any(file.role is Role.FIRST_FRAME for file in assignment.inputs):
        settled = frozenset({"ratio"})
    params = {name: value for name, value in job.params.items() if name not in settled}
    asked = msgspec.structs.replace(assignment, job=msgspec.structs.replace(job, params=params))
    refuse_unsupported(can, asked)
    body: dict[str, Any] = {"model_name": assignment.model}
    if job.prompt and can is not TRY_ON:
        body["prompt"] = job.prompt
    for name in can.params:
        if name in params:
            value = _value(can, name, params[name], assignment.model)
            if value != "":
                body[can.params[name]] = value
    if can is MOTION:
        body.setdefault("mode", "std")
        body.setdefault("character_orientation", ORIENTATION)
    if can is OMNI and not settled:
        body.setdefault("aspect_ratio", RATIO_OF_OMNI)
    return body | await (_lists if can is OMNI else _files)(can, assignment)


async def _bare(can: Capabilities, file: InputFile) -> str:
    """Hand one input over; where bytes go inside the request they go without a head."""
    text = await hand_over(can, file)
    return text.partition(";base64,")[2] if text.startswith("data:") else text


async def _lists(can: Capabilities, assignment: Assignment) -> dict[str, Any]:
    """Hand the inputs over as the path for everything takes them."""
    images: list[dict[str, str]] = []
    videos: list[dict[str, str]] = []
    for file in assignment.inputs:
        word, content = can.roles[file.role], await _bare(can, file)
        if file.role is Role.REFERENCE_VIDEO:
            videos.append({"video_url": content, "refer_type": word})
        else:
            images.append({"image_url": content} | ({"type": word} if word else {}))
    if len(videos) > OMNI_VIDEOS_MAX:
        raise _too_many(Role.REFERENCE_VIDEO)
    if len(images) > (OMNI_IMAGES_BESIDE_VIDEO_MAX if videos else OMNI_IMAGES_MAX):
        raise _too_many(Role.REFERENCE_IMAGE)
    lists = {"image_list": images, "video_list": videos}
    return {name: items for name, items in lists.items() if items}


async def _files(can: Capabilities, assignment: Assignment) -> dict[str, Any]:
    """Hand the inputs over, each in a field of its own."""
    fields: dict[str, Any] = {}
    for file in assignment.inputs:
        name, content = can.roles[file.role], await _bare(can, file)
        if name == "image_list":
            fields.setdefault(name, []).append({"image": content})
        elif name in fields:
            raise _too_many(file.role)
        else:
            fields[name] = content
    if len(fields.get("image_list", ())) > REFERENCES_MAX:
        raise _too_many(Role.REFERENCE_IMAGE)
    return fields


def _too_many(role: Role) -> PorticoError:
    message = f"The upstream takes fewer files as {role}"
    return PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param=role.value)


def _value(can: Capabilities, name: str, value: ParamValue, model: str) -> ParamValue:
    """Return their value for one of ours; empty: nothing has to be said.

    Raises:
        PorticoError: UNSUPPORTED_OPTION for a value that the model does not have.
    """
    of = next(of for pattern, of in MODELS.items() if fnmatchcase(model, pattern))
    if name == "duration":
        return str(_one_of(value, of.seconds, name))
    if name == "audio":
        return _sound(can, of, is_on=bool(value))
    if name == "resolution":
        tier = str(_one_of(value, PICTURE_TIERS if can is PICTURE else of.modes.keys(), name))
        return tier if can is PICTURE else of.modes[tier]
    if name == "ratio" and value != RATIO_OF_THEIRS:
        return _one_of(value, RATIOS[Kind.IMAGE if can is PICTURE else Kind.VIDEO], name)
    return "" if name == "ratio" else value


def _sound(can: Capabilities, model: Model, *, is_on: bool) -> str:
    if can is MOTION:
        return "yes" if is_on else "no"
    if is_on and not model.has_sound:
        raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, "This model has no audio", param="audio")
    return ("on" if is_on else "off") if model.has_sound else ""


def _one_of(value: ParamValue, values: Any, name: str) -> ParamValue:
    if value not in values:
        message = f"This model has no {name} of {value}"
        raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param=name)
    return value


def _reason(task: Mapping[str, Any]) -> str | None:
    told = task.get("task_status_msg")
    return told[:REASON_MAX].lower() if isinstance(told, str) else None


def _finished(task: Mapping[str, Any]) -> Finished:
    videos, images = (at(task, "task_result", each) for each in ("videos", "images"))
    made = videos or images
    files = made if isinstance(made, list) else []
    urls = [url for file in files if (url := read_url(at(file, "url")))]
    usage: dict[str, object] = {}
    seconds = read_number(at(files[0], "duration")) if files else None
    if seconds is not None:
        usage["seconds"] = round(seconds)  # a file is some frames longer than what it costs
    elif images:
        usage["images"] = len(urls)
    return Finished(outputs=tuple(OutputFile("output", url=url) for url in urls), usage=usage)
