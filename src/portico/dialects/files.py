"""Answer with a stored file: whole or in ranges, streamed with constant memory (M5)."""

from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from portico.flows.download import OpenFile, Range, parse_range

_SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
    "accept-ranges": "bytes",
    "cache-control": "private, max-age=3600",
}
_EXTENSIONS = {"video/mp4": "mp4", "video/webm": "webm", "image/png": "png", "image/jpeg": "jpg",
               "image/webp": "webp"}  # fmt: skip


class FileAnswer(Response):
    """A stored file as an HTTP answer; 206 and 416 where a Range asks for them."""

    def __init__(self, opened: OpenFile, headers: Mapping[str, str], *, inline: bool) -> None:
        asset = opened.asset
        size = asset.size_bytes
        wanted = parse_range(headers.get("range"), size)
        name = f"{asset.id}.{_EXTENSIONS.get(asset.media_type, 'bin')}"
        disposition = "inline" if inline else "attachment"
        fields = _SAFE_HEADERS | {"content-disposition": f'{disposition}; filename="{name}"'}
        status, self._start, self._end = 200, 0, size
        if wanted is Range.UNSATISFIABLE:
            status, self._end = 416, 0
            fields["content-range"] = f"bytes */{size}"
        elif isinstance(wanted, tuple):
            status, (self._start, self._end) = 206, wanted
            fields["content-range"] = f"bytes {self._start}-{self._end - 1}/{size}"
        fields["content-length"] = str(self._end - self._start)
        self._opened = opened
        super().__init__(None, status, fields, media_type=asset.media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Stream the file; HEAD gets the headers alone."""
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        if scope["method"] != "HEAD" and self._end > self._start:
            async for piece in self._opened.read(self._start, self._end):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
