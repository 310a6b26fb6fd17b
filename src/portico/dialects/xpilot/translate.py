"""xPilot's wire ↔ core; pure functions."""

from collections.abc import Iterable, Mapping
from urllib.parse import quote

import msgspec

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatAsk, Kind, MediaAsk, MediaInput, Message, Mode, Role
from portico.core.money import Credits, format_credits, shown_balance, shown_cost
from portico.core.views import TaskState, TaskView
from portico.dialects.xpilot.wire import (
    ImageAccepted,
    ImageModel,
    ImageSubmit,
    ModelList,
    Models,
    TaskStatus,
    TextAnswer,
    TextModel,
    TextSubmit,
    Usage,
    VideoAccepted,
    VideoModel,
    VideoSubmit,
)
from portico.flows.chat_answer import ChatAnswer
from portico.flows.price_list import Listed, Offering
from portico.flows.submit import Accepted
from portico.flows.text_prices import ListedText

DIALECT = "xpilot"
TEXT_MODEL = "openai/gpt-4o"
TEMPERATURE = 0.7
CANCELLED = "cancelled"
FAILED = "Generation failed"

MODES = {"t2i": Mode.TEXT, "i2i": Mode.IMAGE, "i2i_text": Mode.IMAGE}
STATUS = {
    TaskState.QUEUED: "processing",
    TaskState.SUBMITTING: "processing",
    TaskState.RUNNING: "processing",
    TaskState.STORING: "processing",
    TaskState.SUCCEEDED: "completed",
    TaskState.FAILED: "failed",
    TaskState.CANCELLED: "failed",
    TaskState.EXPIRED: "failed",
}


def parse_video(body: VideoSubmit) -> MediaAsk:
    """Read a video submit; the page's defaults stand in the catalogue, since they cost money."""
    given = {
        "duration": body.duration,
        "ratio": body.aspect_ratio or None,
        "audio": body.generate_audio,
        "lock_camera": body.lock_camera,
    }
    return MediaAsk(
        dialect=DIALECT,
        name=body.model,
        kind=Kind.VIDEO,
        prompt=body.prompt or "",
        given=_sent(given),
        inputs=_inputs(Role.FIRST_FRAME, [body.image_url or ""]),
    )


def parse_image(body: ImageSubmit) -> MediaAsk:
    """Read a picture submit; the single picture goes in front of the others.

    Raises:
        PorticoError: INVALID_REQUEST for an unknown mode.
    """
    if body.mode and body.mode not in MODES:
        message = f"mode must be one of {', '.join(MODES)}"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="mode")
    return MediaAsk(
        dialect=DIALECT,
        name=body.model,
        kind=Kind.IMAGE,
        mode=MODES[body.mode] if body.mode else None,
        prompt=body.prompt or "",
        given=_sent({"ratio": body.aspect_ratio or None}),
        inputs=_inputs(Role.REFERENCE_IMAGE, [body.image_url or "", *(body.image_urls or ())]),
    )


def parse_text(body: TextSubmit) -> ChatAsk:
    """Read a text submit."""
    messages = [Message("user", body.prompt or "")]
    if body.system:
        messages.insert(0, Message("system", body.system))
    if not (body.prompt or "").strip():
        raise PorticoError(ErrorCode.INVALID_REQUEST, "prompt is required", param="prompt")
    return ChatAsk(
        dialect=DIALECT,
        name=body.model or TEXT_MODEL,
        messages=tuple(messages),
        max_tokens=body.max_tokens,
        sampling={"temperature": TEMPERATURE if body.temperature is None else body.temperature},
    )


def render_video(accepted: Accepted) -> VideoAccepted:
    """Write what a video submit is answered with."""
    task = accepted.task
    return VideoAccepted(
        task_id=str(task.id),
        status="processing",
        provider=task.provider_label,
        poll_url=f"/api/v1/video/{task.id}?provider={quote(task.provider_label)}",
        cost_cents=shown_cost(task.price),
        remaining_credits_cents=shown_balance(accepted.balance_after),
    )


