"""Paths of APIXO's page."""

from starlette.responses import Response

from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import parse_task_id
from portico.core.views import TaskView
from portico.dialects.apixo.translate import (
    in_own_words,
    parse_callback,
    parse_submit,
    render_status,
    render_submitted,
)
from portico.dialects.apixo.wire import Submit
from portico.dialects.body import as_type, fingerprint_of, json_answer, read_json, repeat_of
from portico.dialects.endpoint import Call, Route
from portico.flows import lookup, submit
from portico.flows.submit import Terms


async def generate_task(call: Call) -> Response:
    """`POST /api/v1/generateTask/{model}`: accept a task, with its whole price held."""
    raw = await read_json(call.request)
    body = as_type(raw, Submit)
    ask = parse_submit(body, call.request.path_params["model"])
    terms = Terms(
        callback_url=parse_callback(body),
        open_tasks_max=call.rules.open_tasks_max,
        repeat=repeat_of(call, fingerprint_of(raw)),
    )
    try:
        accepted = await submit.submit(call.gateway, call.caller, ask, terms)
    except PorticoError as error:
        raise in_own_words(error) from error
    return json_answer(render_submitted(accepted.task.id))


async def status_task(call: Call) -> Response:
    """`GET /api/v1/statusTask/{model}?taskId=`: the task decides, its model need not be named."""
    task_id = call.request.query_params.get("taskId", "").strip()
    if not task_id:
        message = "Missing required field: taskId"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="taskId")
    view = await lookup.task(call.gateway, call.caller, parse_task_id(task_id))
    _check_model(call, view)
    return json_answer(render_status(view, call.gateway.public_url))


def _check_model(call: Call, view: TaskView) -> None:
    """Refuse a model nobody knows; the task's own always passes, even when it is sold no more."""
    model = call.request.path_params["model"]
    known = {each.name for each in lookup.offerings(call.gateway, "apixo")}
    if model not in known and model != view.offered_name:
        raise PorticoError(ErrorCode.UNKNOWN_MODEL, "Model not found", param="model")


ROUTES = (
    Route("/api/v1/generateTask/{model}", {"POST": generate_task}),
    Route("/api/v1/statusTask/{model}", {"GET": status_task}),
)
