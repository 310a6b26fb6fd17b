"""Vidu, worldwide and in China: videos and pictures of the Q1, Q2 and Q3 models.

Each way of making something is a call of its own, chosen by the inputs. Sources: the pages "Text
to Video", "Image to Video", "Start End to Video", "Reference to Video", "Image Generating", "Get
Generation", "Task Management", "Cancel Generation" and "Error Code".

`payload` comes back as it was sent: it carries our attempt, by which a lost task is found in the
list. Callbacks are signed, over everything but their body; so all that is taken from one is an id.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from msgspec import structs

from portico.core.clock import MINUTE_MS, SECOND_MS, Instant
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, Role
from portico.core.upstreams import Trouble, Upstream, UpstreamError
from portico.providers.base import (
    Assignment,
    Capabilities,
    Credential,
    Finished,
    HandOver,
    Lost,
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
    pending,
    read_id,
    read_number,
    read_remaining,
    read_url,
    read_usage,
)
from portico.providers.inputs import hand_over, refuse_unsupported, without_neutral

STATES = {
    "created": State.QUEUED,
    "queueing": State.QUEUED,
    "processing": State.RUNNING,
    "success": State.DONE,
    "failed": State.FAILED,
}
REFUSALS = Refusals(
    code_at=("reason",),
    codes={
        "*PolicyViolation": Trouble.CONTENT,
        "AuditSubmitIllegal": Trouble.CONTENT,
        "AuditFailed": Trouble.CONTENT,
        "PhotoAuditNotPass": Trouble.CONTENT,
        "ImageDownloadFailure": Trouble.MEDIA,
        "ImageFormatInvalid": Trouble.MEDIA,
        "ImageCheck*Failed": Trouble.MEDIA,  # no body, no face
        "ImageObjectsUndetected": Trouble.MEDIA,
        "CreditInsufficient": Trouble.CREDIT,
        "ModelUnavailable": Trouble.MODEL,
        "Unauthorized": Trouble.CREDENTIAL,
        "Forbidden": Trouble.CREDENTIAL,
        "QuotaExceeded": Trouble.BUSY,  # of what may run at once
        "TooManyRequests": Trouble.BUSY,
        "SystemThrottling": Trouble.BUSY,
        "OperationInProcess": Trouble.BUSY,
        "BadRequest": Trouble.REQUEST,
        "Field*": Trouble.REQUEST,
        "PageSizeOutOfRange": Trouble.REQUEST,
        "UserCancelled": Trouble.FAILED,
        "Conflict": Trouble.AMBIGUOUS,
        "Canceled": Trouble.AMBIGUOUS,
        "InternalServiceFailure": Trouble.AMBIGUOUS,
    },
)
TEXT, FRAME, FRAMES = "/text2video", "/img2video", "/start-end2video"
REFERENCE, PICTURE = "/reference2video", "/reference2image"
DATA_BYTES_MAX = 14 * 10**6  # of all files in a request of 20 MB: base64 makes four bytes of three
_VIDEO = frozenset({Kind.VIDEO})
_PARAMS = {
    "duration": "duration",
    "resolution": "resolution",
    "seed": "seed",
    "audio": "audio",
    "off_peak": "off_peak",
}
_MEDIA = {"image": (HandOver.PASS, HandOver.DATA, HandOver.LINK)}
CALLS = {
    TEXT: Capabilities(kinds=_VIDEO, params=_PARAMS | {"ratio": "aspect_ratio"}, calls_back=True),
    FRAME: Capabilities(
        kinds=_VIDEO,
        params=_PARAMS,
        roles={Role.FIRST_FRAME: "images"},
        media=_MEDIA,
        data_bytes_max=DATA_BYTES_MAX,
        calls_back=True,
    ),
    FRAMES: Capabilities(
        kinds=_VIDEO,
        params=_PARAMS,
        roles={Role.FIRST_FRAME: "images", Role.LAST_FRAME: "images"},  # in this order
        media=_MEDIA,
        data_bytes_max=DATA_BYTES_MAX,
        calls_back=True,
    ),
    REFERENCE: Capabilities(
        kinds=_VIDEO,
        params=_PARAMS | {"ratio": "aspect_ratio"},
        roles={
            Role.REFERENCE_IMAGE: "images",
            Role.REFERENCE_VIDEO: "videos",
            Role.REFERENCE_AUDIO: "sounds",
        },
        media=_MEDIA
        | {
            "video": (HandOver.PASS, HandOver.DATA, HandOver.LINK),
            "audio": (HandOver.PASS, HandOver.LINK),
        },
        data_bytes_max=DATA_BYTES_MAX,
        calls_back=True,
    ),
    PICTURE: Capabilities(
        kinds=frozenset({Kind.IMAGE}),
        params={"ratio": "aspect_ratio", "resolution": "resolution", "seed": "seed"},
        roles={
            Role.REFERENCE_IMAGE: "images",
            Role.SOURCE_IMAGE: "images",
            Role.FIRST_FRAME: "images",
        },
        media=_MEDIA,
        data_bytes_max=DATA_BYTES_MAX,
        calls_back=True,
    ),
}
_FRAMED = "viduq3-turbo viduq3-pro viduq2-pro-fast viduq2-pro viduq2-turbo viduq1 viduq1-classic"
# Which models a call knows. One that stands nowhere is newer than this table: Vidu shall say.
MODELS = {
    TEXT: frozenset({"viduq3-turbo", "viduq3-pro", "viduq2", "viduq1"}),
    FRAME: frozenset({*_FRAMED.split(), "viduq3-pro-fast", "vidu2.0"}),
    FRAMES: frozenset({*_FRAMED.split(), "vidu2.0"}),
    REFERENCE: frozenset(
        {"viduq3", "viduq3-turbo", "viduq3-mix", "viduq2-pro", "viduq2", "viduq1", "vidu2.0"}
    ),
    PICTURE: frozenset({"viduq2", "viduq1"}),
}
_KNOWN = frozenset().union(*MODELS.values())
# What a family lacks, by its name, most special first: options and inputs.
LACKS: Mapping[str, tuple[str, ...]] = {
    "viduq2-pro": (),
    "viduq[23]*": (Role.REFERENCE_VIDEO, Role.REFERENCE_AUDIO),
    "vidu*": ("audio", Role.REFERENCE_VIDEO, Role.REFERENCE_AUDIO),
}
# A video has the shape of its first frame: what everybody has by default asks for nothing there.
NEUTRAL = {"ratio": ("16:9", "adaptive")}
RESOLUTIONS = {"2k": "2K", "4k": "4K"}
USAGE = {"credits": "credits"}
LIST_SIZE = 100
LIST_PAGES_MAX = 20
CLOCKS_DIFFER_MS = 5 * MINUTE_MS


class Vidu:
    """Implements `TaskProvider`, `Finder`, `CallbackReader` and `BalanceReader`; no options."""

    name = "vidu"
    restartable = False
    capabilities = tuple(CALLS.values())

    def __init__(self, credential: Credential, upstream: Upstream) -> None:
        headers = {"Authorization": f"Token {credential.secret}"}
        self._api = Api(upstream, headers=headers, refusals=REFUSALS)

    async def start(self, assignment: Assignment, *, attempt_id: str) -> Pending | Finished:
        """Submit by the call that the inputs ask for, and return the task's id."""
        path = _path(assignment)
        body = await _task(path, assignment, attempt_id)
        answer = await self._api.begin(path, attempt_id=attempt_id, body=body)
        upstream_id = read_id(answer.get("task_id"))
        return Pending(upstream_id, running=False)

    async def check(self, upstream_id: str) -> Pending | Finished | Missing:
        """Read a task once."""
        asked = await self._api.ask(f"/tasks/{upstream_id}/creations")
        return Missing() if asked is None else self._outcome(upstream_id, asked[0])

    async def cancel(self, upstream_id: str) -> None:
        """Stop a task; Vidu does so while it waits, and off-peak ones later as well."""
        known = await pending(self.check(upstream_id))
        if known is not None:
            path = f"/tasks/{upstream_id}/cancel"
            await self._api.stop("POST", path, body={"id": upstream_id})

    async def find(self, lost: Lost) -> Pending | Finished | Missing | None:
        """Look through the list for the task that carries this attempt."""
        since = _rfc3339(lost.started_at - CLOCKS_DIFFER_MS)
        for page in range(LIST_PAGES_MAX):
            tasks, is_last = await self._page(page, since)
            for task in tasks:
                if at(task, "payload") == lost.attempt_id:
                    return self._outcome(read_id(at(task, "id")), task)
            if not all(isinstance(at(task, "payload"), str) for task in tasks):
                return None  # a list without marks tells nothing
            if is_last:
                return Missing()
        return None  # the list is longer than what can be looked through

    async def balance(self) -> Remaining:
        """Add up the credits of all packages, as `GET /ent/v2/credits` lists them."""
        asked = await self._api.ask("/credits")
        packages = at(asked[0], "remains") if asked else None
        found = packages if isinstance(packages, list) else []
        return read_remaining((at(package, "credit_remain") for package in found), "credits")

    def parse_callback(self, body: bytes) -> str | None:
        """Return the task's id."""
        return hint_of(body, "id")

    async def close(self) -> None:
        """Let go of all connections."""
        await self._api.upstream.close()

    async def _page(self, page: int, since: str) -> tuple[list[Any], bool]:
        query = (
            ("created_at.from", since),
            ("pager.page", str(page)),
            ("pager.pagesz", str(LIST_SIZE)),
        )
        asked = await self._api.ask("/tasks", query=query)
        tasks = at(asked[0], "tasks") if asked else None
        if not isinstance(tasks, list):
            raise UpstreamError(Trouble.UNREACHED, error="no list")
        return tasks, len(tasks) < LIST_SIZE

    def _outcome(self, upstream_id: str, task: Mapping[str, Any]) -> Pending | Finished:
        state = self._api.state(STATES, task.get("state"))
        if state is State.FAILED:
            raise self._api.failed(task.get("err_code"))
        if state is not State.DONE:
            return Pending(upstream_id, running=state is State.RUNNING)
        made = task.get("creations")
        creations = made if isinstance(made, list) else []
        urls = [url for each in creations if (url := read_url(at(each, "url")))]
        usage = read_usage(task, USAGE)
        seconds = [read_number(at(each, "video", "duration")) for each in creations]
        if seconds and (first := seconds[0]) is not None:
            usage["seconds"] = first
        outputs = tuple(OutputFile("output", url=url) for url in urls)
        return Finished(outputs=outputs, usage=usage)


