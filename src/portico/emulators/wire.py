"""A small HTTP server that can also misbehave: cut, delay, trickle, flood."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httptools
import msgspec

READ_BYTES = 64 * 1_024
REQUEST_BYTES_MAX = 96 * 2**20
FLOOD_PIECE = b" " * 64 * 1_024


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request, whole."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = {}  # names in lower case
    body: bytes = b""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered, and how badly."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = {}
    pieces: tuple[bytes, ...] = ()  # sent one by one instead of a body of known length
    wait_s: float = 0.0  # before the first byte
    cut_at: int | None = None  # close after so many bytes of the body; -1: before any byte
    trickle_s: float = 0.0  # between any two bytes of the body
    is_flood: bool = False  # a body without end


def json_answer(
    value: object, *, status: int = 200, headers: dict[str, str] | None = None
) -> Answer:
    """Answer with JSON."""
    shown = {"content-type": "application/json"} | (headers or {})
    return Answer(status=status, body=msgspec.json.encode(value), headers=shown)


Handler = Callable[[Request], Awaitable[Answer]]


class WireServer:
    """Serves one handler on a port of the loopback interface."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self, *, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; port 0 takes a free one. Returns the port."""
        self._server = await asyncio.start_server(self._serve, host, port)
        chosen: int = self._server.sockets[0].getsockname()[1]
        return chosen

    async def stop(self) -> None:
        """Stop listening and cut what is open."""
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            while (request := await _read(reader)) is not None:
                if not await _write(writer, await self._handler(request)):
                    return
        except (ConnectionError, httptools.HttpParserError, asyncio.CancelledError):
            pass  # the last one: the server stops
        finally:
            self._open.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()


class _Parsed:
    """Collects what the parser finds."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []
        self.is_whole = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        self.is_whole = True


async def _read(reader: asyncio.StreamReader) -> Request | None:
    """Read one request; None when the other side has left."""
    parsed = _Parsed()
    parser: Any = httptools.HttpRequestParser(parsed)
    size_bytes = 0
    while not parsed.is_whole:
        data = await reader.read(READ_BYTES)
        size_bytes += len(data)
        if not data or size_bytes > REQUEST_BYTES_MAX:
            return None
        parser.feed_data(data)
    parts = urlsplit(parsed.url.decode("latin-1"))
    return Request(
        method=parser.get_method().decode(),
        path=unquote(parts.path),
        query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
        headers=parsed.headers,
        body=b"".join(parsed.body),
    )


async def _write(writer: asyncio.StreamWriter, answer: Answer) -> bool:
    """Send an answer; False: the connection ends with it."""
    await asyncio.sleep(answer.wait_s)
    if answer.cut_at == -1:
        return False
    writer.write(_head(answer))
    if answer.is_flood:
        while True:
            writer.write(FLOOD_PIECE)
            await writer.drain()
    if answer.pieces:
        for piece in answer.pieces:
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
        if answer.cut_at is None:
            writer.write(b"0\r\n\r\n")
    elif answer.trickle_s:
        await _trickle(writer, answer)
    else:
        writer.write(answer.body[: answer.cut_at])
    await writer.drain()
    return answer.cut_at is None


async def _trickle(writer: asyncio.StreamWriter, answer: Answer) -> None:
    for byte in answer.body:
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(answer.trickle_s)


def _head(answer: Answer) -> bytes:
    framing = {"content-length": str(len(answer.body))}
    if answer.pieces:
        framing = {"transfer-encoding": "chunked"}
    elif answer.is_flood:
        framing = {"connection": "close"}
    lines: Iterable[str] = (
        f"{name}: {value}" for name, value in {**framing, **answer.headers}.items()
    )
    known = {each.value: each.phrase for each in HTTPStatus}
    phrase = known.get(answer.status, "Unknown")  # some vendors have statuses of their own
    return "\r\n".join((f"HTTP/1.1 {answer.status} {phrase}", *lines, "", "")).encode("latin-1")
