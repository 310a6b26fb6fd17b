"""What a connection lets through, byte by byte: the limits R1 and the framing R2."""

import asyncio
import json
import re
from types import SimpleNamespace

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from uvicorn.server import ServerState

from portico.app import build_dialects
from portico.cli import connections
from portico.cli.connections import GuardedConnection
from portico.settings import Settings

HOST = b"Host: x\r\n"
END = b"\r\n"
TE = b"Transfer-Encoding: chunked\r\n"


class Application:
    """Answers everything, after as long as it is told to wait."""

    def __init__(self) -> None:
        self.dialects = build_dialects(Settings())
        self.is_leaving = False
        self.seen: list[str] = []
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, scope, receive, send) -> None:
        self.seen.append(scope["path"])
        if scope["path"] == "/body":
            while (message := await receive())["type"] == "http.request":
                if not message.get("more_body"):
                    break
        await self.go.wait()
        if scope["path"] == "/api/v1/me":
            message = "a secret path"
            raise LookupError(message)
        await PlainTextResponse("fine")(scope, receive, send)


@pytest.fixture
async def server():
    application = Application()
    config = uvicorn.Config(
        application, http=GuardedConnection, ws="none", lifespan="off", log_config=None,
        proxy_headers=False, timeout_keep_alive=30,
    )  # fmt: skip
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()

    def connected() -> GuardedConnection:
        return GuardedConnection(config, state, {}, _loop=loop)

    listening = await loop.create_server(connected, "127.0.0.1", 0)
    yield SimpleNamespace(
        port=listening.sockets[0].getsockname()[1], application=application, state=state
    )
    listening.close()
    for connection in list(state.connections):
        connection.transport.abort()
    await asyncio.sleep(0)