def _path(assignment: Assignment) -> str:
    """Return the call for what is given; one that does not fit refuses it by name."""
    if assignment.job.kind is Kind.IMAGE:
        return PICTURE
    roles = {file.role for file in assignment.inputs}
    if Role.LAST_FRAME in roles:
        return FRAMES
    if Role.FIRST_FRAME in roles:
        return FRAME
    return REFERENCE if roles else TEXT


async def _task(path: str, assignment: Assignment, attempt_id: str) -> dict[str, Any]:
    """Write the body of a new task; what is unset is left out, so that their defaults hold."""
    can = _can(path, assignment)
    assignment = without_neutral(can, assignment, NEUTRAL)
    _check(path, can, assignment)
    job = assignment.job
    body: dict[str, Any] = {"model": assignment.model, "payload": attempt_id}
    if job.prompt:
        body["prompt"] = job.prompt
    for name, value in job.params.items():
        if name in can.params and (name, value) != ("ratio", "adaptive"):
            body[can.params[name]] = RESOLUTIONS.get(str(value), value)
    if job.params.get("ratio") == "adaptive" and assignment.inputs and "ratio" in can.params:
        body["aspect_ratio"] = "auto"  # that of the first picture
    order = list(can.roles)
    for file in sorted(assignment.inputs, key=lambda each: order.index(each.role)):
        body.setdefault(can.roles[file.role], []).append(await hand_over(can, file))
    if assignment.callback_url:
        body["callback_url"] = assignment.callback_url
    return body


def _can(path: str, assignment: Assignment) -> Capabilities:
    """Return what a call can do with a model, and with so many files in one body."""
    can = CALLS[path]
    lacks = next(
        (lacks for name, lacks in LACKS.items() if fnmatchcase(assignment.model, name)), ()
    )
    return structs.replace(
        can,
        params={name: theirs for name, theirs in can.params.items() if name not in lacks},
        roles={role: theirs for role, theirs in can.roles.items() if role not in lacks},
        data_bytes_max=can.data_bytes_max // max(1, len(assignment.inputs)),
    )


def _check(path: str, can: Capabilities, assignment: Assignment) -> None:
    refuse_unsupported(can, assignment)
    model, given = assignment.model, [file.role for file in assignment.inputs]
    if model in _KNOWN and model not in MODELS[path]:
        message = "This model makes nothing from such inputs"
        raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param=given[0] if given else None)
    if path in {FRAME, FRAMES} and sorted(given) != sorted(can.roles):
        message = "A video between frames needs one first frame, and one last frame at most"
        raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param=given[0].value)


def _rfc3339(instant: Instant) -> str:
    return datetime.fromtimestamp(instant / SECOND_MS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
