"""MiniMax, also called Hailuo, after its pages on videos (both ways), files, pictures and errors.

It has two ways to make videos. The older models take fields, end in a file to look up, and say in
`base_resp` how it went; the newer ones (H3 and what follows) take a list of content, as Ark does,
and say it by status. Tasks of the newer way have `v2:` before their id with us. Pictures come at
once, texts are OpenAI's wire. The base URL is the host alone, such as `https://api.minimax.io`.

No key of ours can be put on a task, so a start whose answer was lost stays lost. Before callbacks
of the older way come, the address has to echo a challenge.
"""

import re
from collections.abc import AsyncIterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatJob, Chunk, Kind, MediaJob, ParamValue, Role
from portico.core.upstreams import Trouble, Upstream, UpstreamError
from portico.providers.base import (
    Assignment,
    Capabilities,
    Credential,
    Finished,
    HandOver,
    Missing,
    OutputFile,
    Pending,
)
from portico.providers.chat_wire import ChatWire
from portico.providers.http import (
    Api,
    Refusals,
    State,
    at,
    hint_of,
    pending,
    read_id,
    read_json,
    read_url,
    read_usage,
)
from portico.providers.inputs import hand_over, refuse_unsupported

STATES = {
    "Preparing": State.QUEUED,
    "Queueing": State.QUEUED,
    "Processing": State.RUNNING,
    "Success": State.DONE,
    "Fail": State.FAILED,
    "queued": State.QUEUED,
    "running": State.RUNNING,
    "succeeded": State.DONE,
    "failed": State.FAILED,
    "cancelled": State.FAILED,
    "expired": State.FAILED,
}
CODES = {
    "1000": Trouble.AMBIGUOUS,
    "1001": Trouble.AMBIGUOUS,
    "1002": Trouble.BUSY,
    "1004": Trouble.CREDENTIAL,
    "1008": Trouble.CREDIT,
    "1013": Trouble.AMBIGUOUS,
    "1024": Trouble.AMBIGUOUS,
    "1026": Trouble.CONTENT,
    "1027": Trouble.CONTENT,
    "1033": Trouble.AMBIGUOUS,
    "1039": Trouble.BUSY,
    "1041": Trouble.BUSY,
    "2013": Trouble.REQUEST,
    "2045": Trouble.BUSY,
    "2049": Trouble.CREDENTIAL,
    "2056": Trouble.CREDIT,
    "2061": Trouble.MODEL,
}
# How an id that it does not know is told, by words alone.
GONE = ("*invalid task_id*", "*not found*", "*not exist*")
IN_BASE = Refusals(
    code_at=("base_resp", "status_code"),
    codes=CODES,
    gone_at=("base_resp", "status_msg"),
    gone=GONE,
)
IN_ERROR = Refusals(  # the code ends the message, a failed task has it alone
    code_at=("error", "message"),
    codes=CODES | {f"*({code})": trouble for code, trouble in CODES.items()},
    gone_at=("error", "message"),
    gone=GONE,
)
_ANY = (HandOver.PASS, HandOver.DATA, HandOver.LINK)
_BYTES_MAX = 20 * 10**6
FIELDS = Capabilities(
    kinds=frozenset({Kind.VIDEO}),
    params={
        "duration": "duration",
        "resolution": "resolution",
        "prompt_expansion": "prompt_optimizer",
    },
    roles={
        Role.FIRST_FRAME: "first_frame_image",
        Role.LAST_FRAME: "last_frame_image",
        Role.REFERENCE_IMAGE: "subject_reference",
    },
    media={"image": _ANY},
    data_bytes_max=_BYTES_MAX,
    calls_back=True,
)
CONTENT = Capabilities(
    kinds=frozenset({Kind.VIDEO}),
    params={"duration": "duration", "resolution": "resolution", "ratio": "ratio"},
    roles={
        Role.FIRST_FRAME: "first_frame",
        Role.LAST_FRAME: "last_frame",
        Role.REFERENCE_IMAGE: "reference_image",
        Role.REFERENCE_VIDEO: "reference_video",
        Role.REFERENCE_AUDIO: "reference_audio",
    },
    media={"image": _ANY, "video": _ANY, "audio": _ANY},
    data_bytes_max=_BYTES_MAX,
    calls_back=True,
)
PICTURE = Capabilities(
    kinds=frozenset({Kind.IMAGE}),
    params={
        "ratio": "aspect_ratio",
        "size": "width",
        "seed": "seed",
        "prompt_expansion": "prompt_optimizer",
    },
    roles=dict.fromkeys(
        (Role.REFERENCE_IMAGE, Role.FIRST_FRAME, Role.SOURCE_IMAGE), "subject_reference"
    ),
    media={"image": _ANY},
    data_bytes_max=10 * 10**6,
)


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What a family of models makes.

    Args:
        can: the way it is asked.
        sizes: its own word for a resolution of ours -> the lengths it makes of it, in seconds.
        roles: the inputs it takes.
    """

    can: Capabilities
    sizes: Mapping[str, frozenset[int]]
    roles: frozenset[Role] = frozenset()


def _seconds(*lengths: int) -> frozenset[int]:
    return frozenset(lengths)


_HAILUO = {"768P": _seconds(6, 10), "1080P": _seconds(6)}
_FRAMES = frozenset({Role.FIRST_FRAME, Role.LAST_FRAME})
_LONG = frozenset(range(4, 16))
_REFERENCES = frozenset({Role.REFERENCE_IMAGE, Role.REFERENCE_VIDEO, Role.REFERENCE_AUDIO})
MODELS = {
    "MiniMax-Hailuo-02*": Model(
        can=FIELDS, sizes={"512P": _seconds(6, 10), **_HAILUO}, roles=_FRAMES
    ),
    "MiniMax-Hailuo-*": Model(can=FIELDS, sizes=_HAILUO, roles=frozenset({Role.FIRST_FRAME})),
    "S2V-01*": Model(
        can=FIELDS, sizes={"720P": _seconds(6)}, roles=frozenset({Role.REFERENCE_IMAGE})
    ),
    "[TI]2V-01*": Model(
        can=FIELDS, sizes={"720P": _seconds(6)}, roles=frozenset({Role.FIRST_FRAME})
    ),
    "video-01*": Model(
        can=FIELDS, sizes={"720P": _seconds(6)}, roles=frozenset({Role.FIRST_FRAME})
    ),
    "*H3-Max*": Model(
        can=CONTENT, sizes={"480P": _LONG, "768P": _LONG}, roles=_FRAMES | _REFERENCES
    ),
    "*": Model(can=CONTENT, sizes={"768P": _LONG, "2K": _LONG}, roles=_FRAMES | _REFERENCES),
}
# Its words for a resolution of ours, in this order: it has no 720p where it has 768P.
WORDS = {"720p": ("720P", "768P")}
SETTLED_BY_FRAMES = "adaptive"
RATIO_OF_WORDS = "16:9"  # has to be said where there are words alone
# The older way has no shapes: its own for words, the frame's for a frame.
RATIOS_UNSAID = {"16:9", SETTLED_BY_FRAMES}
ONE_LENGTH = _seconds(6)
SIDES = range(512, 2_049, 8)
FILES_MAX = {Role.REFERENCE_IMAGE: 9, Role.REFERENCE_VIDEO: 3, Role.REFERENCE_AUDIO: 3}
USAGE = {"total_seconds": "seconds"}  # those of given videos cost as well
NEWER = "v2:"
IMAGE_S = 300.0
CHALLENGE_BYTES_MAX = 4_096
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")


class MiniMax:
    """Implements the protocols for tasks, callbacks and texts; knows no options."""

    name = "minimax"
    restartable = False
    capabilities = (FIELDS, CONTENT, PICTURE)

    def __init__(self, credential: Credential, upstream: Upstream) -> None:
        headers = {"Authorization": f"Bearer {credential.secret}"}
        self._older = Api(upstream, headers=headers, refusals=IN_BASE)
        self._newer = Api(upstream, headers=headers, refusals=IN_ERROR)
        self._chat = ChatWire(
            self._newer, tokens_field="max_completion_tokens", path="/v1/chat/completions"
        )

    async def start(self, assignment: Assignment, *, attempt_id: str) -> Pending | Finished:
        """Submit a video and return its id, or make a picture and wait for it."""
        if assignment.job.kind is Kind.IMAGE:
            return await self._picture(assignment, attempt_id)
        model = _model(assignment.model)
        is_newer = model.can is CONTENT
        body = await (_content if is_newer else _fields)(model, assignment)
        if assignment.callback_url:
            body["callback_url"] = assignment.callback_url
        api, path = (self._newer, "/v2") if is_newer else (self._older, "/v1")
        answer = await api.begin(f"{path}/video_generation", attempt_id=attempt_id, body=body)
        upstream_id = read_id(answer.get("task_id"))
        return Pending(f"{NEWER if is_newer else ''}{upstream_id}", running=False)

    async def check(self, upstream_id: str) -> Pending | Finished | Missing:
        """Read a task once, and where it is done the older way the file it made."""
        if upstream_id.startswith(NEWER):
            return await self._check_newer(upstream_id)
        task = await self._ask("/v1/query/video_generation", ("task_id", upstream_id))
        if task is None:
            return Missing()
        state = self._older.state(STATES, task.get("status"))
        if state is State.FAILED:
            raise self._older.failed(at(task, *IN_BASE.code_at))
        if state is not State.DONE:
            return Pending(upstream_id, running=state is State.RUNNING)
        return Finished(outputs=await self._file(task.get("file_id")))

    async def cancel(self, upstream_id: str) -> None:
        """Stop a task that still waits; deleting one that is done would delete its result."""
        known = await pending(self.check(upstream_id))
        if upstream_id.startswith(NEWER) and known is not None and not known.running:
            task_id = upstream_id.removeprefix(NEWER)
            await self._newer.stop("DELETE", f"/v2/video_generation/{task_id}")

    def parse_callback(self, body: bytes) -> str | None:
        """Return the task's id; nothing signs these callbacks."""
        newer = hint_of(body, "task", "id")
        return f"{NEWER}{newer}" if newer else hint_of(body, "task_id")

    def reply_to_callback(self, body: bytes) -> dict[str, str] | None:
        """Return what a new callback address has to answer within 3 s; None: nothing special."""
        told = at(read_json(body), "challenge") if len(body) <= CHALLENGE_BYTES_MAX else None
        return {"challenge": told} if isinstance(told, str) else None

    def stream(self, job: ChatJob, *, model: str) -> AsyncIterator[Chunk]:
        """Write a text, its thoughts apart from it."""
        sampling = {"reasoning_split": True, **job.sampling}
        return self._chat.stream(msgspec.structs.replace(job, sampling=sampling), model=model)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._older.upstream.close()

    async def _check_newer(self, upstream_id: str) -> Pending | Finished | Missing:
        path = f"/v2/query/video_generation/{upstream_id.removeprefix(NEWER)}"
        answer = await self._ask(path)
        if answer is None:
            return Missing()
        task = answer.get("task")
        state = self._newer.state(STATES, at(task, "status"))
        if state is State.FAILED:
            raise self._newer.failed(at(task, "error", "code"))
        if state is not State.DONE:
            return Pending(upstream_id, running=state is State.RUNNING)
        url = read_url(at(task, "content", "url"))
        outputs = (OutputFile("output", url=url),) if url else ()
        return Finished(outputs=outputs, usage=read_usage(at(task, "usage"), USAGE))

    async def _file(self, file_id: object) -> tuple[OutputFile, ...]:
        """Return where a file is; nothing for a task that is done without one."""
        if not isinstance(file_id, str | int) or not file_id:
            return ()
        found = await self._ask("/v1/files/retrieve", ("file_id", str(file_id)))
        url = read_url(at(found, "file", "download_url"))
        return (OutputFile("output", url=url),) if url else ()

    async def _ask(self, path: str, *query: tuple[str, str]) -> Mapping[str, Any] | None:
        """Read something; None: no such thing.

        Raises:
            UpstreamError: OVERLOADED, also for a code inside a good answer without a task (F10).
        """
        api = self._newer if path.startswith("/v2") else self._older
        asked = await api.ask(path, query=query)
        if asked is None:
            return None
        answer, code = asked[0], at(asked[0], *IN_BASE.code_at)
        if code in (0, None) or answer.get("status") == "Fail":
            return answer
        raise UpstreamError(IN_BASE.of_code(code) or Trouble.AMBIGUOUS).of_read()

    async def _picture(self, assignment: Assignment, attempt_id: str) -> Finished:
        body = await _picture(assignment)
        answer = await self._older.begin(
            "/v1/image_generation", attempt_id=attempt_id, body=body, timeout_s=IMAGE_S
        )
        made = at(answer, "data", "image_urls")
        urls = [url for each in made if (url := read_url(each))] if isinstance(made, list) else []
        if not urls:
            raise self._older.failed(None)
        usage = read_usage(answer.get("metadata"), {"success_count": "images"})
        return Finished(outputs=tuple(OutputFile("output", url=url) for url in urls), usage=usage)


