"""Bytes no client library would send, to a real process; afterwards it serves as before.

What one connection lets through is tested byte by byte beside `GuardedConnection`; here it is the
whole server that must answer in shape or close, and stay healthy.
"""

import json
import random
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest

from tests.e2e.running import Server, make_account, running, use_database, verify
from tests.hostile.shapes import check_error

pytestmark = pytest.mark.e2e
BODY = b'{"prompt":"a cat"}'
HEAD_BOUND_S = 10.0
TARGETS = ["*", "/%", "/%zz", "/\u00e9", "//x", "http://evil.example/api/v1/me", "/a b", "?", "#"]
TARGETS += ["/api/v1/%00", "/api/v1/me%2f..", "/" + "a" * 7_000, "/?" + "a" * 7_000]
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory, shared_database) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("sockets")
    use_database(data, shared_database)
    key = make_account(data)
    with running(data, key, PORTICO_SIMULATE="1", PORTICO_LOG_LEVEL="debug") as started:
        yield started
        log = started.log.read_text()
        assert "unhandled" not in log
        assert "Traceback" not in log
        assert key not in log
    assert verify(data) == []


def connect(server: Server) -> socket.socket:
    port = int(server.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def talk(server: Server, *pieces: bytes, within_s: float = 5.0) -> bytes:
    """Send pieces, then read until the server closes or falls silent."""
    with closing(connect(server)) as connection:
        connection.settimeout(within_s)
        answer = b""
        with suppress(TimeoutError, ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
            while got := connection.recv(65_536):
                answer += got
        return answer


def head(server: Server, line: str, *headers: bytes, key: bool = True) -> bytes:
    lines = [line.encode() + b" HTTP/1.1", b"Host: x", *headers]
    if key:
        lines.append(f"Authorization: Bearer {server.key}".encode())
    return b"\r\n".join([*lines, b"Connection: close", b"", b""])


def answers(raw: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """Split what came into answers, each of which must be whole."""
    found = []
    while raw:
        top, _, rest = raw.partition(b"\r\n\r\n")
        status = int(top.split()[1])
        pairs = (line.split(b": ", 1) for line in top.split(b"\r\n")[1:])
        headers = {name.decode().lower(): value.decode() for name, value in pairs}
        length = int(headers["content-length"])
        assert len(rest) >= length
        found.append((status, headers, rest[:length]))
        raw = rest[length:]
    return found


def only_refusal(raw: bytes, dialect: str) -> int:
    [(status, headers, body)] = answers(raw)
    check_error(dialect, status, headers, body)
    return status


def balance(server: Server) -> str:
    return str(server.get("/portico/v1/balance").json()["available"])


def test_requests_understood_in_two_ways_reach_nobody(server):
    """A second request hidden in the first is never answered, whoever reads which length."""
    hidden = b"GET /api/v1/me HTTP/1.1\r\nHost: x\r\n\r\n"
    submit = "POST /api/v1/tasks"
    before = balance(server)
    for lengths in (
        [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 0"],
        [b"Content-Length: 0", b"Content-Length: 5"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding:\x0bchunked"],
        [b"Transfer-Encoding : chunked"],
        [b"Transfer-Encoding: chunked, identity"],
        [b"Content-Length: 0x5"],
        [b"Content-Length: 5 5"],
        [b"Content-Length: -1"],
        [b"X: a\n Content-Length: 5"],
        [b"Content-Length:\r\n 5"],
    ):
        raw = talk(server, head(server, submit, *lengths) + b"0\r\n\r\n" + hidden)
        assert only_refusal(raw, "xiaoyang") == 400, lengths
    assert balance(server) == before


def test_absolute_and_odd_targets_are_answered_in_shape(server):
    for target in TARGETS:
        raw = talk(server, head(server, f"GET {target}"))
        for status, headers, _ in answers(raw):
            assert 200 <= status < 500
            assert headers["content-type"].startswith(("application/json", "text/html"))


def test_two_requests_in_one_piece_are_answered_in_order(server):
    first = head(server, "GET /api/v1/me").replace(b"Connection: close\r\n", b"")
    second = head(server, "GET /api/v1/nothing", key=False)
    found = answers(talk(server, first * 3 + second))
    assert [status for status, *_ in found] == [200, 200, 200, 404]


def test_body_without_a_declared_end_is_cut_at_its_limit(server):
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    raw = talk(server, head(server, "POST /api/v1/tasks", CHUNKED.strip()), *[piece] * 64)
    if raw:  # the client may have been cut off while it was still sending
        assert only_refusal(raw, "xiaoyang") == 413


def test_declared_body_that_is_too_large_is_refused_unread(server):
    length = f"Content-Length: {2**40}".encode()
    started_at = time.monotonic()
    raw = talk(server, head(server, "POST /v1/chat/completions", length), within_s=8)
    assert only_refusal(raw, "openai") == 413
    assert time.monotonic() - started_at < 6


def test_body_nobody_may_send_is_refused_before_it_is_read(server):
    raw = talk(server, head(server, "POST /llmage/video", b"Content-Length: 999999", key=False))
    assert only_refusal(raw, "yuanjing") == 401


def test_client_that_expects_to_be_asked_is_served(server):
    expecting = head(
        server, "POST /portico/v1/quote", b"Expect: 100-continue", b"Content-Length: 18"
    )
    raw = talk(server, expecting, BODY)
    assert b" 200 OK" in raw


def test_client_that_goes_in_the_middle_leaves_no_trace(server):
    whole = head(server, "POST /portico/v1/tasks", b"Content-Length: 18") + BODY
    before = balance(server)
    for at in range(0, len(whole) - 1, 7):
        with closing(connect(server)) as connection:
            connection.sendall(whole[:at])
    time.sleep(0.2)
    assert balance(server) == before


def test_garbage_is_answered_in_shape_or_not_at_all(server):
    shuffled = random.Random(5)  # noqa: S311 - garbage, not secrets
    whole = head(server, "POST /api/v1/tasks", b"Content-Length: 18") + BODY
    for number in range(150):
        if number % 3 == 0:
            raw = shuffled.randbytes(shuffled.randrange(1, 400)) + b"\r\n\r\n"
        else:
            damaged = bytearray(whole)
            for _ in range(shuffled.randrange(1, 6)):
                damaged[shuffled.randrange(len(damaged))] = shuffled.randrange(256)
            raw = bytes(damaged)
        with closing(connect(server)) as connection:
            connection.settimeout(5)
            answer = b""
            with suppress(TimeoutError, ConnectionError):
                connection.sendall(raw)
                connection.shutdown(socket.SHUT_WR)
                while got := connection.recv(65_536):
                    answer += got
        for status, headers, body in answers(answer):
            assert 200 <= status < 500, (status, raw)
            if status >= 400:
                assert isinstance(json.loads(body), dict)
                assert headers["content-type"] == "application/json"
                assert headers["x-request-id"]


@pytest.mark.slow
def test_slow_clients_are_cut_while_others_are_served(server):
    def slow(text: bytes) -> tuple[float, bytes]:
        began_at, answer = time.monotonic(), b""
        with closing(connect(server)) as connection:
            connection.settimeout(0.4)
            for at in range(len(text)):
                try:
                    connection.sendall(text[at : at + 1])
                    if not (got := connection.recv(65_536)):
                        break
                    answer += got
                except TimeoutError:
                    continue
                except ConnectionError:
                    break
        return time.monotonic() - began_at, answer

    texts = [b"GET /api/v1/me HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 90, b"\r\n" * 60, b"G" * 90]
    with ThreadPoolExecutor(12) as pool:
        cut = [pool.submit(slow, text) for text in texts * 4]
        for _ in range(20):
            assert server.get("/api/v1/me").status_code == 200
            time.sleep(0.1)
        for each in cut:
            took_s, answer = each.result()
            assert took_s < HEAD_BOUND_S + 4
            assert not answer or re.match(rb"HTTP/1.1 400 ", answer)


def test_server_serves_as_before(server):
    assert server.get("/readyz").status_code == 200
    made = server.post("/portico/v1/tasks?wait=30", json={"prompt": "a cat"})
    assert made.json()["task"]["state"] == "succeeded"
