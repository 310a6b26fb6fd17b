"""Guarded HTTP connections: what uvicorn lets through and a public server should not (R1, R2).

A request head must be complete in time and stay small, its framing must be unambiguous, and a
body nobody reads any more must end. Each refusal leaves in the shape of the dialect that owns
the path, as far as the path is known by then.
"""

import asyncio
import contextlib
import secrets
from http import HTTPStatus
from typing import Any

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from portico.core.errors import ErrorCode, PorticoError
from portico.dialects.body import HAS_WHOLE_BODY
from portico.dialects.endpoint import owner

HEAD_WITHIN_S = 10.0
IDLE_S = 30
LINGER_S = 2.0  # for the rest of a body that was refused, so that the client can read why
HEAD_SIZE_MAX = 32 * 1024
URL_LENGTH_MAX = 8 * 1024
HEADERS_MAX = 100
CONNECTIONS_MAX = 1_000
_log = structlog.get_logger("portico.connections")
_VERSIONS = ("1.1", "1.0")


class GuardedConnection(HttpToolsProtocol):
    """One connection of one client."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._application: Any = self.config.app
        self._timer: asyncio.TimerHandle | None = None
        self._in_head = True  # between requests, and until the head of one is complete
        self._in_body = False
        self._head_size_bytes = 0
        self._refused: str | None = None
        self._is_ending = False  # what still comes is not read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._expect(HEAD_WITHIN_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that has begun must end in time, and within its size."""
        if self._is_ending:
            return
        if self._in_head:
            self._head_size_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_size_bytes and not self._is_ending:
            if self._head_size_bytes > HEAD_SIZE_MAX + URL_LENGTH_MAX:
                self._end("The request head is too large")
            elif self._timer is None:
                self._expect(HEAD_WITHIN_S)

    def on_headers_complete(self) -> None:
        """Check the head as a whole, then let the request begin."""
        self._check_head()
        self._stop_timer()
        self._head_size_bytes = 0
        is_full = len(self.connections) > CONNECTIONS_MAX
        self.app = self._overloaded if is_full else self._answer
        super().on_headers_complete()
        self._in_head, self._in_body = False, True
        if is_full or self._application.is_leaving:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Note that the next bytes belong to another request."""
        self._stop_timer()
        self._in_head, self._in_body = True, False
        self.scope["extensions"] = {HAS_WHOLE_BODY: {}}
        super().on_message_complete()
        if self.cycle.response_complete:  # the rest of a refused body has come after all
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        """End the connection soon when the rest of a body is of no use any more."""
        super().on_response_complete()
        if self._in_body and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self._stop_timer()
            self._timer = self.loop.call_later(LINGER_S, self.transport.close)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words, not ours
        """Answer what the parser could not take, unless an answer is already under way."""
        self._end(self._refused or "Malformed HTTP request")

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: any client may ask for an upgrade, and is answered as if it had not."""

    def _check_head(self) -> None:
        """Refuse what is too large, or what two readers could understand in two ways."""
        fault = self._fault_of_size() or self._fault_of_framing()
        if fault is not None:
            self._refused = fault
            raise ValueError(fault)  # stops the parser, which then calls `send_400_response`

    def _fault_of_size(self) -> str | None:
        if len(self.url) > URL_LENGTH_MAX:
            return "The request line is too long"
        if len(self.headers) > HEADERS_MAX:
            return "Too many headers"
        if sum(len(name) + len(value) for name, value in self.headers) > HEAD_SIZE_MAX:
            return "The request head is too large"
        return None

    def _fault_of_framing(self) -> str | None:
        hosts = lengths = 0
        coding = []
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
            elif name == b"content-length":
                lengths += 1
            elif name == b"transfer-encoding":
                coding.append(value)
        version = self.parser.get_http_version()
        if version not in _VERSIONS:
            return "Only HTTP/1.1 is spoken here"
        if hosts > 1 or (hosts == 0 and version == "1.1"):
            return "There must be one Host header"
        if lengths + len(coding) > 1:
            return "The length of the body is not clear"
        if coding and coding[0].lower() != b"chunked":
            return "Only the chunked transfer coding is understood"
        return None

    def _expect(self, within_s: float) -> None:
        self._timer = self.loop.call_later(within_s, self._too_slow)

    def _too_slow(self) -> None:
        if self._head_size_bytes:
            self._end("The request head came too slowly")
        else:
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self, message: str) -> None:
        """Answer that the request is malformed, if that is still possible, and close."""
        self._stop_timer()
        self._is_ending = True
        is_answering = bool(self.cycle) and not self.cycle.response_complete
        if is_answering:
            if self._in_head:  # the fault is in the next request: this one gets its answer first
                self.cycle.keep_alive = False
                return
            self.cycle.disconnected = True
        if self.transport.is_closing():
            return
        if self._in_head or not self.cycle.response_started:
            error = PorticoError(ErrorCode.INVALID_REQUEST, message)
            self.transport.write(self._as_bytes(self._render(error)))
        self.transport.close()

    def _render(self, error: PorticoError) -> Response:
        path = getattr(self, "url", b"").decode("latin-1").partition("?")[0]
        answer = owner(self._application.dialects, path).render_error(error)
        answer.headers["x-request-id"] = secrets.token_hex(8)  # the application is not asked
        return answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the application answer; what it does not catch still leaves in its shape."""
        try:
            await self._application(scope, receive, send)
        except asyncio.CancelledError:  # the server stops, and this took too long
            error = PorticoError(ErrorCode.OVERLOADED, "Stopping, try again", retry_after_s=1)
        except Exception as unforeseen:  # noqa: BLE001 - edge of the process
            _log.error("unhandled", exc_info=unforeseen)
            error = PorticoError(ErrorCode.INTERNAL, "Internal error, please try again")
        else:
            return
        with contextlib.suppress(RuntimeError):  # the answer has begun: it can only be cut off
            await self._render(error)(scope, receive, send)
        self.transport.close()

    async def _overloaded(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = PorticoError(ErrorCode.OVERLOADED, "Too many connections", retry_after_s=1)
        await self._render(error)(scope, receive, send)

    def _as_bytes(self, answer: Response) -> bytes:
        phrase = HTTPStatus(answer.status_code).phrase
        headers = [*self.server_state.default_headers, *answer.raw_headers]
        lines = [f"HTTP/1.1 {answer.status_code} {phrase}".encode()]
        lines += [name + b": " + value for name, value in headers]
        return b"\r\n".join([*lines, b"connection: close", b"", bytes(answer.body)])
