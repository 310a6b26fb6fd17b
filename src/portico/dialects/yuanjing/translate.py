"""Yuanjing's video wire ↔ core; pure functions. Texts are in `chat`."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaAsk, MediaInput, Mode
from portico.core.money import shown_cost
from portico.core.views import AssetView, TaskState, TaskView
from portico.dialects.yuanjing.fields import Fields, field, text_field
from portico.dialects.yuanjing.wire import Model, ModelList, Submitted, Task
from portico.flows.price_list import Offering

DIALECT = "yuanjing"
CANCELLED = "cancelled"
FAILED = "Generation failed"
TEXT_FUNCTION = "t2t"
Link = Callable[[AssetView, str], str]  # a file, and the name to show for it -> its address

PARAMS = ("negative_prompt", "size", "resolution", "duration", "off_peak")
STATUS = {
    TaskState.QUEUED: "CREATED",
    TaskState.SUBMITTING: "PENDING",
    TaskState.RUNNING: "RUNNING",
    TaskState.STORING: "RUNNING",
    TaskState.SUCCEEDED: "SUCCEEDED",
    TaskState.FAILED: "FAILED",
    TaskState.CANCELLED: "FAILED",
    TaskState.EXPIRED: "FAILED",
}
# Vidu's words for what was done, as the page's sample has them
ACTIONS: Mapping[tuple[Kind, Mode], tuple[str, str]] = {
    (Kind.VIDEO, Mode.TEXT): ("t2v", "text2video"),
    (Kind.VIDEO, Mode.IMAGE): ("i2v", "img2video"),
    (Kind.VIDEO, Mode.FIRST_LAST): ("i2v", "start-end2video"),
    (Kind.VIDEO, Mode.REFERENCE): ("r2v", "reference2video"),
    (Kind.IMAGE, Mode.TEXT): ("t2i", "text2image"),
    (Kind.IMAGE, Mode.IMAGE): ("i2i", "img2image"),
    (Kind.TEXT, Mode.CHAT): ("t2t", "text2text"),
}
_STAR = "(*)"  # marks the default of several in the page's tables; no part of the name (D18)
_COVERS = {"image/jpeg": "jpeg", "image/png": "png", "image/webp": "webp"}


def parse_video(fields: Fields, inputs: Iterable[MediaInput]) -> MediaAsk:
    """Read a video submit; which of the modes it is, the inputs decide (D14).

    Raises:
        PorticoError: INVALID_REQUEST when neither llmid nor model says which model is meant.
    """
    llmid, model = text_field(fields, "llmid"), text_field(fields, "model")
    if llmid is None and model is None:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "llmid is required", param="llmid")
    given = {name: field(fields, name) for name in PARAMS}
    ratio = field(fields, "ratio")
    given["ratio"] = field(fields, "radio") if ratio is None else ratio
    return MediaAsk(
        dialect=DIALECT,
        name=llmid and llmid.strip(),
        variant=model and model.strip().removesuffix(_STAR).strip(),
        function=_function(text_field(fields, "catelogid")),
        kind=Kind.VIDEO,
        prompt=text_field(fields, "prompt") or "",
        given={name: value for name, value in given.items() if value is not None},
        inputs=tuple(inputs),
    )


def render_submitted(view: TaskView, *, upper: bool) -> Submitted:
    """Write the answer to a submit: lower case as the page samples it, unless set otherwise."""
    return Submitted(taskid=str(view.id), status="CREATED" if upper else "created")


def render_not_started(message: str) -> Submitted:
    """Write the answer to a submit that nobody took; nothing is charged (D37)."""
    return Submitted(taskid="", status="FAILED", error=message)


def render_task(view: TaskView, link: Link) -> Task:
    """Write a task as it stands."""
    task = Task(status=_status(view), taskid=str(view.id))
    if view.state is TaskState.SUCCEEDED:
        task.usage = usage_of(view)
        task.image, task.video = _links(view, link)
    elif task.status == "FAILED":
        cancelled = view.state is TaskState.CANCELLED
        task.error = CANCELLED if cancelled else view.failure_message or FAILED
    return task


def render_callback(view: TaskView) -> bytes:
    """Write the body of a callback: the task as a read would show it, with relative links."""
    return msgspec.json.encode(render_task(view, lambda asset, _: asset.url_path))


def render_models(
    offerings: Iterable[Offering], labels: Mapping[str, str], *, function: str | None
) -> ModelList:
    """Write what is offered; `labels` holds the shown provider of every model."""
    wanted = _function(function)
    return ModelList(
        data=[
            Model(
                id=each.variant or each.name,
                owned_by=labels[each.model],
                llmid=each.name,
                catelogid=function_of(each),
            )
            for each in offerings
            if wanted in {None, function_of(each)}
        ]
    )


def function_of(offering: Offering) -> str:
    """Return the page's word for what an offering does."""
    return offering.function or (TEXT_FUNCTION if offering.kind is Kind.TEXT else "")


def usage_of(view: TaskView) -> dict[str, object]:
    """Write what was used: the page's Vidu form, with whatever of it the model has.

    LLM tokens, where an upstream counts video by them, stand under Seedance's names.
    """
    action, kind = ACTIONS.get((view.kind, view.mode), (view.mode.value, view.mode.value))
    usage: dict[str, object] = {
        "action": action,
        "credits": shown_cost(view.charged),
        "type": kind,
        "model": _model_name(view),
    }
    for name in ("resolution", "size", "off_peak", "duration"):
        if name in view.params:
            usage[name] = view.params[name]
    for name in ("completion_tokens", "total_tokens"):
        if isinstance(view.usage.get(name), int):
            usage[name] = view.usage[name]
    return usage


def _status(view: TaskView) -> str:
    if view.state is TaskState.RUNNING and not view.upstream_started:
        return "PENDING"
    return STATUS[view.state]


def _links(view: TaskView, link: Link) -> tuple[str, str]:
    """Return a video's cover and the video; for a picture, the picture and nothing."""
    made = view.outputs[0] if view.outputs else None
    if made is not None and view.kind is Kind.IMAGE:
        return link(made, f"image.{_COVERS.get(made.media_type, 'png')}"), ""
    cover = view.cover and link(view.cover, f"cover.{_COVERS.get(view.cover.media_type, 'jpeg')}")
    return cover or "", link(made, "video.mp4") if made else ""


def _model_name(view: TaskView) -> str:
    """Return the model as this dialect names it; a task of another dialect has only our name."""
    prefix = f"{DIALECT}:{view.offered_name}/"
    return view.offering.removeprefix(prefix) if view.offering.startswith(prefix) else view.model


def _function(text: str | None) -> str | None:
    return {"ref2v": "r2v"}.get(text, text) if (text := (text or "").strip().lower()) else None
