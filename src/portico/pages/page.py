"""What every page does: GET and HEAD only, safe headers, errors in Portico's own shape."""

from collections.abc import Awaitable, Callable

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from portico.core.errors import ErrorCode

_log = structlog.get_logger("portico.pages")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'"
)
_SAFE = {
    "content-security-policy": _POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

Answer = Callable[[Request], Awaitable[Response]]


class Page:
    """An ASGI application for one path."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = await self._guarded(Request(scope, receive))
        for name, value in _SAFE.items():
            answer.headers.setdefault(name, value)
        await answer(scope, receive, send)

    async def _guarded(self, request: Request) -> Response:
        if request.method not in {"GET", "HEAD"}:
            refused = error_answer(405, ErrorCode.METHOD_NOT_ALLOWED, "Method not allowed")
            refused.headers["allow"] = "GET, HEAD"
            return refused
        try:
            return await self._answer(request)
        except Exception as error:  # noqa: BLE001 - edge of the process: no request may see a trace
            _log.error("unhandled", exc_info=error)
            return error_answer(500, ErrorCode.INTERNAL, "Internal error, please try again")


def error_answer(status: int, code: ErrorCode, message: str) -> Response:
    """Answer with an error in the shape of Portico's own dialect."""
    return json_answer({"error": {"code": code, "message": message, "param": None}}, status=status)


def json_answer(value: object, *, status: int = 200) -> Response:
    """Answer with JSON that nobody may keep."""
    return Response(
        msgspec.json.encode(value),
        status,
        headers={"cache-control": "no-store"},
        media_type="application/json",
    )
