"""Paths of OpenAI's API; pictures and videos have files of their own."""

from starlette.responses import Response

from portico.core.errors import ErrorCode, PorticoError
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
from portico.dialects.openai import image_routes, video_routes
from portico.dialects.openai.chat import (
    Lines,
    fields_of,
    parse_chat,
    render_replay,
    render_stream,
    render_whole,
)
from portico.dialects.openai.errors import spelled
from portico.dialects.openai.wire import DIALECT, ChatSubmit, Model, ModelList
from portico.flows import chat, lookup
from portico.flows.chat_answer import ChatAnswer
from portico.flows.submit import Terms


async def chat_completions(call: Call) -> Response:
    """`POST /v1/chat/completions`, whole or streamed."""
    raw = await read_json(call.request, size_max=JSON_WITH_MEDIA_SIZE_MAX)
    body = as_type(raw, ChatSubmit)
    terms = Terms(
        open_tasks_max=call.rules.open_tasks_max, repeat=repeat_of(call, fingerprint_of(raw))
    )
    with spelled(fields_of(body)):
        if body.stream:
            return await _stream(call, body, raw, terms)
        ask = parse_chat(body, raw)
        answer = await chat.complete(call.gateway, call.caller, ask, terms)
    return json_answer(render_whole(answer, body.model or ""))


async def list_models(call: Call) -> Response:
    """`GET /v1/models`."""
    return json_answer(ModelList(data=_models(call)))


async def read_model(call: Call) -> Response:
    """`GET /v1/models/{id}`; an id may have a slash in it."""
    wanted = call.request.path_params["model"]
    for model in _models(call):
        if model.id == wanted:
            return json_answer(model)
    raise PorticoError(ErrorCode.UNKNOWN_MODEL, "No such model", param="model")


async def _stream(call: Call, body: ChatSubmit, raw: dict[str, object], terms: Terms) -> Response:
    ask = parse_chat(body, raw)
    stream = await chat.open_stream(call.gateway, call.caller, ask, terms)
    with_usage = bool(body.stream_options and body.stream_options.include_usage)
    lines = Lines(stream.task_id, stream.created_at, body.model or "", with_usage=with_usage)
    if isinstance(stream, ChatAnswer):
        return EventStream(render_replay(stream, lines), None)
    rest = aiter(stream)
    first = await anext(rest, None)  # a refusal still gets its own status
    return EventStream(render_stream(stream, first, rest, lines), stream)


def _models(call: Call) -> list[Model]:
    gateway = call.gateway
    labels = {each.id: each.provider_label for each in gateway.catalogue.models()}
    return [
        Model(id=each.name, owned_by=labels[each.model])
        for each in lookup.offerings(gateway, DIALECT)
    ]


ROUTES = (
    Route("/v1/chat/completions", {"POST": chat_completions}),
    Route("/v1/models", {"GET": list_models}),
    Route("/v1/models/{model:path}", {"GET": read_model}),
    *image_routes.ROUTES,
    *video_routes.ROUTES,
)
