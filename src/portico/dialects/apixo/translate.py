"""APIXO's wire ↔ core; pure functions."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import msgspec

from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import TaskId
from portico.core.jobs import MediaAsk, MediaInput, Mode, Role, RouteClass
from portico.core.views import TaskState, TaskView
from portico.dialects.apixo.errors import FAIL_CODE
from portico.dialects.apixo.wire import Envelope, Input, Status, Submit, Submitted
from portico.dialects.spelling import respelled

MODES: Mapping[str, Mode] = {"text-to-video": Mode.TEXT, "image-to-video": Mode.IMAGE}
SETTINGS: Mapping[str, str] = {
    "resolution": "resolution",
    "duration": "duration",
    "ratio": "aspect_ratio",
    "negative_prompt": "negative_prompt",
    "seed": "seed",
    "prompt_expansion": "enable_prompt_expansion",
}
FIELDS: Mapping[str, str] = {
    **{name: f"input.{field}" for name, field in SETTINGS.items()},
    "prompt": "input.prompt",
    "mode": "input.mode",
    Role.FIRST_FRAME.value: "input.image_urls",
    "callback_url": "callback_url",
}
STATES: Mapping[TaskState, str] = {
    TaskState.QUEUED: "pending",
    TaskState.SUBMITTING: "pending",
    TaskState.RUNNING: "processing",
    TaskState.STORING: "processing",
    TaskState.SUCCEEDED: "success",
    TaskState.FAILED: "failed",
    TaskState.CANCELLED: "failed",  # the page has no word of its own
    TaskState.EXPIRED: "failed",
}

_REQUIRED = " is required"
T = TypeVar("T")


class RequestType(StrEnum):
    """How the client wants to hear of the end."""

    ASYNC = "async"
    CALLBACK = "callback"


def parse_submit(body: Submit, model: str) -> MediaAsk:
    """Read a submit; `model` is the path's.

    Raises:
        PorticoError: INVALID_REQUEST for a missing input, an unknown provider or mode.
    """
    if body.input is None:
        raise _missing(field="input")
    given = {name: getattr(body.input, field) for name, field in SETTINGS.items()}
    classes = {each.value: each for each in RouteClass}
    return MediaAsk(
        dialect="apixo",
        name=model,
        mode=_mode(body.input),
        prompt=body.input.prompt or "",
        given={name: value for name, value in given.items() if value is not None},
        inputs=tuple(
            MediaInput(role=Role.FIRST_FRAME, url=url) for url in body.input.image_urls or ()
        ),
        route_class=_choice(classes, body.provider or RouteClass.AUTO, "provider"),
    )


def parse_callback(body: Submit) -> str | None:
    """Return where to post the end of the task; None unless request_type says callback.

    Raises:
        PorticoError: INVALID_REQUEST for an unknown request_type, or a callback without URL.
    """
    types = {each.value: each for each in RequestType}
    wanted = _choice(types, body.request_type or RequestType.ASYNC, "request_type")
    if wanted is RequestType.ASYNC:
        return None
    if not (body.callback_url or "").strip():
        raise _missing(field="callback_url")
    return body.callback_url


def in_own_words(error: PorticoError) -> PorticoError:
    """Name the field at fault as the page does, and say "missing" as the vendor does."""
    if error.code is ErrorCode.MEDIA_UNREACHABLE and error.param is None:
        error.param = "callback_url"  # every other URL is checked in the name of its role
    named = respelled(error, FIELDS)
    if named.param is not None and named.message == named.param + _REQUIRED:
        return _missing(field=named.param)
    return named


def render_submitted(task_id: TaskId) -> Envelope:
    """Write the answer to a submit."""
    return Envelope(data=Submitted(taskId=shown_id(task_id)))


def render_status(view: TaskView, public_url: str) -> Envelope:
    """Write a task; links are absolute."""
    status = Status(
        taskId=shown_id(view.id),
        state=STATES[view.state],
        createTime=view.created_at,
        completeTime=view.finished_at,
        costTime=view.finished_at and view.finished_at - view.created_at,
    )
    if view.state is TaskState.SUCCEEDED:
        urls = [public_url + each.url_path for each in view.outputs]
        status.resultJson = msgspec.json.encode({"resultUrls": urls}).decode()
    elif view.is_final:
        status.failCode, status.failMsg = _failure(view)
    return Envelope(data=status)


def render_callback(view: TaskView, *, public_url: str) -> bytes:
    """Write the body of a callback: the very JSON that statusTask would answer."""
    return msgspec.json.encode(render_status(view, public_url))


def shown_id(task_id: TaskId) -> str:
    """Return a task id as APIXO writes it."""
    return f"task_{task_id}"


def _failure(view: TaskView) -> tuple[str, str]:
    message = view.failure_message or "Generation failed"
    if view.state is TaskState.CANCELLED:
        message = "cancelled"
    return FAIL_CODE[view.failure_code or ErrorCode.INTERNAL], message


def _mode(given: Input) -> Mode | None:
    return _choice(MODES, given.mode, "input.mode") if given.mode else None


def _choice(words: Mapping[str, T], word: str, field: str) -> T:
    found = words.get(word.strip().lower())
    if found is None:
        message = f"{field} must be one of {', '.join(words)}"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param=field)
    return found


def _missing(*, field: str) -> PorticoError:
    message = f"Missing required field: {field}"
    return PorticoError(ErrorCode.INVALID_REQUEST, message, param=field)
