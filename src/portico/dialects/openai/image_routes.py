"""`/v1/images/*`: pictures are made while the client waits."""

import asyncio
import base64

from starlette.responses import Response

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import MediaAsk, Role
from portico.core.views import TaskState, TaskView
from portico.dialects.body import MULTIPART_SIZE_MAX, json_answer
from portico.dialects.endpoint import Call, Route
from portico.dialects.fields import read_fields
from portico.dialects.openai import images
from portico.dialects.openai.errors import spelled
from portico.dialects.openai.images import (
    parse_image,
    render_addresses,
    render_images,
    wants_bytes,
)
from portico.dialects.openai.inputs import parse_with_files, terms_of
from portico.dialects.openai.sources import find_sources
from portico.dialects.openai.wire import Image
from portico.flows import cancel, download, submit
from portico.flows.submit import Terms

IMAGE_WAIT_S = 300.0


async def generate(call: Call) -> Response:
    """`POST /v1/images/generations`: from words alone."""
    return await _make(call, edits=False)


async def edit(call: Call) -> Response:
    """`POST /v1/images/edits`: from pictures, as files of a form or as addresses in JSON."""
    return await _make(call, edits=True)


async def _make(call: Call, *, edits: bool) -> Response:
    with spelled(images.FIELDS):
        async with read_fields(call.request, multipart_size_max=MULTIPART_SIZE_MAX) as fields:
            as_bytes = wants_bytes(fields)
            sources = find_sources(fields, images.SOURCES, Role.REFERENCE_IMAGE) if edits else []
            if edits and not sources:
                raise PorticoError(ErrorCode.INVALID_REQUEST, "image is required", param="image")
            ask = await parse_with_files(call, fields, sources, parse_image)
            terms = await terms_of(call, fields)
        view = await _finished(call, ask, terms)
    if as_bytes:
        pictures = [await _bytes(call, each.id) for each in view.outputs]
    else:
        pictures = render_addresses(view, call.gateway.public_url)
    answer = json_answer(render_images(view, pictures))
    answer.headers["x-portico-task"] = str(view.id)
    return answer


async def _finished(call: Call, ask: MediaAsk, terms: Terms) -> TaskView:
    """Have it made; what is not done in time is given up, so that nobody pays for no answer.

    Raises:
        PorticoError: what ended the task, which is refunded then; UPSTREAM_TIMEOUT.
    """
    wait_s = float(str(call.rules.options.get("image_wait_s", IMAGE_WAIT_S)))
    accepted = await submit.submit_and_wait(call.gateway, call.caller, ask, terms, wait_s=wait_s)
    view = accepted.task
    if not view.is_final:
        view = await cancel.cancel(call.gateway, call.caller, view.id)
        if view.state is TaskState.CANCELLED:
            message = "The picture took too long and was given up"
            raise PorticoError(ErrorCode.UPSTREAM_TIMEOUT, message)
    if view.state is not TaskState.SUCCEEDED:
        code = view.failure_code or ErrorCode.UPSTREAM_FAILED
        raise PorticoError(code, view.failure_message or "Generation failed")
    return view


async def _bytes(call: Call, asset_id: str) -> Image:
    opened = await download.own_file(call.gateway, call.caller, asset_id)
    pieces = await opened.read(0, opened.asset.size_bytes)
    whole = b"".join([piece async for piece in pieces])
    return Image(b64_json=(await asyncio.to_thread(base64.b64encode, whole)).decode())


ROUTES = (
    Route("/v1/images/generations", {"POST": generate}),
    Route("/v1/images/edits", {"POST": edit}),
)
