"""Paths of Portico's own dialect."""

from starlette.responses import Response

from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import TASK_ID_MAX, parse_task_id
from portico.core.money import format_credits
from portico.dialects.body import as_type, fingerprint_of, json_answer, read_json, repeat_of
from portico.dialects.endpoint import Call, Route
from portico.dialects.files import file_answer, link_answer
from portico.dialects.portico.translate import parse_submit, render_task
from portico.dialects.portico.wire import Submit
from portico.flows import cancel, download, lookup, quote, submit
from portico.flows.submit import Accepted, Terms

WAIT_MAX_S = 300.0
PAGE_MAX = 100


async def create_task(call: Call) -> Response:
    """`POST /portico/v1/tasks`: accept a job; `?wait=SECONDS` waits for its end."""
    wait_s = _seconds(call.request.query_params.get("wait", "0"))
    accepted = await _submit(call, wait_s=wait_s)
    task = render_task(accepted.task, call.gateway.public_url)
    body = {"task": task, "balance": format_credits(accepted.balance_after)}
    return json_answer(body, status=200 if accepted.task.is_final else 202)


async def generate(call: Call) -> Response:
    """`POST /portico/v1/generate`: accept a job, wait for its end, answer with the file itself."""
    accepted = await _submit(call, wait_s=WAIT_MAX_S)
    if accepted.task.failure_code is not None:
        message = accepted.task.failure_message or "Generation failed"
        raise PorticoError(accepted.task.failure_code, message)
    opened = await download.result_of(call.gateway, call.caller, accepted.task.id)
    answer = await file_answer(opened, {}, inline=False)
    answer.headers["x-portico-task"] = str(accepted.task.id)
    answer.headers["x-portico-cost"] = format_credits(accepted.task.charged)
    return answer


async def read_task(call: Call) -> Response:
    """`GET /portico/v1/tasks/{id}`."""
    task_id = parse_task_id(call.request.path_params["task_id"])
    view = await lookup.task(call.gateway, call.caller, task_id)
    return json_answer(render_task(view, call.gateway.public_url))


async def list_tasks(call: Call) -> Response:
    """`GET /portico/v1/tasks`: newest first; `?before=ID` pages on."""
    before_id = parse_task_id(call.request.query_params.get("before", "")) or TASK_ID_MAX
    found = await lookup.task_list(call.gateway, call.caller, limit=PAGE_MAX, before_id=before_id)
    return json_answer({"tasks": [render_task(each, call.gateway.public_url) for each in found]})


async def cancel_task(call: Call) -> Response:
    """`POST /portico/v1/tasks/{id}/cancel`: refunded in full; an ended task stays as it is."""
    task_id = parse_task_id(call.request.path_params["task_id"])
    view = await cancel.cancel(call.gateway, call.caller, task_id)
    return json_answer(render_task(view, call.gateway.public_url))


async def download_result(call: Call) -> Response:
    """`GET /portico/v1/tasks/{id}/download`: the result's bytes, whole or in ranges."""
    task_id = parse_task_id(call.request.path_params["task_id"])
    opened = await download.result_of(call.gateway, call.caller, task_id)
    return await file_answer(opened, call.request.headers, inline=False)


async def price_job(call: Call) -> Response:
    """`POST /portico/v1/quote`: what a job would cost, line by line; nothing is held."""
    body = as_type(await read_json(call.request), Submit)
    priced = quote.quote(call.gateway, parse_submit(body))
    lines = [
        {"label": each.label, "credits": format_credits(each.credits)} for each in priced.lines
    ]
    return json_answer({"credits": format_credits(priced.amount), "lines": lines})


async def read_balance(call: Call) -> Response:
    """`GET /portico/v1/balance`: exact decimal credits."""
    balance = await lookup.balance(call.gateway, call.caller)
    return json_answer(
        {"available": format_credits(balance.available), "held": format_credits(balance.held)}
    )


async def list_models(call: Call) -> Response:
    """`GET /portico/v1/models`: what can be made here, with its parameters."""
    found = lookup.offerings(call.gateway, "portico")
    return json_answer(
        {"models": [{"id": each.name, "title": each.title, "kind": each.kind} for each in found]}
    )


async def read_file(call: Call) -> Response:
    """`GET /files/{token}/{name}`: a signed link, no key needed."""
    asset_id = call.gateway.links.verify(
        call.request.path_params["token"], now=call.gateway.clock.now()
    )
    opened = await download.by_link(call.gateway, asset_id)
    return await link_answer(opened, call.request)


async def _submit(call: Call, *, wait_s: float) -> Accepted:
    raw = await read_json(call.request)
    body = as_type(raw, Submit)
    terms = Terms(
        callback_url=body.callback_url,
        open_tasks_max=call.rules.open_tasks_max,
        repeat=repeat_of(call, fingerprint_of(raw)),
    )
    ask = parse_submit(body)
    if wait_s:
        return await submit.submit_and_wait(call.gateway, call.caller, ask, terms, wait_s=wait_s)
    return await submit.submit(call.gateway, call.caller, ask, terms)


def _seconds(text: str) -> float:
    if not (text.isascii() and text.isdigit() and len(text) < len("1000")):
        message = "wait must be whole seconds"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="wait")
    return min(WAIT_MAX_S, float(text))


ROUTES = (
    Route("/portico/v1/tasks", {"GET": list_tasks, "POST": create_task}),
    Route("/portico/v1/tasks/{task_id}", {"GET": read_task}),
    Route("/portico/v1/tasks/{task_id}/cancel", {"POST": cancel_task}),
    Route("/portico/v1/tasks/{task_id}/download", {"GET": download_result}),
    Route("/portico/v1/generate", {"POST": generate}),
    Route("/portico/v1/quote", {"POST": price_job}),
    Route("/portico/v1/balance", {"GET": read_balance}),
    Route("/portico/v1/models", {"GET": list_models}),
    Route("/files/{token}/{name}", {"GET": read_file}, admits=False),
)
