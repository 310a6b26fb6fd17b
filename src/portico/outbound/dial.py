"""Resolve a name once, check every answer, and dial exactly what was checked (S4)."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property
from ipaddress import IPv6Address, ip_address

from aiohttp import (
    AddrInfoType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from portico.outbound.address import Address, Target, check_address, literal_address
from portico.outbound.budgets import OutboundLimits
from portico.outbound.refusals import Reason, unreachable

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

READ_BUFFER_BYTES = 128 * 1_024
ADDRESSES_MAX = 16  # more answers than any honest name has
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "Portico"}


class Dialler:
    """Makes one exchange at a time with one checked address."""

    def __init__(self, limits: OutboundLimits, resolver: Resolver | None) -> None:
        self._limits = limits
        self._system = SystemResolver()
        self._resolver = resolver or self._system

    async def addresses(self, target: Target) -> Sequence[Address]:
        """Resolve a target once; one bad answer refuses the whole name (S3).

        Raises:
            PorticoError: MEDIA_UNREACHABLE.
            OSError: the name does not resolve, or not in time.
        """
        if literal_address(target.host) is not None:
            return [check_address(target.host, is_listed=target.is_listed)]
        async with asyncio.timeout(self._limits.resolve_s):
            answers = await self._resolver(target.host, target.port)
        if not 0 < len(answers) <= ADDRESSES_MAX:
            raise unreachable(Reason.ANSWERS, host=target.host)
        return [check_address(answer, is_listed=target.is_listed) for answer in answers]

    @asynccontextmanager
    async def exchange(
        self,
        target: Target,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> AsyncIterator[ClientResponse]:
        """Resolve, check, dial, send one request; the connection ends with the block.

        A connection is never shared between exchanges, so a check cannot be bypassed by an
        older connection left open, and nothing of one exchange is seen by another.

        Raises:
            PorticoError: MEDIA_UNREACHABLE.
            OSError, ClientError: whatever went wrong on the way.
        """
        addresses = await self.addresses(target)
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as held:
            async with asyncio.timeout(self._limits.connect_s) as budget:

                def connected() -> None:
                    budget.reschedule(loop.time() + self._limits.first_byte_s)

                connector = CheckedConnector(addresses, tls=self._tls, connected=connected)
                session = await held.enter_async_context(self._session(connector))
                answer = await session.request(
                    method,
                    URL(target.url, encoded=True),
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                )
            held.callback(answer.close)
            yield answer

    def close(self) -> None:
        """Let the resolver's threads end by themselves."""
        self._system.close()

    def _session(self, connector: TCPConnector) -> ClientSession:
        return ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            headers=_HEADERS,
            timeout=ClientTimeout(total=None, sock_connect=self._limits.connect_s),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=READ_BUFFER_BYTES,
            max_headers=self._limits.header_count_max,
        )

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()


class CheckedConnector(TCPConnector):
    """Dials only addresses that were checked, and looks again at who answered."""

    def __init__(
        self,
        addresses: Sequence[Address],
        *,
        tls: ssl.SSLContext,
        connected: Callable[[], None] = lambda: None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._checked = frozenset(addresses)
        self._connected = connected
        super().__init__(
            resolver=resolver or _Pinned(addresses),
            use_dns_cache=False,
            force_close=True,
            limit=1,
            ssl=tls,
            socket_factory=self._socket,
        )

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - the library's own signature
    ) -> Connection:
        """Connect, then compare the peer with what was checked; nothing was sent until then."""
        connection = await super().connect(req, traces, timeout)
        transport = connection.transport
        peer = transport.get_extra_info("peername") if transport else None
        if peer is None or ip_address(peer[0]) not in self._checked:
            connection.close()
            raise unreachable(Reason.PEER)
        self._connected()
        return connection

    def _socket(self, info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        if ip_address(str(address[0])) not in self._checked:
            raise unreachable(Reason.PEER)
        return socket.socket(family, kind, protocol)


class _Pinned(AbstractResolver):
    """Answers every question with the addresses that were checked."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        del family
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        pass


class SystemResolver:
    """Asks the system's resolver in threads of its own, so that slow names block nobody else."""

    def __init__(self, *, threads: int = 8) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="portico-dns")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a name, as text."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _look_up, host, port)

    def close(self) -> None:
        """Let the threads end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    # a final dot keeps the resolver from trying the search domains of this machine
    name = f"{host}." if "." in host else host
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
