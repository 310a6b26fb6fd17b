"""Paths of xPilot, after https://xpilot.jytech.us (its API page)."""

from starlette.responses import Response

from portico.core.errors import PorticoError
from portico.core.ids import parse_task_id
from portico.dialects.body import as_type, fingerprint_of, json_answer, read_json, repeat_of
from portico.dialects.endpoint import Call, Route
from portico.dialects.xpilot.translate import (
    DIALECT,
    parse_image,
    parse_text,
    parse_video,
    render_image,
    render_models,
    render_status,
    render_text,
    render_video,
)
from portico.dialects.xpilot.wire import ImageSubmit, TextSubmit, VideoSubmit
from portico.flows import chat, lookup, price_list, submit, text_prices
from portico.flows.submit import Terms

IMAGE_WAIT_S = 8.0


async def list_models(call: Call) -> Response:
    """`GET /api/v1/models`."""
    gateway = call.gateway
    labels = {each.id: each.provider_label for each in gateway.catalogue.models()}
    made = price_list.price_list(gateway, DIALECT)
    return json_answer(render_models(made, text_prices.text_prices(gateway, DIALECT), labels))


async def generate_video(call: Call) -> Response:
    """`POST /api/v1/video/generate`: accepted at once, to be polled."""
    raw = await read_json(call.request)
    ask = parse_video(as_type(raw, VideoSubmit))
    accepted = await submit.submit(call.gateway, call.caller, ask, _terms(call, raw))
    return json_answer(render_video(accepted))


async def generate_image(call: Call) -> Response:
    """`POST /api/v1/image/generate`: the picture if it is done in time, else where to poll.

    Raises:
        PorticoError: what ended the task, when it failed while we waited; it is refunded.
    """
    raw = await read_json(call.request)
    ask = parse_image(as_type(raw, ImageSubmit))
    wait_s = float(str(call.rules.options.get("image_wait_s", IMAGE_WAIT_S)))
    accepted = await submit.submit_and_wait(
        call.gateway, call.caller, ask, _terms(call, raw), wait_s=wait_s
    )
    task = accepted.task
    if task.failure_code is not None:
        raise PorticoError(task.failure_code, task.failure_message or "Generation failed")
    return json_answer(render_image(accepted, call.gateway.public_url))


async def generate_text(call: Call) -> Response:
    """`POST /api/v1/text/generate`: the whole text."""
    raw = await read_json(call.request)
    body = as_type(raw, TextSubmit)
    answer = await chat.complete(call.gateway, call.caller, parse_text(body), _terms(call, raw))
    return json_answer(render_text(answer, body.model))


async def read_task(call: Call) -> Response:
    """`GET /api/v1/video/{id}` and `/image/{id}`: any task of the caller's.

    The id alone decides: the query's `provider` is not needed, and its `pollUrl` is never used.
    """
    task_id = parse_task_id(call.request.path_params["task_id"])
    view = await lookup.task(call.gateway, call.caller, task_id)
    return json_answer(render_status(view, call.gateway.public_url))


def _terms(call: Call, raw: dict[str, object]) -> Terms:
    return Terms(
        open_tasks_max=call.rules.open_tasks_max, repeat=repeat_of(call, fingerprint_of(raw))
    )


ROUTES = (
    Route("/api/v1/models", {"GET": list_models}),
    Route("/api/v1/video/generate", {"POST": generate_video}),
    Route("/api/v1/video/{task_id}", {"GET": read_task}),
    Route("/api/v1/image/generate", {"POST": generate_image}),
    Route("/api/v1/image/{task_id}", {"GET": read_task}),
    Route("/api/v1/text/generate", {"POST": generate_text}),
)