async def talk(server, *pieces: bytes, pause_s: float = 0.0, within_s: float = 5.0) -> bytes:
    """Send pieces; return all that comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)
        async with asyncio.timeout(within_s):
            return await reader.read()
    finally:
        writer.close()


def statuses(answer: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


MALFORMED = {
    "both lengths": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n" + TE + END,
    "two lengths": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n" * 2 + END + b"{}",
    "list of lengths": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 2, 2\r\n" + END,
    "signed length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +2\r\n" + END,
    "two codings": b"POST / HTTP/1.1\r\n" + HOST + TE * 2 + END,
    "coding inside": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n" + END,
    "other coding": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n" + END,
    "bad chunk": b"POST /body HTTP/1.1\r\n" + HOST + TE + END + b"ZZ\r\n",
    "chunk without end": b"POST /body HTTP/1.1\r\n" + HOST + TE + END + b"2\r\n{}X",
    "chunk with bare LF": b"POST /body HTTP/1.1\r\n" + HOST + TE + END + b"2\n{}\r\n",
    "huge chunk": b"POST /body HTTP/1.1\r\n" + HOST + TE + END + b"F" * 17 + END,
    "bare LF": b"GET / HTTP/1.1\nHost: x\n\n",
    "bare LF in a header": b"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
    "bare CR": b"GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
    "NUL": b"GET / HTTP/1.1\r\n" + HOST + b"A: \0\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\n" + HOST * 2 + END,
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/2.0": b"GET / HTTP/2.0\r\n" + HOST + END,
    "CONNECT": b"CONNECT x:80 HTTP/1.1\r\n" + HOST + END,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00",
    "long request line": b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n" + HOST + END,
    "too many headers": b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 100 + END,
    "large head": b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"a" * 33_000 + END + END,
    "endless header": b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"a" * 80_000,
    "endless name": b"GET / HTTP/1.1\r\n" + HOST + b"a" * 80_000,
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
async def test_malformed_request_is_one_400_and_the_end(server, raw):
    answer = await talk(server, raw)
    assert statuses(answer) == [400]
    assert b"connection: close" in answer
    assert json.loads(answer.rpartition(b"\r\n\r\n")[2])["error"]["code"] == "invalid_request"


async def test_refusal_has_the_shape_of_the_dialect_that_owns_the_path(server):
    head = b"GET /api/v1/me HTTP/1.1\r\n"
    answer = await talk(server, head + b"A: b\r\n" * 101 + END)
    assert json.loads(answer.rpartition(b"\r\n\r\n")[2]) == {"detail": "Too many headers"}


async def test_refused_head_never_reaches_the_application(server):
    await talk(server, MALFORMED["no host"])
    await talk(server, MALFORMED["both lengths"])
    assert server.application.seen == []


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n" + END,
        b"GET / HTTP/1.0\r\n" + END,
        b"GET http://x/ HTTP/1.1\r\n" + HOST + b"Connection: close\r\n" + END,
        b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 98 + b"Connection: close\r\n" + END,
        b"POST /body HTTP/1.1\r\n" + HOST + TE + b"Connection: close\r\n" + END + b"0\r\n\r\n",
        b"GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n" + END,
    ],
)
async def test_sound_request_is_answered(server, raw):
    assert statuses(await talk(server, raw)) == [200]


async def test_malformed_second_request_lets_the_first_end(server):
    first = b"GET /first HTTP/1.1\r\n" + HOST + END
    server.application.go.clear()
    asyncio.get_running_loop().call_later(0.1, server.application.go.set)
    answer = await talk(server, first + b"NONSENSE\r\n\r\n")
    assert statuses(answer) == [200]
    assert server.application.seen == ["/first"]


async def test_head_that_never_ends_is_cut_in_time(server, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_WITHIN_S", 0.2)
    answer = await talk(server, b"GET / HTTP/1.1\r\n", b"A", b"A", b"A", pause_s=0.05)
    assert statuses(answer) == [400]
    assert b"too slowly" in answer


async def test_empty_lines_do_not_keep_a_connection(server, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_WITHIN_S", 0.2)
    assert statuses(await talk(server, *[b"\r\n"] * 3, pause_s=0.05)) == [400]


async def test_silent_connection_is_closed_without_a_word(server, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_WITHIN_S", 0.1)
    assert await talk(server) == b""


async def test_second_head_has_its_own_time(server, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_WITHIN_S", 0.2)
    whole = b"GET / HTTP/1.1\r\n" + HOST + END
    answer = await talk(server, whole, b"GET / HT", pause_s=0.1)
    assert statuses(answer) == [200, 400]


async def test_slow_answer_is_not_cut(server, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_WITHIN_S", 0.1)
    server.application.go.clear()
    asyncio.get_running_loop().call_later(0.3, server.application.go.set)
    whole = b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n" + END
    assert statuses(await talk(server, whole)) == [200]


async def test_body_nobody_reads_ends_the_connection_soon(server, monkeypatch):
    monkeypatch.setattr(connections, "LINGER_S", 0.1)
    head = b"POST /refused HTTP/1.1\r\n" + HOST + b"Content-Length: 500\r\n" + END
    assert statuses(await talk(server, head, b"a", b"a", pause_s=0.02)) == [200]


async def test_error_nobody_caught_leaves_in_shape_without_its_words(server):
    answer = await talk(server, b"GET /api/v1/me HTTP/1.1\r\n" + HOST + END)
    assert statuses(answer) == [502]  # as this dialect says it
    assert b"detail" in answer
    assert b"secret" not in answer


async def test_request_cut_off_by_a_stop_is_told_to_come_back(server):
    server.application.go.clear()
    whole = asyncio.create_task(talk(server, b"GET /portico/v1/x HTTP/1.1\r\n" + HOST + END))
    await asyncio.sleep(0.1)
    for task in list(server.state.tasks):
        task.cancel()
    answer = await whole
    assert statuses(answer) == [503]
    assert b"retry-after: 1" in answer


async def test_connections_beyond_the_limit_are_told_to_come_back(server, monkeypatch):
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 1)
    _, first = await asyncio.open_connection("127.0.0.1", server.port)
    answer = await talk(server, b"GET /api/v1/me HTTP/1.1\r\n" + HOST + END)
    assert statuses(answer) == [502]  # as this dialect says it
    assert b"retry-after: 1" in answer
    assert server.application.seen == []
    first.close()


async def test_no_connection_is_forgotten(server):
    for raw in MALFORMED.values():
        await talk(server, raw)
    for _ in range(100):
        if server.state.connections:
            await asyncio.sleep(0.01)
    assert server.state.connections == set()