def render_image(accepted: Accepted, public_url: str) -> ImageAccepted:
    """Write what a picture submit is answered with: the picture, or where to ask for it."""
    task = accepted.task
    done = task.state is TaskState.SUCCEEDED
    return ImageAccepted(
        task_id=str(task.id),
        status=STATUS[task.state],
        outputs=_outputs(task, public_url),
        poll_url=msgspec.UNSET if done else f"/api/v1/image/{task.id}",
        cost_cents=shown_cost(task.price),
        remaining_credits_cents=shown_balance(accepted.balance_after),
    )


def render_status(view: TaskView, public_url: str) -> TaskStatus:
    """Write a task as it stands; a failed one is a successful answer with an `error` text."""
    return TaskStatus(
        task_id=str(view.id),
        status=STATUS[view.state],
        outputs=_outputs(view, public_url),
        provider=view.provider_label,
        error=_failure(view) if STATUS[view.state] == "failed" else msgspec.UNSET,
    )


def render_text(answer: ChatAnswer, model: str | None) -> TextAnswer:
    """Write a text under the model's name as the client gave it."""
    usage = answer.usage
    return TextAnswer(
        content=answer.text,
        model=model or TEXT_MODEL,
        usage=Usage(
            prompt_tokens=usage.input_tokens,
            completion_tokens=usage.output_tokens,
            total_tokens=usage.input_tokens + usage.output_tokens,
        ),
        cost_cents=shown_cost(answer.cost),
        remaining_credits_cents=shown_balance(answer.balance_after),
    )


def render_models(
    made: Iterable[Listed], written: Iterable[ListedText], labels: Mapping[str, str]
) -> ModelList:
    """Write what is offered, by kind; `labels` holds the shown provider of every model."""
    models = Models(text=[_text_model(each) for each in written], video=[], image=[])
    for each in made:
        if each.offering.kind is Kind.VIDEO:
            models.video.append(_video_model(each, labels[each.offering.model]))
        else:
            models.image.append(_image_model(each))
    return ModelList(models)


def render_callback(view: TaskView) -> bytes:
    """Write the body of a callback: the task as a read would show it, with relative links."""
    return msgspec.json.encode(render_status(view, ""))


def _sent(given: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in given.items() if value is not None}


def _inputs(role: Role, urls: Iterable[str]) -> tuple[MediaInput, ...]:
    """Return each address once, in the order of the request; a blank is none."""
    return tuple(MediaInput(role=role, url=url) for url in dict.fromkeys(filter(str.strip, urls)))


def _outputs(view: TaskView, public_url: str) -> list[str]:
    return [public_url + asset.url_path for asset in view.outputs]


def _failure(view: TaskView) -> str:
    if view.state is TaskState.CANCELLED:
        return CANCELLED
    return view.failure_message or FAILED


def _text_model(listed: ListedText) -> TextModel:
    return TextModel(
        id=listed.offering.name,
        label=_label(listed.offering),
        cost_cents_per_1k_input_tokens=_per_thousand(listed.input),
        cost_cents_per_1k_output_tokens=_per_thousand(listed.output),
    )


def _video_model(listed: Listed, provider: str) -> VideoModel:
    """Show what the catalogue says for show, else what its parameter tables say."""
    offering = listed.offering
    rules = next(iter(offering.modes.values()))
    duration = rules.params.get("duration")
    derived = {
        "label": offering.title,
        "tier": "standard",
        "supports_audio": "audio" in rules.params,
        "supports_lock_camera": "lock_camera" in rules.params,
        "durations": list(duration.values) if duration else [],
        "mode": "text-to-video" if rules.mode is Mode.TEXT else "image-to-video",
        "provider": provider,
    }
    shown = {name: offering.display.get(name, value) for name, value in derived.items()}
    fixed = {"id": offering.name, "cost_cents_per_5s": shown_cost(listed.price)}
    return msgspec.convert(shown | fixed, VideoModel)


def _image_model(listed: Listed) -> ImageModel:
    offering = listed.offering
    return ImageModel(id=offering.name, label=_label(offering), cost_cents=shown_cost(listed.price))


def _label(offering: Offering) -> str:
    return str(offering.display.get("label", offering.title))


def _per_thousand(per_million: Credits) -> msgspec.Raw:
    """Write a price as an exact decimal number of cents, no float in between; rounded up."""
    return msgspec.Raw(format_credits(-(-per_million // 1000)).encode())
