"""Hostile and friendly hosts on free loopback ports."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import pytest

from portico.core.clock import Clock, SystemClock
from portico.outbound import Door, OutboundLimits
from portico.outbound.address import HostPort
from portico.outbound.dial import Resolver

Answering = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Host:
    """One server on a free port that answers as its script says and remembers the requests."""

    def __init__(self) -> None:
        self.answering: Answering = self.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        self.requests: list[bytes] = []
        self.open_now = 0
        self.open_most = 0
        self.port = 0

    @staticmethod
    def say(raw: bytes) -> Answering:
        async def answer(_request: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(raw)

        return answer

    def url(self, path: str = "/file", *, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open_now += 1
        self.open_most = max(self.open_most, self.open_now)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = [line for line in head.lower().split(b"\r\n") if b"content-length" in line]
            body = await reader.readexactly(int(length[0].split(b":")[1])) if length else b""
            self.requests.append(head + body)
            await self.answering(head, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open_now -= 1
            writer.close()


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async for one in _running():
        yield one


@pytest.fixture
async def second_host() -> AsyncIterator[Host]:
    async for one in _running():
        yield one


async def _running() -> AsyncIterator[Host]:
    host = Host()
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0)
    host.port = server.sockets[0].getsockname()[1]
    yield host
    server.close()


@pytest.fixture
async def open_door(host: Host) -> AsyncIterator[Callable[..., Door]]:
    """Make doors that may reach the host, with limits and resolvers of the test's choice."""
    doors: list[Door] = []

    def make(
        private_hosts: Iterable[HostPort] | None = None,
        *,
        limits: OutboundLimits | None = None,
        clock: Clock | None = None,
        resolver: Resolver | None = None,
    ) -> Door:
        listed = [("127.0.0.1", host.port)] if private_hosts is None else private_hosts
        door = Door(
            frozenset(listed), limits=limits, clock=clock or SystemClock(), resolver=resolver
        )
        doors.append(door)
        return door

    yield make
    for door in doors:
        await door.close()
