"""Yuanjing, after its page "Yuanjing Platform API": videos by model and mode, texts as OpenAI's.

A video names an `llmid`, which stands for a model in one mode, so the same model of ours goes to
several of them. A model that the page does not list goes by its name and `catelogid`, as the
later editions of the page have it. Files go along as parts of a form, whatever else it allows.
"""

from collections.abc import AsyncIterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatJob, Chunk, Kind, Message, ParamValue, Role
from portico.core.upstreams import Part, Trouble, Upstream
from portico.providers.base import (
    Assignment,
    Capabilities,
    Credential,
    Finished,
    HandOver,
    InputFile,
    Missing,
    Pending,
)
from portico.providers.chat_wire import ChatWire
from portico.providers.http import Api, State, read_id, read_usage
from portico.providers.inputs import file_name, refuse_unsupported
from portico.providers.relay import (
    Worded,
    failed_in_words,
    files_at,
    lacking,
    renamed,
    without_neutral,
)

VIDEO, TASKS, CHAT = "/llmage/video", "/llmage/tasks", "/llmage/v1/chat/completions"
STATES = {
    "CREATED": State.QUEUED,
    "PENDING": State.QUEUED,
    "RUNNING": State.RUNNING,
    "SUCCEEDED": State.DONE,
    "FAILED": State.FAILED,
}
# An empty account is a 429 there, so its words decide; every other 429 means too fast.
REFUSALS = Worded(
    code_at=("error",),
    codes={
        "Insufficient balance*": Trouble.CREDIT,
        "Invalid API Key*": Trouble.CREDENTIAL,
        "Missing required parameter*": Trouble.REQUEST,
    },
    words_at=("error",),
)
_UPLOADED = (HandOver.UPLOAD,)
_FRAMES = {Role.FIRST_FRAME: "image1_file", Role.LAST_FRAME: "image2_file"}
_FRAMES_TOO = {Role.FIRST_FRAME: "image_file1", Role.LAST_FRAME: "image_file2"}
_REFERENCES = {
    Role.REFERENCE_IMAGE: "image_files",
    Role.REFERENCE_VIDEO: "video_files",
    Role.REFERENCE_AUDIO: "audio_files",
}
_PICTURE = {Role.FIRST_FRAME: "image1_file", Role.REFERENCE_IMAGE: "image_files"}
_USUAL = {"duration": "duration", "resolution": "resolution", "ratio": "ratio"}


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """What one row of the page's tables says, for each mode.

    Args:
        ids: mode -> its `llmid` and the name of the model there; empty: goes by name.
        params: ours -> theirs.
        roles: ours -> the field for the file.
    """

    ids: Mapping[str, tuple[str, str]] = {}
    params: Mapping[str, str] = msgspec.field(default_factory=lambda: _USUAL)
    roles: Mapping[Role, str] = msgspec.field(default_factory=lambda: _FRAMES)


def _seedance(model: str, t2v: str, i2v: str, r2v: str) -> Family:
    ids = {"t2v": (t2v, model), "i2v": (i2v, model), "r2v": (r2v, model)}
    return Family(ids=ids, roles={**_FRAMES, **_REFERENCES})


