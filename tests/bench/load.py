"""A small load generator: raw HTTP/1.1 over keep-alive connections, one request each at a time.

It does as little as possible per request, so that the server and not the client is measured.
"""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import uvloop

SERVER_CORE = 0
CLIENT_CORE = 1


@dataclass(slots=True)
class Result:
    """What a run measured: answers by status, seconds, and every latency in seconds."""

    seconds: float
    statuses: dict[int, int] = field(default_factory=dict)
    latencies_s: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Good answers a second."""
        good = sum(count for status, count in self.statuses.items() if status < 300)
        return good / self.seconds

    def percentile_ms(self, share: float) -> float:
        """A latency in milliseconds below which `share` of all answers came."""
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


class _Connection(asyncio.Protocol):
    def __init__(self, take: Callable[[], bytes | None], result: Result) -> None:
        self._take = take
        self._result = result
        self._buffer = bytearray()
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(self._buffer[:head_end]).lower()
        at = head.find(b"content-length:")
        if at >= 0:
            length = int(head[at + 15 : head.find(b"\r\n", at) if b"\r\n" in head[at:] else None])
            if len(self._buffer) < head_end + 4 + length:
                return
        elif not self._buffer.endswith(b"0\r\n\r\n"):
            return
        status = int(head[9:12])
        self._result.statuses[status] = self._result.statuses.get(status, 0) + 1
        self._result.latencies_s.append(time.perf_counter() - self._sent_at)
        self._buffer.clear()
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _next(self) -> None:
        request = self._take()
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


def run(
    port: int,
    take: Callable[[], bytes | None],
    *,
    connections: int = 64,
) -> Result:
    """Send what `take` gives over some connections until it gives None; pinned to its own core."""
    os.sched_setaffinity(0, {CLIENT_CORE})
    result = Result(0.0)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        began_at = time.perf_counter()
        made = [
            await loop.create_connection(lambda: _Connection(take, result), "127.0.0.1", port)
            for _ in range(connections)
        ]
        await asyncio.gather(*[protocol.done for _, protocol in made])
        result.seconds = time.perf_counter() - began_at

    uvloop.run(main())
    return result


def for_seconds(seconds: float, make: Callable[[], bytes]) -> Callable[[], bytes | None]:
    """Give requests until the time is over."""
    ends_at = time.perf_counter() + seconds
    return lambda: make() if time.perf_counter() < ends_at else None


def request(method: str, path: str, key: str, body: bytes = b"", extra: str = "") -> bytes:
    """Write one request."""
    head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n{extra}"
    if body:
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body
