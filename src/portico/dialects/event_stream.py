"""Answer with server-sent events, and notice at once when the client goes (F24)."""

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from portico.flows.chat import ChatStream


class EventStream(Response):
    """A stream of `data:` lines; `stream.leave()` is called however it ends."""

    def __init__(self, lines: AsyncIterator[bytes], stream: ChatStream | None) -> None:
        headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
        super().__init__(None, 200, headers, media_type="text/event-stream")
        del self.headers["content-length"]
        self._lines = lines
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send every line as it comes, until the end or until the client has gone."""
        sending = asyncio.ensure_future(self._send_all(send))
        leaving = asyncio.ensure_future(_client_left(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if self._stream is not None:
                self._stream.leave()
            for each in (sending, leaving):
                each.cancel()
        if sending.done() and not sending.cancelled():
            sending.result()

    async def _send_all(self, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        async for line in self._lines:
            await send({"type": "http.response.body", "body": line, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
