"""The client for upstreams: what was sent, what may have begun, and what is never followed."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from portico.core.errors import ErrorCode
from portico.core.upstreams import AnsweredError, Call, Part, Trouble, UpstreamError
from portico.outbound import UpstreamClient, UpstreamLimits
from portico.testing import FakeClock
from tests.unit.outbound.conftest import Host

ASK = Call(method="GET", path="/tasks/1")
BEGIN = Call(method="POST", path="/tasks", body={"prompt": "sea"}, once=True)
KEY = {"Authorization": "Bearer k-canary-1"}


@pytest.fixture
async def open_client(host: Host) -> AsyncIterator[Callable[..., UpstreamClient]]:
    """Make clients of the host, which the operator listed unless said otherwise."""
    clients: list[UpstreamClient] = []

    def make(base: str | None = None, *, listed: bool = True, **options: Any) -> UpstreamClient:
        hosts = frozenset({("127.0.0.1", host.port), ("upstream.test", host.port)})
        client = UpstreamClient(
            base or host.url("/api/v3"),
            private_hosts=hosts if listed else frozenset(),
            clock=FakeClock(),
            **options,
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.close()


def says(status: str, body: bytes = b"{}", *headers: str):
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return Host.say("\r\n".join(head).encode() + b"\r\n\r\n" + body)


def content_of(path: Path) -> bytes:
    return path.read_bytes()


async def trouble_of(client: UpstreamClient, call: Call) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await client.send(call)
    return caught.value


async def test_call_goes_below_the_base_url_with_its_headers(open_client, host):
    host.answering = says("200 OK", b'{"id": 1}')
    call = Call(method="GET", path="/tasks", query=(("filter.ids", "a"), ("filter.ids", "b c")))
    reply = await open_client().send(call)

    head = host.requests[0].split(b"\r\n")
    assert head[0] == b"GET /api/v3/tasks?filter.ids=a&filter.ids=b%20c HTTP/1.1"
    assert b"Accept-Encoding: identity" in head
    assert (reply.status, reply.body) == (200, b'{"id": 1}')


async def test_body_is_json(open_client, host):
    await open_client().send(BEGIN)
    head, _, body = host.requests[0].partition(b"\r\n\r\n")
    assert b"Content-Type: application/json" in head
    assert json.loads(body) == {"prompt": "sea"}


async def test_parts_are_multipart_even_without_a_file(open_client, host):
    await open_client().send(
        Call(method="POST", path="/videos", parts=(Part(name="prompt", text="sea"),))
    )
    assert b"Content-Type: multipart/form-data; boundary=" in host.requests[0]
    assert b'form-data; name="prompt"\r\n\r\nsea\r\n' in host.requests[0]


async def test_file_part_carries_its_type_and_name(open_client, host, tmp_path):
    path = tmp_path / "input-0"
    path.write_bytes(b"png!")
    part = Part(name="image[]", path=path, media_type="image/png", file_name="a.png")
    await open_client().send(Call(method="POST", path="/edits", parts=(part,)))
    assert b'name="image[]"; filename="a.png"' in host.requests[0]
    assert b"Content-Type: image/png\r\n" in host.requests[0]
    assert b"\r\n\r\npng!\r\n" in host.requests[0]


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("soon", None), ("99999999", 3_600.0)])
async def test_wish_to_wait_is_read_and_bounded(open_client, host, header, seconds):
    host.answering = says("429 Slow", b"{}", f"Retry-After: {header}")
    assert (await open_client().send(ASK)).retry_after_s == seconds


async def test_redirect_is_an_answer_and_is_not_followed(open_client, host, second_host):
    host.answering = says("302 Found", b"", f"Location: {second_host.url()}")
    assert (await open_client().send(ASK)).status == 302
    assert second_host.requests == []


@pytest.mark.parametrize("call", [ASK, BEGIN], ids=["question", "start"])
async def test_refused_connection_means_nothing_was_sent(open_client, call):
    client = UpstreamClient("http://127.0.0.1:9", private_hosts=frozenset({("127.0.0.1", 9)}))
    error = await trouble_of(client, call)
    await client.close()
    assert (error.trouble, error.code) == (Trouble.UNREACHED, ErrorCode.OVERLOADED)


async def test_name_that_does_not_resolve_means_nothing_was_sent():
    client = UpstreamClient("https://upstream.invalid/v1")
    error = await trouble_of(client, BEGIN)
    await client.close()
    assert error.trouble is Trouble.UNREACHED


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Len",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
        b"SMTP ready\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 50\r\n\r\n"
        + gzip.compress(b"0" * 5_000)[:50],
        b"HTTP/1.1 200 OK\r\nX: "
        + b"a" * 7_000
        + b"\r\n"
        + b"".join(b"X%d: " % n + b"a" * 7_000 + b"\r\n" for n in range(5))
        + b"\r\n",
    ],
    ids=["silence", "half a head", "half a body", "no HTTP", "too large", "compressed", "headers"],
)
@pytest.mark.parametrize(
    ("call", "trouble"), [(ASK, Trouble.UNREACHED), (BEGIN, Trouble.AMBIGUOUS)]
)
async def test_unusable_answer_leaves_open_only_what_may_have_begun(
    open_client, host, raw, call, trouble
):
    host.answering = Host.say(raw)
    assert (await trouble_of(open_client(), call)).trouble is trouble


async def test_endless_answer_is_cut(open_client, host):
    async def endless(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b" " * 65_536)
            await writer.drain()

    host.answering = endless
    assert (await trouble_of(open_client(), ASK)).trouble is Trouble.UNREACHED


async def test_slow_answer_is_cut_after_the_time_of_the_call(open_client, host):
    async def slow(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n")
        for _ in range(40):
            writer.write(b" ")
            await asyncio.sleep(0.05)

    host.answering = slow
    call = Call(method="POST", path="/", body={}, once=True, timeout_s=1.0)
    error = await trouble_of(open_client(), call)
    assert (error.trouble, error.code) == (Trouble.AMBIGUOUS, ErrorCode.UPSTREAM_TIMEOUT)


async def test_questions_share_a_connection_and_starts_never_do(open_client):
    kept: list[int] = []

    async def keep_alive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = [at for at in head.lower().split(b"\r\n") if b"content-length" in at]
                await reader.readexactly(int(length[0].split(b":")[1]) if length else 0)
                kept.append(writer.get_extra_info("peername")[1])
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(keep_alive, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    client = UpstreamClient(base, private_hosts=frozenset({("127.0.0.1", port)}))
    for call in (ASK, ASK, ASK, BEGIN, BEGIN):
        await client.send(call)
    await client.close()
    server.close()
    assert len(set(kept[:3])) == 1
    assert len(set(kept)) == 3


@pytest.mark.parametrize(
    "base",
    [
        "http://10.0.0.1/v1",
        "https://localhost/v1",
        "ftp://upstream.example/v1",
        "https://user:pass@upstream.example/v1",
        "https://upstream.example/v1?key=1",
        "http://upstream.example/v1",
    ],
)
def test_base_url_that_cannot_be_used_is_refused_before_anything_is_sent(base):
    with pytest.raises(ValueError, match="base URL"):
        UpstreamClient(base)


@pytest.mark.parametrize("address", ["10.0.0.8", "169.254.169.254", "127.0.0.1", "::1"])
async def test_name_with_a_private_address_is_not_dialled(open_client, host, address):
    async def resolver(_host: str, _port: int) -> list[str]:
        return ["93.184.215.14", address]

    base = f"https://upstream.example:{host.port}/v1"
    error = await trouble_of(open_client(base, resolver=resolver), BEGIN)
    assert error.trouble is Trouble.UNREACHED
    assert host.requests == []


async def test_literal_private_address_is_not_dialled(open_client, host):
    error = await trouble_of(open_client(f"https://127.0.0.1:{host.port}", listed=False), BEGIN)
    assert error.trouble is Trouble.UNREACHED
    assert host.open_most == 0


async def test_listed_name_may_lead_to_this_machine(open_client, host):
    async def resolver(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    client = open_client(f"http://upstream.test:{host.port}", resolver=resolver)
    assert (await client.send(ASK)).status == 200


async def test_metadata_address_is_refused_even_when_listed():
    listed = frozenset({("169.254.169.254", 80)})
    client = UpstreamClient("http://169.254.169.254", private_hosts=listed)
    assert (await trouble_of(client, ASK)).trouble is Trouble.UNREACHED
    await client.close()


async def test_error_holds_no_key_no_prompt_and_no_word_of_the_upstream(open_client, host):
    host.answering = Host.say(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nsecret of theirs")
    call = Call(method="POST", path="/", headers=KEY, body={"prompt": "my words"}, once=True)
    error = await trouble_of(open_client(), call)
    told = f"{error!r} {error.facts} {error.__cause__!r} {call!r}"
    for word in ("canary", "secret", "my words"):
        assert word not in told
    assert error.__suppress_context__


async def test_stream_yields_the_data_of_each_event(open_client, host):
    body = b': hi\r\n\r\ndata: {"a":1}\r\n\r\nevent: x\ndata: 1\ndata:2\n\ndata: cut off'
    host.answering = says("200 OK", body, "Content-Type: text/event-stream")
    heard = [data async for data in open_client().listen(ASK)]
    assert heard == [b'{"a":1}', b"1\n2"]


async def test_stream_that_is_none_comes_as_a_plain_reply(open_client, host):
    host.answering = says("429 Slow", b'{"error": 1}', "Content-Type: application/json")
    with pytest.raises(AnsweredError) as caught:
        await anext(open_client().listen(ASK))
    assert (caught.value.reply.status, caught.value.reply.body) == (429, b'{"error": 1}')


async def test_stream_that_falls_silent_is_cut(open_client, host):
    async def silent(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        await writer.drain()
        await asyncio.sleep(5)

    host.answering = silent
    stream = open_client(limits=UpstreamLimits(event_s=0.2)).listen(ASK)
    assert await anext(stream) == b"1"
    with pytest.raises(UpstreamError):
        await anext(stream)


async def test_leaving_a_stream_ends_its_connection(open_client, host):
    gone = asyncio.Event()

    async def endless(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        try:
            while True:
                writer.write(b"data: 1\n\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            gone.set()

    host.answering = endless
    stream = open_client().listen(ASK)
    await anext(stream)
    await stream.aclose()
    await asyncio.wait_for(gone.wait(), timeout=2)


async def test_good_body_is_saved_and_a_bad_answer_leaves_no_file(open_client, host, tmp_path):
    host.answering = says("200 OK", b"a film")
    client, to = open_client(), tmp_path / "film"
    assert await client.save(ASK, to, size_max_bytes=100) == 6
    assert content_of(to) == b"a film"

    for size_max_bytes, status in ((3, "200 OK"), (100, "404 Not Found")):
        host.answering = says(status, b"a film")
        with pytest.raises(UpstreamError):
            await client.save(ASK, tmp_path / "other", size_max_bytes=size_max_bytes)
        assert not (tmp_path / "other").exists()