def _model(name: str) -> Model:
    return next(model for pattern, model in MODELS.items() if fnmatchcase(name, pattern))


async def _fields(model: Model, assignment: Assignment) -> dict[str, Any]:
    """Write the body of a task the older way; what is unset is left out."""
    job = _checked(model, assignment)
    body: dict[str, Any] = {"model": assignment.model} | _length(model, job.params)
    if job.prompt:
        body["prompt"] = job.prompt
    if "prompt_expansion" in job.params:
        body["prompt_optimizer"] = job.params["prompt_expansion"]
    for file in assignment.inputs:
        name, url = FIELDS.roles[file.role], await hand_over(FIELDS, file)
        if name in body:
            raise _unsupported(param=file.role.value, why=f"takes one {file.role}")
        is_subject = file.role is Role.REFERENCE_IMAGE
        body[name] = [{"type": "character", "image": [url]}] if is_subject else url
    return body


async def _content(model: Model, assignment: Assignment) -> dict[str, Any]:
    """Write the body of a task the newer way; what is unset is left out."""
    job = _checked(model, assignment)
    content: list[dict[str, Any]] = [{"type": "text", "text": job.prompt}]
    for file in assignment.inputs:
        kind = f"{file.media_type.partition('/')[0]}_url"
        url = await hand_over(CONTENT, file)
        content.append({"type": kind, kind: {"url": url}, "role": CONTENT.roles[file.role]})
    body = {"model": assignment.model, "content": content} | _length(model, job.params)
    ratio = job.params.get("ratio", SETTLED_BY_FRAMES)
    if not assignment.inputs and ratio == SETTLED_BY_FRAMES:
        ratio = RATIO_OF_WORDS
    return body | {"ratio": ratio}


