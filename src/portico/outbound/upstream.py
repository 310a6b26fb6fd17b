"""The client for upstreams: requests to a base URL that the operator set, with our own key.

Connections are kept and shared by all calls to one credential. A call that begins paid work has
one of its own: a kept connection may be closed by the other side in the very moment it is used,
and then nobody could say whether the job was taken. The door's rules for addresses hold here as
well; what differs is who named the host, that keys travel, and that nothing is ever followed.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote, urlencode

import msgspec
from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    FormData,
    TraceConfig,
    hdrs,
)
from yarl import URL

from portico.core.clock import Clock, SystemClock
from portico.core.errors import PorticoError
from portico.core.upstreams import AnsweredError, Call, Reply, Trouble, UpstreamError
from portico.outbound.address import PORT_MAX, HostPort, Target, parse_target
from portico.outbound.dial import READ_BUFFER_BYTES, Resolver, SystemResolver
from portico.outbound.events import read_events
from portico.outbound.pool import GuardedConnector
from portico.outbound.saving import save
from portico.outbound.waiting import read_retry_after

RETRY_AFTER_MAX_S = 3_600
STREAM_BYTES_MAX = 64 * 2**20
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "Portico"}
_ALL_PORTS = frozenset(range(1, PORT_MAX + 1))
_OK = 200
_EVENTS = "text/event-stream"


class UpstreamLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What calls to one upstream may cost; how long each may take says the call itself."""

    resolve_s: float = 5
    connect_s: float = 5
    idle_s: float = 15  # how long a connection without a call is kept
    event_s: float = 120  # the longest silence within a stream
    call_s: float = 600  # no call takes longer, whatever it wants
    header_bytes_max: int = 32 * 1_024


@dataclass(slots=True)
class _Trace:
    """What is known of one call under way."""

    is_sent: bool = False


