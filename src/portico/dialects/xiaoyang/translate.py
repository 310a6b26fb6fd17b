"""XiaoYang's wire ↔ core; pure functions."""

from collections.abc import Iterable, Mapping

import msgspec

from portico.core.clock import SECOND_MS
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaAsk, MediaInput, Role
from portico.core.money import Credits, shown_balance, shown_cost
from portico.core.views import Caller, TaskState, TaskView
from portico.dialects.spelling import respelled
from portico.dialects.xiaoyang.errors import worded
from portico.dialects.xiaoyang.wire import Me, Modal, Modals, Option, Submit, Submitted, Task
from portico.flows.price_list import Listed, ModeRules, PromptUse
from portico.flows.submit import Accepted

# the page's three links; what each is for is the offering's own business
LINKS: Mapping[Role, str] = {
    Role.FIRST_FRAME: "image_url",
    Role.SOURCE_IMAGE: "image_url",
    Role.MOTION_VIDEO: "video_url",
    Role.SOURCE_VIDEO: "video_url",
    Role.GARMENT: "clothes_image_url",
}
SETTINGS: Mapping[str, str] = {
    "wardrobe_part": "wardrobe_replace",
    "motion_orientation": "motion_orientation",
    "ratio": "ratio",
    "enhance": "enhance_4k",
}
FIELDS: Mapping[str, str] = {
    **{role.value: field for role, field in LINKS.items()},
    **SETTINGS,
    "prompt": "prompt",
    "model": "modal_key",
    "variant": "option_key",
}


def parse_submit(body: Submit) -> MediaAsk:
    """Read a submit.

    Raises:
        PorticoError: INVALID_REQUEST when modal_key or option_key is missing.
    """
    links = (
        (Role.FIRST_FRAME, body.image_url),
        (Role.MOTION_VIDEO, body.video_url),
        (Role.GARMENT, body.clothes_image_url),
    )
    settings = {name: getattr(body, field) for name, field in SETTINGS.items()}
    return MediaAsk(
        dialect="xiaoyang",
        name=_needed(body.modal_key or body.model_key or body.model, "modal_key"),
        variant=_needed(body.option_key, "option_key"),
        prompt=body.prompt or "",
        given={name: value for name, value in settings.items() if not _is_blank(value)},
        inputs=tuple(MediaInput(role=role, url=url) for role, url in links if not _is_blank(url)),
    )


def in_own_words(error: PorticoError) -> PorticoError:
    """Name the field at fault as the page does."""
    return respelled(error, FIELDS)


def render_submitted(accepted: Accepted) -> Submitted:
    """Write the answer to a submit: as it was accepted, also when it is repeated."""
    return Submitted(
        task_id=str(accepted.task.id),
        status="QUEUED",
        credits=shown_balance(accepted.balance_after),
    )


def render_task(view: TaskView) -> Task:
    """Write a task; the one link of a success leads to our own download, never elsewhere.

    A text, which other dialects sell, holds more than it then costs: ended, it shows its cost.
    """
    link = None
    if view.state is TaskState.SUCCEEDED:
        link = f"/api/v1/tasks/{view.id}/download"
    return Task(
        task_id=str(view.id),
        status=status_of(view),
        error_message=_error_message(view),
        video_url=link if view.kind is Kind.VIDEO else None,
        image_url=link if view.kind is Kind.IMAGE else None,
        created_at=view.created_at // SECOND_MS,
        credit=shown_cost(view.charged if view.state is TaskState.SUCCEEDED else view.price),
    )


def status_of(view: TaskView) -> str:
    """Return the page's word for a task's state.

    PENDING says that an upstream has taken the task and not begun on it.
    """
    match view.state:
        case TaskState.QUEUED | TaskState.SUBMITTING:
            return "QUEUED"
        case TaskState.RUNNING if not view.upstream_started:
            return "PENDING"
        case TaskState.RUNNING | TaskState.STORING:
            return "PROCESSING"
        case TaskState.SUCCEEDED:
            return "SUCCESS"
        case _:
            return "FAIL"


def render_callback(view: TaskView) -> bytes:
    """Write the body of a webhook: the task as a read would show it."""
    return msgspec.json.encode(render_task(view))


def render_me(caller: Caller, available: Credits) -> Me:
    """Write the caller's account."""
    return Me(email=caller.email, credits=shown_balance(available), status=caller.status)


def render_modals(listed: Iterable[Listed]) -> Modals:
    """Write the price list, the options of one modal together."""
    groups: dict[str, list[Listed]] = {}
    for each in listed:
        groups.setdefault(each.offering.name, []).append(each)
    return Modals(modals=[_modal(options) for options in groups.values()])


def _modal(listed: list[Listed]) -> Modal:
    offering = listed[0].offering
    rules = tuple(offering.modes.values())
    needed = _needed_fields(rules)
    optional = [field for field in _known_fields(rules) if field not in needed]
    params = {
        field: rules[0].params[name]
        for name, field in SETTINGS.items()
        if field in optional and name in rules[0].params
    }
    return Modal(
        modal_key=offering.name,
        name=offering.title,
        type=offering.kind.value,
        inputs=needed,
        optional=optional,
        values={field: list(param.values) for field, param in params.items() if param.values},
        defaults={
            field: param.default for field, param in params.items() if param.default is not None
        },
        options=[_option(each) for each in listed],
    )


def _option(listed: Listed) -> Option:
    extra = None
    if listed.enhance_extra is not None:
        extra = shown_cost(listed.price + listed.enhance_extra) - shown_cost(listed.price)
    return Option(
        option_key=listed.offering.variant or "default",
        credit=shown_cost(listed.price),
        enhance_4k_credit=extra,
    )


def _needed_fields(rules: tuple[ModeRules, ...]) -> list[str]:
    """Return the fields that every mode needs, in the page's order."""
    prompt = ["prompt"] if all(one.prompt is PromptUse.REQUIRED for one in rules) else []
    links = [
        field
        for role, field in LINKS.items()
        if all(role in one.inputs and one.inputs[role].minimum for one in rules)
    ]
    return list(dict.fromkeys(prompt + links))


def _known_fields(rules: tuple[ModeRules, ...]) -> list[str]:
    """Return the fields that have an effect in any mode, in the page's order."""
    prompt = ["prompt"] if any(one.prompt is not PromptUse.IGNORED for one in rules) else []
    links = [field for role, field in LINKS.items() if any(role in one.inputs for one in rules)]
    settings = [
        field
        for name, field in SETTINGS.items()
        if any(name in one.params and not one.params[name].ignored for one in rules)
    ]
    return list(dict.fromkeys(prompt + links + settings))


def _error_message(view: TaskView) -> str | None:
    if not view.is_final or view.state is TaskState.SUCCEEDED:
        return None
    if view.state is TaskState.CANCELLED:
        return "cancelled"
    return worded(view.failure_code or ErrorCode.INTERNAL, view.failure_message or "Failed")


def _needed(value: str | None, field: str) -> str:
    if value is None or _is_blank(value):
        raise PorticoError(ErrorCode.INVALID_REQUEST, f"{field} is required", param=field)
    return value.strip()


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