_DOUBAO = ("YjjGgxO_Xma8PWsMjJvps", "UeYax4591ytnPcr9eumry", "dmPXF65TD1riKj9KaxLmg")
_DREAMINA = ("TWay-xd0p0pkEX-_Kuhto", "tb0VSY6WeyGbzaolU1_qE", "nVbH7lEO51soqTbLGIHE_")
_VIDU_PICTURE = "FK_h7FLYnosv2TkMN4ATC"
_VIDU = {**_USUAL, "off_peak": "off_peak"}
FAMILIES = {
    "happyhorse-1.0": Family(
        ids={
            "t2v": ("o5vfXYD5BURJWRTWpopE5", "happyhorse-1.0-t2v"),
            "i2v": ("7y7kfYM0Xasizyi37WvAZ", "happyhorse-1.0-i2v"),
            "r2v": ("6o9n_7u2K927hNlD8_72f", "happyhorse-1.0-r2v"),
        },
        roles=_PICTURE,
    ),
    **{
        model: _seedance(model, *ids)
        for model, ids in (
            ("doubao-seedance-2-0-260128", _DOUBAO),
            ("doubao-seedance-2-0-fast-260128", _DOUBAO),
            ("dreamina-seedance-2-0-260128", _DREAMINA),
            ("dreamina-seedance-2-0-fast-260128", _DREAMINA),
        )
    },
    "doubao-seedance-1-5-pro-251215": Family(
        ids={
            "t2v": ("CrEMkFQfRCmbmopZsCqLj", "doubao-seedance-1-5-pro-251215"),
            "i2v": ("7RTOJD6K8A7RXCMG4GnQ9", "doubao-seedance-1-5-pro-251215"),
        },
        roles=_FRAMES_TOO,
    ),
    "wan2.6": Family(
        ids={
            "t2v": ("u9HZyfDoqU6uKI6M1BTks", "wan2.6-t2v"),
            "i2v": ("x4HksKp9mXR1Yv60mw6Py", "wan2.6-r2v"),
        },
        params={"duration": "duration", "size": "size", "negative_prompt": "negative_prompt"},
        roles=_FRAMES_TOO,
    ),
    "viduq3-pro": Family(
        ids={
            "t2v": ("r0ill7L0s6PtBS8mkmg-7", "viduq3-pro"),
            "i2v": (_VIDU_PICTURE, "viduq3-pro"),
        },
        params=_VIDU,
        roles=_FRAMES_TOO,
    ),
    "viduq2-turbo": Family(
        ids={"i2v": (_VIDU_PICTURE, "viduq2-turbo")}, params=_VIDU, roles=_FRAMES_TOO
    ),
}
OTHERS = Family(roles={**_FRAMES, **_REFERENCES})
# What nobody needs to be told: in a picture's own shape, where there is no word for it.
NEUTRAL = {"wan2.6": {"ratio": ("adaptive",)}, "vidu*": {"ratio": ("adaptive",)}}
NO_RATIO_FROM_PICTURE = ("happyhorse-1.0",)
# Wan takes sizes only, and these are all it has.
SIZES = {
    ("480p", "16:9"): "832*480",
    ("480p", "9:16"): "480*832",
    ("480p", "1:1"): "624*624",
    ("720p", "16:9"): "1280*720",
    ("720p", "9:16"): "720*1280",
    ("720p", "1:1"): "960*960",
    ("720p", "4:3"): "1088*832",
    ("720p", "3:4"): "832*1088",
    ("1080p", "16:9"): "1920*1080",
    ("1080p", "9:16"): "1080*1920",
    ("1080p", "1:1"): "1440*1440",
    ("1080p", "4:3"): "1632*1248",
    ("1080p", "3:4"): "1248*1632",
}
RATIO_TOO = ("doubao-seedance-1-5-*", "radio")  # its table says "radio", its example "ratio"
USAGE = {"completion_tokens": "video_tokens", "duration": "seconds", "credits": "credits"}
CHECK_AFTER_S = 5.0


def _can(family: Family) -> Capabilities:
    return Capabilities(
        kinds=frozenset({Kind.VIDEO}),
        params=family.params,
        roles=family.roles,
        media={"image": _UPLOADED, "video": _UPLOADED, "audio": _UPLOADED},
        check_after_s=CHECK_AFTER_S,
    )


class Yuanjing:
    """Implements `TaskProvider` and `ChatProvider` for one credential; its base URL has no path.

    It knows no options, cannot stop a task and cannot look up a lost start.
    """

    name = "yuanjing"
    restartable = False
    capabilities = tuple(_can(family) for family in (*FAMILIES.values(), OTHERS))

    def __init__(self, credential: Credential, upstream: Upstream) -> None:
        headers = {"Authorization": f"Bearer {credential.secret}"}
        self._api = Api(upstream, headers=headers, refusals=REFUSALS)
        self._chat = _Chat(self._api, path=CHAT)

    async def start(self, assignment: Assignment, *, attempt_id: str) -> Pending | Finished:
        """Submit a task and return its id."""
        fields, files = _task(assignment)
        parts = [Part(name=name, text=str(value)) for name, value in fields.items()]
        answer = await self._api.begin(
            VIDEO,
            attempt_id=attempt_id,
            body=None if files else fields,
            parts=parts + files if files else (),
        )
        if _state(self._api, answer) is State.FAILED:
            raise failed_in_words(REFUSALS, answer.get("error"))  # and was not taken
        upstream_id = read_id(answer.get("taskid"))
        return Pending(upstream_id, running=False, check_after_s=CHECK_AFTER_S)

    async def check(self, upstream_id: str) -> Pending | Finished | Missing:
        """Read a task once."""
        asked = await self._api.ask(TASKS, query=(("taskid", upstream_id),))
        if asked is None:
            return Missing()
        task, _ = asked
        state = _state(self._api, task)
        if state is State.FAILED:
            raise failed_in_words(REFUSALS, task.get("error"))
        if state is not State.DONE:
            running = state is State.RUNNING
            return Pending(upstream_id, running=running, check_after_s=CHECK_AFTER_S)
        return Finished(
            outputs=files_at([task.get("video")]), usage=read_usage(task.get("usage"), USAGE)
        )

    async def cancel(self, upstream_id: str) -> None:
        """Do nothing: a task there cannot be stopped."""

    def stream(self, job: ChatJob, *, model: str) -> AsyncIterator[Chunk]:
        """Write a text."""
        return self._chat.stream(job, model=model)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._api.upstream.close()