class UpstreamClient:
    """Implements `Upstream` for one base URL.

    Args:
        base_url: the operator's, such as `https://host/api/v3`; https unless its host is listed.
        private_hosts: exact pairs of host and port that may be private (S7).
        limits: what calls may cost.
        clock: reads the dates in `Retry-After`.
        resolver: turns a name and a port into addresses; the system's own by default.

    Raises:
        ValueError: for a base URL that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        *,
        private_hosts: frozenset[HostPort] = frozenset(),
        limits: UpstreamLimits | None = None,
        clock: Clock | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._target = _base(base_url, private_hosts)
        self._base = self._target.url.rstrip("/")
        self._limits = limits or UpstreamLimits()
        self._clock = clock or SystemClock()
        self._system = SystemResolver(threads=2)
        self._resolver = resolver or self._system

    async def send(self, call: Call) -> Reply:
        """Make one call and return its whole answer, whatever its status.

        Raises:
            UpstreamError: UNREACHED or AMBIGUOUS.
        """
        async with self._exchange(call) as answer:
            body = b""
            async for piece in _counted(answer, call.answer_bytes_max):
                body += piece
            return self._reply(answer, body)

    async def listen(self, call: Call) -> AsyncIterator[bytes]:
        """Make one call and yield the data of each server-sent event as it comes.

        The connection ends with the iteration, wherever that stops.

        Raises:
            AnsweredError: an answer with another status than 200, or that is no stream.
            UpstreamError: UNREACHED when it cannot be asked, or the stream broke.
        """
        async with self._exchange(call, is_stream=True) as answer:
            if answer.status != _OK or answer.content_type != _EVENTS:
                body = b""
                async for piece in _counted(answer, call.answer_bytes_max):
                    body += piece
                raise AnsweredError(self._reply(answer, body))
            pieces = _counted(answer, STREAM_BYTES_MAX, piece_s=self._limits.event_s)
            async for data in read_events(pieces):
                yield data

    async def save(self, call: Call, to: Path, *, size_max_bytes: int) -> int:
        """Write a good answer's body to a new file and return its size in bytes.

        Raises:
            UpstreamError: UNREACHED for any other answer, or none.
            PorticoError: OVERLOADED when this machine cannot take the file.
        """
        async with self._exchange(call) as answer:
            if answer.status != _OK:
                raise UpstreamError(Trouble.UNREACHED, status=answer.status)
            pieces = _counted(answer, size_max_bytes)
            return await save(pieces, to, size_max_bytes=size_max_bytes)

    async def close(self) -> None:
        """Let go of all connections."""
        for name in ("_kept", "_own"):
            if (session := self.__dict__.pop(name, None)) is not None:
                await session.close()
        self._system.close()

    @asynccontextmanager
    async def _exchange(
        self, call: Call, *, is_stream: bool = False
    ) -> AsyncIterator[ClientResponse]:
        trace = _Trace()
        with self._telling(call, trace):
            async with asyncio.timeout(min(call.timeout_s, self._limits.call_s)) as budget:
                answer = await self._request(call, trace)
                try:
                    if is_stream:
                        budget.reschedule(None)  # from here on only silence counts
                    yield answer
                    if not is_stream and answer.content.at_eof():
                        answer.release()
                finally:
                    answer.close()  # does nothing to one that was released

    async def _request(self, call: Call, trace: _Trace) -> ClientResponse:
        session = self._own if call.once else self._kept
        answer = await session.request(
            call.method,
            URL(self._url(call), encoded=True),
            data=await _payload(call),
            headers=_headers(call),
            allow_redirects=False,
            trace_request_ctx=trace,
        )
        size_bytes = sum(len(name) + len(value) + 4 for name, value in answer.raw_headers)
        if size_bytes > self._limits.header_bytes_max:
            answer.close()
            raise ValueError
        return answer

    def _url(self, call: Call) -> str:
        query = f"?{urlencode(call.query, quote_via=quote)}" if call.query else ""
        return f"{self._base}{call.path}{query}"

    def _reply(self, answer: ClientResponse, body: bytes) -> Reply:
        asked_s = read_retry_after(answer.headers.get(hdrs.RETRY_AFTER, ""), self._clock)
        return Reply(
            status=answer.status,
            body=body,
            headers={name.lower(): value for name, value in answer.headers.items()},
            retry_after_s=None if asked_s is None else float(min(asked_s, RETRY_AFTER_MAX_S)),
        )

    @contextmanager
    def _telling(self, call: Call, trace: _Trace) -> Iterator[None]:
        """Say of whatever went wrong on the way whether the call may have begun something.

        The cause is left out on purpose: the library's errors hold addresses and headers.
        """
        try:
            yield
        except (ClientError, OSError, ValueError, PorticoError) as error:  # timeouts are OSErrors
            if isinstance(error, UpstreamError) or _is_ours(error):
                raise
            is_open = call.once and trace.is_sent
            raise UpstreamError(
                Trouble.AMBIGUOUS if is_open else Trouble.UNREACHED,
                host=self._target.host,
                error=type(error).__name__,
                reason=getattr(error, "facts", {}).get("reason"),
            ) from None

    @cached_property
    def _kept(self) -> ClientSession:
        return self._session((), keepalive_timeout=self._limits.idle_s)

    @cached_property
    def _own(self) -> ClientSession:
        return self._session((_tracing(),), force_close=True)

    def _session(self, traces: Sequence[TraceConfig], **options: float | bool) -> ClientSession:
        return ClientSession(
            connector=GuardedConnector(
                self._target,
                resolver=self._resolver,
                resolve_s=self._limits.resolve_s,
                tls=_tls(),
                **options,
            ),
            cookie_jar=DummyCookieJar(),
            headers=_HEADERS,
            timeout=ClientTimeout(total=None, sock_connect=self._limits.connect_s),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=READ_BUFFER_BYTES,
            trace_configs=list(traces),
        )


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()  # 20 ms and more


def _base(base_url: str, private_hosts: frozenset[HostPort]) -> Target:
    listed = frozenset((host.lower().strip("[]"), port) for host, port in private_hosts)
    try:
        target = parse_target(base_url, listed=listed, ports=_ALL_PORTS)
    except PorticoError as error:
        message = f"a base URL cannot be used: {error.facts.get('reason')}"
        raise ValueError(message) from None
    if target.query:
        message = "a base URL cannot have a query"
        raise ValueError(message)
    if target.scheme != "https" and not target.is_listed:
        message = "a base URL has to begin with https, or its host and port have to be listed"
        raise ValueError(message)
    return target


def _tracing() -> TraceConfig:
    """Note the moment from which on the other side may know of a call."""

    async def sent(session: ClientSession, context: SimpleNamespace, params: object) -> None:
        del session, params
        context.trace_request_ctx.is_sent = True

    tracing = TraceConfig()
    tracing.on_request_headers_sent.append(sent)
    return tracing


def _headers(call: Call) -> dict[str, str]:
    if call.parts or call.body is None:
        return dict(call.headers)
    return {"Content-Type": "application/json", **call.headers}


async def _payload(call: Call) -> FormData | bytes | None:
    if not call.parts:
        return None if call.body is None else msgspec.json.encode(call.body)
    form = FormData(default_to_multipart=True)
    for part in call.parts:
        if part.path is None:
            form.add_field(part.name, part.text or "")
        else:
            content = await asyncio.to_thread(part.path.read_bytes)
            form.add_field(
                part.name, content, filename=part.file_name, content_type=part.media_type
            )
    return form


async def _counted(
    answer: ClientResponse, bytes_max: int, *, piece_s: float | None = None
) -> AsyncIterator[bytes]:
    """Yield a body as it comes, as long as there is not too much of it."""
    encoding = answer.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower()
    if encoding not in {"", "identity"} or (answer.content_length or 0) > bytes_max:
        raise ValueError
    size_bytes = 0
    while True:
        async with asyncio.timeout(piece_s):
            piece = await answer.content.readany()
        if not piece:
            return
        size_bytes += len(piece)
        if size_bytes > bytes_max:
            raise ValueError
        yield piece


def _is_ours(error: Exception) -> bool:
    """Whether this machine is to blame, such as for a full disk."""
    return isinstance(error, PorticoError) and error.retry_after_s is not None
