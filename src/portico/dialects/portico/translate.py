"""Portico's own wire ↔ core; pure functions."""

from typing import Any

import msgspec

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import MediaAsk, MediaInput, Role, RouteClass
from portico.core.money import format_credits
from portico.core.views import AssetView, TaskView
from portico.dialects.portico.wire import Input, Submit

DEFAULT_MODEL = "portico/scene"


def parse_submit(body: Submit) -> MediaAsk:
    """Read a submit.

    Raises:
        PorticoError: INVALID_REQUEST for an unknown role or route class.
    """
    return MediaAsk(
        dialect="portico",
        name=body.model or DEFAULT_MODEL,
        prompt=body.prompt,
        given=body.params,
        inputs=tuple(_input(each) for each in body.inputs),
        route_class=_choice(RouteClass, body.route, "route"),
    )


def render_task(view: TaskView, public_url: str) -> dict[str, Any]:
    """Write a task: exact decimal credits, instants in milliseconds, absolute links."""
    return {
        "id": str(view.id),
        "state": view.state,
        "model": view.offered_name,
        "kind": view.kind,
        "mode": view.mode,
        "params": view.params,
        "progress": view.progress,
        "price": format_credits(view.price),
        "charged": format_credits(view.charged),
        "error": _failure(view),
        "outputs": [_asset(each, public_url) for each in view.outputs],
        "cover": _asset(view.cover, public_url) if view.cover else None,
        "usage": view.usage,
        "created_at": view.created_at,
        "finished_at": view.finished_at,
        "expires_at": view.expires_at,
    }


def render_callback(view: TaskView) -> bytes:
    """Write the body of a callback: the task as a read would show it, with relative links."""
    return msgspec.json.encode(render_task(view, ""))


def _failure(view: TaskView) -> dict[str, Any] | None:
    if view.failure_code is None:
        return None
    return {"code": view.failure_code, "message": view.failure_message}


def _asset(asset: AssetView, public_url: str) -> dict[str, Any]:
    return {
        "url": public_url + asset.url_path,
        "media_type": asset.media_type,
        "size_bytes": asset.size_bytes,
        "width": asset.width,
        "height": asset.height,
        "duration_ms": asset.duration_ms,
    }


def _input(given: Input) -> MediaInput:
    if (given.url is None) == (given.asset_id is None):
        message = "An input needs either url or asset_id"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="inputs")
    return MediaInput(
        role=_choice(Role, given.role, "inputs"), url=given.url, asset_id=given.asset_id
    )


def _choice(kind: Any, text: str, param: str) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        allowed = ", ".join(kind)
        message = f"{param} must be one of: {allowed}"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param=param) from error
