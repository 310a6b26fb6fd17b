"""`POST /hooks/{token}`: the door at which upstreams say that a job is done.

A token that we gave out is answered 200, everything else 404, and neither says anything: what a
notice is worth is found out by asking the upstream with our own key.
"""

import asyncio

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from portico.flows.gateway import Gateway
from portico.flows.notices import Notices

BODY_BYTES_MAX = 64 * 2**10
BODY_WITHIN_S = 10.0
_log = structlog.get_logger("portico.hooks")


class Hooks:
    """An ASGI application for the notices of all upstreams."""

    def __init__(self, gateway: Gateway) -> None:
        self._notices = Notices(gateway)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one notice."""
        answer = await self._answer(Request(scope, receive))
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        sender = self._notices.sender(request.path_params["token"])
        if sender is None or request.method != "POST":
            return Response(status_code=404)
        body = await _read(request)
        if body is None:
            return Response(status_code=404)
        if (reply := self._notices.reply(sender, body)) is not None:
            return JSONResponse(dict(reply))
        try:
            useful = await self._notices.take(sender, body)
        except Exception as error:  # noqa: BLE001 - edge: the task is looked at when it is due
            _log.warning("notice_lost", credential=sender.credential, error=type(error).__name__)
        else:
            _log.debug("notice", credential=sender.credential, useful=useful)
        return Response(status_code=200)


async def _read(request: Request) -> bytes | None:
    """Return the body; None for one that is too large, too slow or incomplete."""
    pieces, size_bytes = [], 0
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            async for piece in request.stream():
                size_bytes += len(piece)
                if size_bytes > BODY_BYTES_MAX:
                    return None
                pieces.append(piece)
    except (TimeoutError, ClientDisconnect):
        return None
    return b"".join(pieces)
