"""`/v1/videos*`: made in the background, to be polled."""

from collections.abc import Iterable
from functools import partial

from starlette.responses import Response

from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import parse_task_id
from portico.core.jobs import Kind, MediaAsk, MediaInput, Role
from portico.core.views import TaskState, TaskView
from portico.dialects.body import MULTIPART_SIZE_MAX, json_answer
from portico.dialects.endpoint import Call, Route
from portico.dialects.fields import Fields, read_fields
from portico.dialects.files import file_answer
from portico.dialects.openai import videos
from portico.dialects.openai.errors import spelled
from portico.dialects.openai.inputs import parse_with_files, terms_of
from portico.dialects.openai.sources import find_sources
from portico.dialects.openai.videos import (
    in_lines,
    oldest_first,
    page_limit,
    parse_video,
    render_list,
    render_video,
)
from portico.dialects.openai.wire import DIALECT, VideoDeleted
from portico.flows import discard, download, lookup, submit

POLL_AFTER_MS = 2_000


async def create(call: Call) -> Response:
    """`POST /v1/videos`: the client sends a form, everybody else JSON."""
    async with read_fields(call.request, multipart_size_max=MULTIPART_SIZE_MAX) as fields:
        with spelled(videos.fields_of(fields)):
            sources = find_sources(fields, videos.SOURCES, Role.FIRST_FRAME)
            ask = await parse_with_files(call, fields, sources, partial(_parse, call))
            terms = await terms_of(call, fields)
            accepted = await submit.submit(call.gateway, call.caller, ask, terms)
    return _answer(call, accepted.task)


async def read(call: Call) -> Response:
    """`GET /v1/videos/{id}`: any video of the caller's, made in whatever dialect."""
    return _answer(call, await _video(call))


async def list_page(call: Call) -> Response:
    """`GET /v1/videos`: `limit`, `after` an id, `order`; newest first."""
    query = call.request.query_params
    limit = page_limit(query.get("limit"))
    after = query.get("after")
    after_id = parse_task_id(after) if after else None
    if after and after_id is None:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "after must be an id", param="after")
    found = await lookup.page(
        call.gateway,
        call.caller,
        Kind.VIDEO,
        limit=limit + 1,
        after_id=after_id,
        oldest_first=oldest_first(query.get("order")),
    )
    return json_answer(render_list(found, call.gateway.public_url, limit=limit))


async def read_content(call: Call) -> Response:
    """`GET /v1/videos/{id}/content`: the video, or `?variant=thumbnail` its cover.

    Raises:
        PorticoError: RESULT_NOT_READY before it is completed, RESULT_EXPIRED.
    """
    variant = call.request.query_params.get("variant") or "video"
    if variant not in {"video", "thumbnail"}:
        message = "variant must be video or thumbnail"
        raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param="variant")
    view = await _video(call)
    if view.state is not TaskState.SUCCEEDED:
        raise PorticoError(ErrorCode.RESULT_NOT_READY, "Video is not ready yet")
    asset = view.outputs[0] if variant == "video" else view.cover
    if asset is None:
        raise PorticoError(ErrorCode.RESULT_EXPIRED, "This video has no thumbnail")
    opened = await download.own_file(call.gateway, call.caller, asset.id)
    return await file_answer(opened, call.request.headers, inline=False)


async def delete(call: Call) -> Response:
    """`DELETE /v1/videos/{id}`: its files and its prompt go; one under way is cancelled before."""
    view = await _video(call)
    await discard.discard(call.gateway, call.caller, view.id)
    return json_answer(VideoDeleted(id=videos.video_id(view.id)))


async def refuse(call: Call) -> Response:
    """Refuse what Sora alone could do: remix, edits, extensions, characters."""
    noun = call.request.url.path.rpartition("/")[2]
    raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, f"Video {noun} is not supported")


def _parse(call: Call, fields: Fields, inputs: Iterable[MediaInput]) -> MediaAsk:
    """Read a submit in the words of its model: with a size, or with resolution and ratio."""
    ask = parse_video(fields, inputs)
    for offered in lookup.offerings(call.gateway, DIALECT, Kind.VIDEO):
        if offered.name == ask.name:
            sized = any("size" in rules.params for rules in offered.modes.values())
            return ask if sized else in_lines(ask)
    return ask


async def _video(call: Call) -> TaskView:
    task_id = parse_task_id(call.request.path_params["video_id"])
    view = await lookup.task(call.gateway, call.caller, task_id)
    if view.kind is not Kind.VIDEO:
        raise PorticoError(ErrorCode.TASK_NOT_FOUND, "Task not found")
    return view


def _answer(call: Call, view: TaskView) -> Response:
    answer = json_answer(render_video(view, call.gateway.public_url))
    if not view.is_final:
        answer.headers["openai-poll-after-ms"] = str(POLL_AFTER_MS)
    return answer


ROUTES = (
    Route("/v1/videos", {"GET": list_page, "POST": create}),
    Route("/v1/videos/edits", {"POST": refuse}),
    Route("/v1/videos/extensions", {"POST": refuse}),
    Route("/v1/videos/characters", {"POST": refuse}),
    Route("/v1/videos/{video_id}", {"GET": read, "DELETE": delete}),
    Route("/v1/videos/{video_id}/content", {"GET": read_content}),
    Route("/v1/videos/{video_id}/remix", {"POST": refuse}),
)
