"""Paths of Yuanjing's page, and the aliases of its later editions."""

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.responses import Response

from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import parse_task_id
from portico.core.jobs import MediaInput
from portico.core.views import AssetView
from portico.dialects.body import (
    JSON_WITH_MEDIA_SIZE_MAX,
    as_type,
    fingerprint_of,
    json_answer,
    read_json,
    repeat_of,
)
from portico.dialects.endpoint import Call, Route
from portico.dialects.event_stream import EventStream
from portico.dialects.files import file_answer
from portico.dialects.yuanjing.chat import parse_chat, render_replay, render_stream, render_whole
from portico.dialects.yuanjing.fields import Fields, comparable, field, pieces_of, read_fields
from portico.dialects.yuanjing.inputs import Source, find_sources
from portico.dialects.yuanjing.translate import (
    DIALECT,
    parse_video,
    render_models,
    render_not_started,
    render_submitted,
    render_task,
)
from portico.dialects.yuanjing.wire import ChatSubmit
from portico.flows import chat, download, lookup, quote, submit, upload
from portico.flows.chat_answer import ChatAnswer
from portico.flows.submit import Terms

_NOT_STARTED = frozenset(
    {ErrorCode.NO_ROUTE, ErrorCode.UPSTREAM_FAILED, ErrorCode.UPSTREAM_TIMEOUT}
)


async def chat_completions(call: Call) -> Response:
    """`POST /llmage/v1/chat/completions`, whole or streamed."""
    raw = await read_json(call.request, size_max=JSON_WITH_MEDIA_SIZE_MAX)
    ask = parse_chat(as_type(raw, ChatSubmit), raw)
    model = ask.name or ""
    terms = _terms(call, raw)
    if not ask.stream:
        answer = await chat.complete(call.gateway, call.caller, ask, terms)
        return json_answer(render_whole(answer, model))
    stream = await chat.open_stream(call.gateway, call.caller, ask, terms)
    if isinstance(stream, ChatAnswer):
        return EventStream(render_replay(stream, model), None)
    rest = aiter(stream)
    first = await anext(rest, None)  # a refusal still gets its own status
    return EventStream(render_stream(stream, first, rest, model), stream)


async def create_video(call: Call) -> Response:
    """`POST /llmage/video`: JSON, urlencoded or multipart, with files, addresses or base64."""
    async with read_fields(call.request) as fields:
        sources = find_sources(fields)
        if any(each.address is None for each in sources):
            _check_before_storing(call, fields, sources)
        inputs = [await _input(call, each) for each in sources]
        repeated = await comparable(fields) if _is_repeatable(call) else {}
    ask = parse_video(fields, inputs)
    try:
        accepted = await submit.submit(call.gateway, call.caller, ask, _terms(call, repeated))
    except PorticoError as error:
        if error.code in _NOT_STARTED:
            return json_answer(render_not_started(error.message))
        raise
    upper = call.rules.options.get("created_upper") is True
    return json_answer(render_submitted(accepted.task, upper=upper))


async def read_task(call: Call) -> Response:
    """`GET` or `POST /llmage/tasks?taskid=`: from the query, a form or JSON, in that order."""
    query = call.request.query_params
    task_id = query.get("taskid") or query.get("task_id")
    if not task_id:
        async with read_fields(call.request) as fields:
            task_id = str(field(fields, "taskid") or field(fields, "task_id") or "")
    if not task_id:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "taskid is required", param="taskid")
    view = await lookup.task(call.gateway, call.caller, parse_task_id(task_id.strip()))
    return json_answer(render_task(view, lambda asset, name: _link(call, asset, name)))


async def list_models(call: Call) -> Response:
    """`GET /llmage/v1/models`, with `?catelogid=` those of one function only."""
    gateway = call.gateway
    labels = {each.id: each.provider_label for each in gateway.catalogue.models()}
    function = call.request.query_params.get("catelogid")
    found = lookup.offerings(gateway, DIALECT)
    return json_answer(render_models(found, labels, function=function))


async def read_file(call: Call) -> Response:
    """`GET /idfile?path=`: a signed link, no key needed; the path names no file of ours."""
    path = call.request.query_params.get("path")
    if not path:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "path is required", param="path")
    gateway = call.gateway
    asset_id = gateway.links.verify_tmp_path(path, now=gateway.clock.now())
    opened = await download.by_link(gateway, asset_id)
    return await file_answer(opened, call.request.headers, inline=True)


def _check_before_storing(call: Call, fields: Fields, sources: list[Source]) -> None:
    """Refuse what the catalogue refuses before any file is stored."""
    planned = [MediaInput(role=each.role, asset_id="planned") for each in sources]
    quote.quote(call.gateway, parse_video(fields, planned))


async def _input(call: Call, source: Source) -> MediaInput:
    """Store what was uploaded; an address is fetched later."""
    if source.address is not None:
        return MediaInput(role=source.role, url=source.address)
    value = source.value if isinstance(source.value, str) else pieces_of(source.value)
    asset_id = await upload.upload(call.gateway, call.caller, value, param=source.role.value)
    return MediaInput(role=source.role, asset_id=asset_id)


def _is_repeatable(call: Call) -> bool:
    return "idempotency-key" in call.request.headers


def _terms(call: Call, repeated: Mapping[str, object]) -> Terms:
    return Terms(
        open_tasks_max=call.rules.open_tasks_max, repeat=repeat_of(call, fingerprint_of(repeated))
    )


def _link(call: Call, asset: AssetView, name: str) -> str:
    gateway = call.gateway
    path = gateway.links.tmp_path(asset.id, name=name, expires_at=asset.expires_at)
    return f"{gateway.public_url}/idfile?{urlencode({'path': path}, safe='/')}"


_CHAT = {"POST": chat_completions}
_VIDEO = {"POST": create_video}
_TASK = {"GET": read_task, "POST": read_task}

ROUTES = (
    Route("/llmage/v1/chat/completions", _CHAT),
    Route("/llmage/t2t", _CHAT),
    Route("/llmage/video", _VIDEO),
    Route("/llmage/v1/video/generations", _VIDEO),
    Route("/llmage/tasks", _TASK, reads=True),
    Route("/llmage/v1/tasks", _TASK, reads=True),
    Route("/v1/tasks", _TASK, reads=True),
    Route("/llmage/v1/models", {"GET": list_models}),
    Route("/idfile", {"GET": read_file}, admits=False),
)