class _Chat(ChatWire):
    """OpenAI's wire with the page's own words beside it: the page asks for a `prompt`."""

    def body(self, job: ChatJob, model: str) -> dict[str, Any]:
        """Return the request in both ways of saying it; whoever knows messages reads those."""
        own = {"prompt": _words(job.messages, "user")}
        if system := _words(job.messages, "system"):
            own["sys_prompt"] = system
        return super().body(job, model) | own


def _words(messages: tuple[Message, ...], role: str) -> str:
    return next((each.words() for each in reversed(messages) if each.role == role), "")


def _state(api: Api, task: Mapping[str, Any]) -> State:
    word = task.get("status")
    return api.state(STATES, word.upper() if isinstance(word, str) else word)


def _task(assignment: Assignment) -> tuple[dict[str, Any], list[Part]]:
    """Return the fields of a task and the files beside them."""
    model = assignment.model
    family = FAMILIES.get(model, OTHERS)
    neutral = next((each for name, each in NEUTRAL.items() if fnmatchcase(model, name)), {})
    asked = without_neutral(assignment, neutral)
    if "size" in family.params:
        asked = _sized(asked)
    can = _can(family)
    refuse_unsupported(can, asked)
    mode = _mode(asked.inputs)
    fields = _named(family, model, mode) | {"prompt": asked.job.prompt} | renamed(can, asked)
    if "off_peak" in fields:
        fields["off_peak"] = "Y" if fields["off_peak"] else "N"
    if mode == "i2v" and model in NO_RATIO_FROM_PICTURE:
        fields.pop("ratio", None)  # the picture's own
    if fnmatchcase(model, RATIO_TOO[0]) and "ratio" in fields:
        fields[RATIO_TOO[1]] = fields["ratio"]
    return fields, [_part(family, file, number) for number, file in enumerate(asked.inputs)]


def _named(family: Family, model: str, mode: str) -> dict[str, Any]:
    if not family.ids:
        return {"model": model, "catelogid": mode}
    if mode not in family.ids:
        message = "The upstream's model has no such mode"
        raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param="mode")
    llmid, name = family.ids[mode]
    return {"llmid": llmid, "model": name}


def _mode(inputs: tuple[InputFile, ...]) -> str:
    roles = {file.role for file in inputs}
    if roles & _REFERENCES.keys():
        return "r2v"
    return "i2v" if roles else "t2v"


def _part(family: Family, file: InputFile, number: int) -> Part:
    return Part(
        name=family.roles[file.role],
        path=file.path,
        media_type=file.media_type,
        file_name=file_name(file, number),
    )


def _sized(assignment: Assignment) -> Assignment:
    """Return a job with a size in place of a resolution and a ratio.

    Raises:
        PorticoError: UNSUPPORTED_OPTION for a pair that has no size there.
    """
    params: dict[str, ParamValue] = dict(assignment.job.params)
    resolution = str(params.pop("resolution", "720p"))
    ratio = str(params.pop("ratio", "16:9"))
    if "size" in params:
        params["size"] = str(params["size"]).replace("x", "*")
    elif (resolution, ratio) in SIZES:
        params["size"] = SIZES[resolution, ratio]
    else:
        raise lacking(param="ratio")
    job = msgspec.structs.replace(assignment.job, params=params)
    return msgspec.structs.replace(assignment, job=job)