def _checked(model: Model, assignment: Assignment) -> MediaJob:
    """Return the job without what its pictures settle.

    Raises:
        PorticoError: UNSUPPORTED_OPTION for what this family of models lacks.
    """
    job = assignment.job
    is_settled = bool(assignment.inputs) or job.params.get("ratio") in RATIOS_UNSAID
    if model.can is FIELDS and is_settled:
        params = {name: value for name, value in job.params.items() if name != "ratio"}
        job = msgspec.structs.replace(job, params=params)
    refuse_unsupported(model.can, msgspec.structs.replace(assignment, job=job))
    for file in assignment.inputs:
        if file.role not in model.roles:
            raise _unsupported(param=file.role.value, why=f"takes no {file.role}")
    for role, most in FILES_MAX.items():
        if sum(file.role is role for file in assignment.inputs) > most:
            raise _unsupported(param=role.value, why=f"takes {most} of {role} at most")
    return job


def _length(model: Model, params: Mapping[str, ParamValue]) -> dict[str, Any]:
    """Return the length and the resolution under their names, together as the model has them."""
    said: dict[str, Any] = {}
    asked = str(params.get("resolution", ""))
    words = WORDS.get(asked, (asked.upper(),))
    size = next((word for word in words if word in model.sizes), None)
    if asked and size is None:
        raise _unsupported(param="resolution", why="has no such resolution")
    lengths = model.sizes[size] if size else frozenset().union(*model.sizes.values())
    if "duration" in params and params["duration"] not in lengths:
        raise _unsupported(param="duration", why="has no such length")
    if size and len(model.sizes) > 1:
        said["resolution"] = size
    if "duration" in params and lengths != ONE_LENGTH:
        said["duration"] = params["duration"]
    return said


def _unsupported(*, param: str, why: str) -> PorticoError:
    return PorticoError(ErrorCode.UNSUPPORTED_OPTION, f"This model {why}", param=param)


async def _picture(assignment: Assignment) -> dict[str, Any]:
    refuse_unsupported(PICTURE, assignment)
    job = assignment.job
    body: dict[str, Any] = {"model": assignment.model, "prompt": job.prompt, "n": 1}
    body["response_format"] = "url"
    for name in ("ratio", "seed", "prompt_expansion"):
        if name in job.params and job.params[name] != SETTLED_BY_FRAMES:
            body[PICTURE.params[name]] = job.params[name]
    if "size" in job.params:
        body |= _sides(str(job.params["size"]))
    if assignment.inputs:
        body["subject_reference"] = [
            {"type": "character", "image_file": await hand_over(PICTURE, file)}
            for file in assignment.inputs
        ]
    return body


def _sides(size: str) -> dict[str, int]:
    found = _SIZE.fullmatch(size)
    sides = [int(side) for side in found.groups()] if found else []
    if not sides or any(side not in SIDES for side in sides):
        raise _unsupported(param="size", why="has no such size")
    return dict(zip(("width", "height"), sides, strict=True))
