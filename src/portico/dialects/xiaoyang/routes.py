"""Paths of XiaoYang's page."""

from starlette.responses import Response

from portico.core.errors import PorticoError
from portico.core.ids import parse_task_id
from portico.dialects.body import as_type, fingerprint_of, json_answer, read_json, repeat_of
from portico.dialects.endpoint import Call, Route
from portico.dialects.files import file_answer
from portico.dialects.xiaoyang.translate import (
    in_own_words,
    parse_submit,
    render_me,
    render_modals,
    render_submitted,
    render_task,
)
from portico.dialects.xiaoyang.wire import Submit
from portico.flows import download, lookup, submit
from portico.flows.price_list import price_list
from portico.flows.submit import Terms


async def read_me(call: Call) -> Response:
    """`GET /api/v1/me`: who the key belongs to, and what is left."""
    balance = await lookup.balance(call.gateway, call.caller)
    return json_answer(render_me(call.caller, balance.available))


async def list_modals(call: Call) -> Response:
    """`GET /api/v1/modals`: every modal and option with its price in whole credits."""
    return json_answer(render_modals(price_list(call.gateway, "xiaoyang")))


async def create_task(call: Call) -> Response:
    """`POST /api/v1/tasks`: accept a task, with its whole price held."""
    raw = await read_json(call.request)
    terms = Terms(
        open_tasks_max=call.rules.open_tasks_max, repeat=repeat_of(call, fingerprint_of(raw))
    )
    ask = parse_submit(as_type(raw, Submit))
    try:
        accepted = await submit.submit(call.gateway, call.caller, ask, terms)
    except PorticoError as error:
        raise in_own_words(error) from error
    return json_answer(render_submitted(accepted))


async def read_task(call: Call) -> Response:
    """`GET /api/v1/tasks/{id}`."""
    task_id = parse_task_id(call.request.path_params["task_id"])
    return json_answer(render_task(await lookup.task(call.gateway, call.caller, task_id)))


async def download_result(call: Call) -> Response:
    """`GET /api/v1/tasks/{id}/download`: the bytes themselves, whole or in ranges."""
    task_id = parse_task_id(call.request.path_params["task_id"])
    opened = await download.result_of(call.gateway, call.caller, task_id)
    return await file_answer(opened, call.request.headers, inline=False)


ROUTES = (
    Route("/api/v1/me", {"GET": read_me}),
    Route("/api/v1/modals", {"GET": list_modals}),
    Route("/api/v1/tasks", {"POST": create_task}),
    Route("/api/v1/tasks/{task_id}", {"GET": read_task}),
    Route("/api/v1/tasks/{task_id}/download", {"GET": download_result}),
)
