"""Connections to one origin the operator named, kept open, each to a checked address."""

import asyncio
import socket
import ssl
from ipaddress import ip_address
from typing import Any

from aiohttp import AddrInfoType, ClientRequest, ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from portico.outbound.address import Target, check_address
from portico.outbound.dial import ADDRESSES_MAX, Resolver
from portico.outbound.refusals import Reason, unreachable

DNS_KEPT_S = 30
CONNECTIONS_MAX = 256


class GuardedConnector(TCPConnector):
    """Checks every address before it is dialled and every peer before anything is sent.

    Args:
        target: the one origin whose connections these are.
        resolver: turns a name and a port into addresses.
        resolve_s: how long it may take.
        tls: checks certificates.
        options: the library's own, such as how long idle connections are kept.
    """

    def __init__(
        self,
        target: Target,
        *,
        resolver: Resolver,
        resolve_s: float,
        tls: ssl.SSLContext,
        **options: Any,
    ) -> None:
        self._is_listed = target.is_listed
        super().__init__(
            resolver=_Checking(resolver, is_listed=target.is_listed, within_s=resolve_s),
            ttl_dns_cache=DNS_KEPT_S,
            limit=CONNECTIONS_MAX,
            ssl=tls,
            socket_factory=self._socket,
            **options,
        )

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - the library's own signature
    ) -> Connection:
        """Take a kept connection or make one, and look at who is at its other end."""
        connection = await super().connect(req, traces, timeout)
        transport = connection.transport
        peer = transport.get_extra_info("peername") if transport else None
        if peer is None:
            connection.close()
            raise unreachable(Reason.PEER)
        try:
            check_address(peer[0], is_listed=self._is_listed)
        except BaseException:
            connection.close()
            raise
        return connection

    def _socket(self, info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        check_address(str(ip_address(str(address[0]))), is_listed=self._is_listed)
        return socket.socket(family, kind, protocol)


class _Checking(AbstractResolver):
    """Resolves a name and checks every answer: one bad answer refuses the whole name (S3)."""

    def __init__(self, resolver: Resolver, *, is_listed: bool, within_s: float) -> None:
        self._resolver = resolver
        self._is_listed = is_listed
        self._within_s = within_s

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        del family
        async with asyncio.timeout(self._within_s):
            answers = await self._resolver(host, port)
        if not 0 < len(answers) <= ADDRESSES_MAX:
            raise unreachable(Reason.ANSWERS, host=host)
        checked = [check_address(answer, is_listed=self._is_listed) for answer in answers]
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,  # noqa: PLR2004
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in checked
        ]

    async def close(self) -> None:
        pass
