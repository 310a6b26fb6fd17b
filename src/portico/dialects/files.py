"""Answer with a stored file: whole or in ranges, streamed with constant memory (M5)."""

from collections.abc import AsyncIterator, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from portico.flows.download import UNSATISFIABLE, ByteRange, OpenFile, parse_range

_SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
    "accept-ranges": "bytes",
    "cache-control": "private, max-age=3600",
}

_ON_THE_WAY = {"cache-control": "no-store", "referrer-policy": "no-referrer"}


async def file_answer(opened: OpenFile, headers: Mapping[str, str], *, inline: bool) -> Response:
    """Answer with a file: 200, or 206 and 416 where a Range header asks for them.

    A stored file never changes, so its name is its tag; a range that is asked for only if the
    file still has another tag, or is no older than a date, is answered with the whole file.

    Raises:
        PorticoError: RESULT_EXPIRED or OVERLOADED, before anything is sent.
    """
    asset = opened.asset
    size = asset.size_bytes
    name = asset.storage_key.rpartition("/")[2]
    disposition = "inline" if inline else "attachment"
    tag = f'"{asset.id}"'
    fields = _SAFE_HEADERS | {
        "etag": tag,
        "content-disposition": f'{disposition}; filename="{name}"',
        "content-type": asset.media_type,
    }
    is_same = headers.get("if-range", tag) == tag
    wanted = parse_range(headers.get("range"), size) if is_same else None
    if wanted is UNSATISFIABLE:
        return Response(None, 416, fields | {"content-range": f"bytes */{size}"})
    status, part = 200, ByteRange(0, size)
    if isinstance(wanted, ByteRange):
        status, part = 206, wanted
        fields["content-range"] = part.content_range(size)
    fields["content-length"] = str(part.size_bytes)
    return _FileAnswer(await opened.read(part.start, part.end), status, fields)


async def link_answer(opened: OpenFile, request: Request) -> Response:
    """Answer a signed link of ours: lead on to the storage's own link, or with the file.

    Two kinds of caller get the file itself: whoever sends a key along, which a storage would
    refuse or learn, and our own pages, whose policy lets them load nothing from elsewhere.

    Raises:
        PorticoError: RESULT_EXPIRED or OVERLOADED, before anything is sent.
    """
    headers = request.headers
    if "authorization" not in headers and headers.get("sec-fetch-site") != "same-origin":
        url = await opened.link(request.method)
        if url is not None:
            return Response(None, 307, {"location": url, **_ON_THE_WAY})
    return await file_answer(opened, headers, inline=True)


class _FileAnswer(Response):
    """Sends pieces as they are read; HEAD gets the headers alone."""

    def __init__(
        self, pieces: AsyncIterator[bytes], status: int, headers: Mapping[str, str]
    ) -> None:
        super().__init__(None, status, headers)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        if scope["method"] != "HEAD":
            async for piece in self._pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
