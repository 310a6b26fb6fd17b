"""A media host that answers as it is told: one thing when looked at, another when fetched."""

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.contract.gateways import PICTURE, VIDEO

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]
ENDLESS_PIECE = PICTURE + b"\0" * 256 * 1024


@dataclass(slots=True)
class EvilHost:
    """The running host; each path has a script whose last answer is given again and again."""

    port: int = 0
    scripts: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str, *script: Answer) -> str:
        """Let a path answer so; returns its URL."""
        self.scripts[path] = list(script)
        return f"http://{self.address}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split()[1].decode()
            self.asked.append(path)
            script = self.scripts[path]
            await (script.pop(0) if len(script) > 1 else script[0])(writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the last one: the test is over
        finally:
            writer.close()


def says(
    body: bytes, *, kind: str = "image/png", status: str = "200 OK", headers: str = ""
) -> Answer:
    """Answer with a body."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{headers}"
    return raw(f"{head}\r\n".encode() + body)


def raw(everything: bytes) -> Answer:
    """Answer with exactly these bytes."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(everything)

    return answer


def sends_to(location: str) -> Answer:
    """Answer with a redirect."""
    return says(b"", status="302 Found", headers=f"location: {location}\r\n")


async def says_nothing(writer: asyncio.StreamWriter) -> None:
    """Take the request and never answer."""
    await asyncio.sleep(30)


async def trickles(writer: asyncio.StreamWriter) -> None:
    """Send a byte now and then, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n")
    while True:
        writer.write(b"\x89")
        await writer.drain()
        await asyncio.sleep(0.05)


async def never_ends(writer: asyncio.StreamWriter) -> None:
    """Send a picture that goes on for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n")
    while True:
        writer.write(ENDLESS_PIECE)
        await writer.drain()


def bomb(side: int = 13_000) -> bytes:
    """Return a small PNG of very many pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    lines = zlib.compress(b"\0" * (side // 8 + 2) * side, 1)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


PAGE = b"<!doctype html><title>Preview</title><video src=a.mp4></video>"
PNG = says(PICTURE)
MP4 = says(VIDEO, kind="video/mp4")
HTML = says(PAGE, kind="text/html")


@asynccontextmanager
async def evil_host() -> AsyncIterator[EvilHost]:
    """Run a host until the end of the `async with`."""
    host = EvilHost()
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0)
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        server.close()
