"""OpenAI's video wire ↔ core; pure functions.

The shape is Sora's; the models behind it are whatever the catalogue sells. Beside OpenAI's own
fields, the parameters of those models are read from `extra_body` under Portico's names.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from portico.core.clock import SECOND_MS
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import TaskId
from portico.core.jobs import Kind, MediaAsk, MediaInput
from portico.core.views import TaskState, TaskView
from portico.dialects.fields import Fields, field, text_field
from portico.dialects.openai import unsupported
from portico.dialects.openai.errors import ERRORS
from portico.dialects.openai.images import params_of
from portico.dialects.openai.wire import (
    DIALECT,
    Event,
    EventData,
    Video,
    VideoError,
    VideoList,
    VideoMetadata,
)

SOURCES = ("input_reference",)
FAILED = "Generation failed"
STATUS = {
    TaskState.QUEUED: "queued",
    TaskState.SUBMITTING: "queued",
    TaskState.RUNNING: "in_progress",
    TaskState.STORING: "in_progress",
    TaskState.SUCCEEDED: "completed",
    TaskState.FAILED: "failed",
    TaskState.CANCELLED: "failed",
    TaskState.EXPIRED: "failed",
}
_PARAMS = {
    "duration": ("seconds", "duration"),
    "size": ("size",),
    "resolution": ("resolution",),
    "ratio": ("ratio", "aspect_ratio"),
    "audio": ("audio", "generate_audio"),
    "lock_camera": ("lock_camera",),
    "negative_prompt": ("negative_prompt",),
    "seed": ("seed",),
}
# the sizes OpenAI's clients know, as models say them that count lines
IN_LINES: Mapping[str, tuple[str, str]] = {
    "854x480": ("480p", "16:9"),
    "480x854": ("480p", "9:16"),
    "1280x720": ("720p", "16:9"),
    "720x1280": ("720p", "9:16"),
    "1920x1080": ("1080p", "16:9"),
    "1080x1920": ("1080p", "9:16"),
}
_INPUTS = dict.fromkeys(("first_frame", "source_image", "reference_image"), "input_reference")


def parse_video(fields: Fields, inputs: Iterable[MediaInput]) -> MediaAsk:
    """Read a submit; without a model the catalogue's own default is meant.

    Raises:
        PorticoError: UNSUPPORTED_OPTION for what would change price or content unheard.
    """
    unsupported.refuse({name: values[-1] for name, values in fields.items()}, unsupported.VIDEOS)
    return MediaAsk(
        dialect=DIALECT,
        name=text_field(fields, "model"),
        kind=Kind.VIDEO,
        prompt=text_field(fields, "prompt") or "",
        given=params_of(fields, _PARAMS),
        inputs=tuple(inputs),
    )


def in_lines(ask: MediaAsk) -> MediaAsk:
    """Say a size as resolution and ratio, for a model that knows no sizes.

    A size that is not listed stays, and is refused by its name.
    """
    size = str(ask.given.get("size", "")).lower().strip()
    if size not in IN_LINES or not {"resolution", "ratio"}.isdisjoint(ask.given):
        return ask
    resolution, ratio = IN_LINES[size]
    others = {name: value for name, value in ask.given.items() if name != "size"}
    given = others | {"resolution": resolution, "ratio": ratio}
    return msgspec.structs.replace(ask, given=given)


def fields_of(fields: Fields) -> dict[str, str]:
    """Return how this request spells the canonical names; OpenAI's way where it sent nothing."""
    spelled = {
        name: next((each for each in names if field(fields, each) is not None), names[0])
        for name, names in _PARAMS.items()
    }
    if field(fields, "size") is not None:  # it may have been read as the other two
        sized = (name for name in ("resolution", "ratio") if spelled[name] not in fields)
        spelled |= dict.fromkeys(sized, "size")
    return spelled | _INPUTS


def video_id(task_id: TaskId) -> str:
    """Write a task's id as OpenAI's look."""
    return f"video_{task_id}"


