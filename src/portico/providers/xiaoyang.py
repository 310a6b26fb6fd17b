"""XiaoYang, after its page "Developer API": tasks that start from pictures and videos.

A task names a modal and one of its options. The list of options is behind the key; those that the
page shows read `[resolution_]duration_sound`, so ours are written that way.
"""

from fnmatch import fnmatchcase
from typing import Any

import msgspec

from portico.core.jobs import Kind, ParamValue, Role
from portico.core.upstreams import Trouble, Upstream
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
from portico.providers.http import Api, State, read_id, read_usage
from portico.providers.inputs import hand_over, refuse_unsupported
from portico.providers.relay import (
    Worded,
    failed_in_words,
    kept_file,
    renamed,
    without_neutral,
)

TASKS = "/tasks"
STATES = {
    "QUEUED": State.QUEUED,
    "PENDING": State.QUEUED,
    "PROCESSING": State.RUNNING,
    "SUCCESS": State.DONE,
    "FAIL": State.FAILED,
}
# Its errors are words alone. A 502 says "overloaded or failing", not whether the task was taken.
REFUSALS = Worded(
    code_at=("detail",),
    codes={
        "Invalid API key": Trouble.CREDENTIAL,
        "Account suspended": Trouble.CREDENTIAL,
        "Không đủ credit": Trouble.CREDIT,
    },
    words_at=("detail",),
    words={"*modal_key*": Trouble.MODEL, "*option_key*": Trouble.MODEL},
)
CHECK_AFTER_S = 10.0  # 10 to 30 s are asked for; who polls every second "may be blocked"
OPTION = "option_key"
DEFAULT_OPTION = "default"
_LINKED = (HandOver.PASS, HandOver.LINK)  # direct public links only
_ALL = Capabilities(
    kinds=frozenset({Kind.VIDEO, Kind.IMAGE}),
    media={"image": _LINKED, "video": _LINKED},
    check_after_s=CHECK_AFTER_S,
)


def _modal(roles: dict[Role, str], *kinds: Kind, **params: str) -> Capabilities:
    return msgspec.structs.replace(_ALL, roles=roles, params=params, kinds=frozenset(kinds))


_FRAME = {Role.FIRST_FRAME: "image_url"}
_SEEDANCE = _modal(
    _FRAME, Kind.VIDEO, duration=OPTION, resolution=OPTION, audio=OPTION, ratio="ratio"
)
# What each modal takes; the first that fits its name.
MODALS = {
    "img2vid_*": _modal(_FRAME, Kind.VIDEO, duration=OPTION, audio=OPTION),
    "motion_*": _modal(
        _FRAME | {Role.MOTION_VIDEO: "video_url"},
        Kind.VIDEO,
        motion_orientation="motion_orientation",
    ),
    "ai_wardrobe": _modal(
        {Role.SOURCE_IMAGE: "image_url", Role.GARMENT: "clothes_image_url"},
        Kind.IMAGE,
        wardrobe_part="wardrobe_replace",
    ),
    "enhance_image": _modal({Role.SOURCE_IMAGE: "image_url"}, Kind.IMAGE),
    "enhance_video": _modal({Role.SOURCE_VIDEO: "video_url"}, Kind.VIDEO),
    "*": _SEEDANCE,
}
CAPABILITIES = tuple(MODALS.values())
WORDLESS = ("ai_wardrobe", "enhance_*")  # "do not send a prompt"
NEUTRAL = {"ratio": ("adaptive",)}  # its default for Seedance, and what the others do


class XiaoYang:
    """Implements `TaskProvider` for one credential, with a base URL that ends in `/api/v1`.

    It knows no options, cannot stop a task and cannot look up a lost start.
    """

    name = "xiaoyang"
    restartable = False
    capabilities = CAPABILITIES

    def __init__(self, credential: Credential, upstream: Upstream) -> None:
        headers = {"Authorization": f"Bearer {credential.secret}"}
        self._api = Api(upstream, headers=headers, refusals=REFUSALS)

    async def start(self, assignment: Assignment, *, attempt_id: str) -> Pending | Finished:
        """Submit a task and return its id."""
        body = await _task(assignment)
        answer = await self._api.begin(TASKS, attempt_id=attempt_id, body=body)
        upstream_id = read_id(answer.get("task_id"))
        return Pending(upstream_id, running=False, check_after_s=CHECK_AFTER_S)

    async def check(self, upstream_id: str) -> Pending | Finished | Missing:
        """Read a task once."""
        path = f"{TASKS}/{upstream_id}"
        asked = await self._api.ask(path)
        if asked is None:
            return Missing()
        task, _ = asked
        state = self._api.state(STATES, task.get("status"))
        if state is State.FAILED:
            raise failed_in_words(REFUSALS, task.get("error_message"))
        if state is not State.DONE:
            running = state is State.RUNNING
            return Pending(upstream_id, running=running, check_after_s=CHECK_AFTER_S)
        usage = read_usage(task, {"credit": "credits"})
        if not (task.get("video_url") or task.get("image_url")):
            return Finished(outputs=(), usage=usage)
        # Both are the relative path of the download; where it is, the page says.
        output = OutputFile("output", save=kept_file(self._api, f"{path}/download"))
        return Finished(outputs=(output,), usage=usage)

    async def cancel(self, upstream_id: str) -> None:
        """Do nothing: a task there cannot be stopped."""

    async def close(self) -> None:
        """Let go of all connections."""
        await self._api.upstream.close()


async def _task(assignment: Assignment) -> dict[str, Any]:
    modal = assignment.model
    can = next(can for name, can in MODALS.items() if fnmatchcase(modal, name))
    asked = without_neutral(assignment, NEUTRAL)
    refuse_unsupported(can, asked)
    body: dict[str, Any] = {"modal_key": modal, OPTION: option_of(can, dict(asked.job.params))}
    if asked.job.prompt and not any(fnmatchcase(modal, name) for name in WORDLESS):
        body["prompt"] = asked.job.prompt
    body |= {name: value for name, value in renamed(can, asked).items() if name != OPTION}
    for file in asked.inputs:
        body[can.roles[file.role]] = await hand_over(can, file)
    return body


def option_of(can: Capabilities, params: dict[str, ParamValue]) -> str:
    """Return the key of the option that settles what it settles for this modal."""
    settled = [name for name in ("resolution", "duration") if can.params.get(name) == OPTION]
    parts = [str(params[name]) for name in settled if name in params]
    if not parts:
        return DEFAULT_OPTION
    return "_".join((*parts, "on" if params.get("audio") else "off"))