def render_video(view: TaskView, public_url: str) -> Video:
    """Write a video as it stands, in OpenAI's four statuses and no other."""
    video = Video(
        id=video_id(view.id),
        created_at=view.created_at // SECOND_MS,
        status=status_of(view),
        progress=_progress(view),
        model=view.offered_name,
        seconds=_seconds(view),
        size=_size(view),
    )
    if video.status == "completed":
        _complete(video, view, public_url)
    elif video.status == "failed":
        video.error = _failure(view)
    return video


def status_of(view: TaskView) -> str:
    """Return OpenAI's word for how far a video is; waiting at an upstream is waiting."""
    if view.state is TaskState.RUNNING and not view.upstream_started:
        return "queued"
    return STATUS[view.state]


def render_list(views: Sequence[TaskView], public_url: str, *, limit: int) -> VideoList:
    """Write one page; a view beyond `limit` only says that there are more."""
    videos = [render_video(each, public_url) for each in views[:limit]]
    return VideoList(
        data=videos,
        first_id=videos[0].id if videos else None,
        last_id=videos[-1].id if videos else None,
        has_more=len(views) > limit,
    )


def render_callback(view: TaskView) -> bytes:
    """Write the body of a callback: an event that names the task, to be read then.

    It has the same id however often it is sent.
    """
    ended = "completed" if view.state is TaskState.SUCCEEDED else "failed"
    is_video = view.kind is Kind.VIDEO
    event = Event(
        id=f"evt_{view.id}",
        created_at=(view.finished_at or view.created_at) // SECOND_MS,
        type=f"{view.kind.value}.{ended}",
        data=EventData(video_id(view.id) if is_video else str(view.id)),
    )
    return msgspec.json.encode(event)


def page_limit(text: str | None) -> int:
    """Read how many videos a page is to have.

    Raises:
        PorticoError: INVALID_REQUEST unless it is a number from 1 to 100.
    """
    if text is None:
        return 20
    if text.isascii() and text.isdigit() and len(text) <= len("100") and 1 <= int(text) <= 100:  # noqa: PLR2004
        return int(text)
    message = "limit must be a whole number from 1 to 100"
    raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="limit")


def oldest_first(text: str | None) -> bool:
    """Read the order of a page.

    Raises:
        PorticoError: INVALID_REQUEST unless it is `asc` or `desc`.
    """
    if text not in {None, "asc", "desc"}:
        message = "order must be asc or desc"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="order")
    return text == "asc"


def _complete(video: Video, view: TaskView, public_url: str) -> None:
    video.completed_at = view.finished_at and view.finished_at // SECOND_MS
    video.expires_at = view.expires_at and view.expires_at // SECOND_MS
    if view.outputs:
        video.url = public_url + view.outputs[0].url_path
        video.metadata = VideoMetadata(video.url)


def _failure(view: TaskView) -> VideoError:
    words = ERRORS[view.failure_code] if view.failure_code else None
    code = (words and words.code) or "generation_failed"
    return VideoError(code, view.failure_message or FAILED)


def _progress(view: TaskView) -> int:
    """Return whole percent; 100 only for what is really there."""
    if view.state is TaskState.SUCCEEDED:
        return 100
    return min(99, int((view.progress or 0) * 100))


def _seconds(view: TaskView) -> str | None:
    """Return the length as it was ordered, else as it came out."""
    if "duration" in view.params:
        return str(view.params["duration"])
    made = view.outputs[0].duration_ms if view.outputs else None
    return None if made is None else str(round(made / SECOND_MS))


def _size(view: TaskView) -> str | None:
    """Return the real size once there is one, until then what was ordered."""
    made = view.outputs[0] if view.outputs else None
    if made is not None and made.width and made.height:
        return f"{made.width}x{made.height}"
    if "size" in view.params:
        return str(view.params["size"])
    return _planned_size(str(view.params.get("resolution")), str(view.params.get("ratio")))


def _planned_size(resolution: str, ratio: str) -> str | None:
    """Say "720p" and "16:9" as a size; None for what models draw in sizes of their own."""
    sizes = (size for size, lines in IN_LINES.items() if lines == (resolution, ratio))
    return next(sizes, None)
