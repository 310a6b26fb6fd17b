"""S4 to S12 against real servers on loopback."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from portico.core.clock import SystemClock
from portico.core.errors import ErrorCode, PorticoError
from portico.outbound import Door, OutboundLimits, is_indirect

PNG = b"\x89PNG\r\n\x1a\n" + bytes(5_000)


def ok(body: bytes, *headers: bytes, declared: int | None = None) -> bytes:
    length = b"Content-Length: %d" % (len(body) if declared is None else declared)
    return b"\r\n".join([b"HTTP/1.1 200 OK", length, *headers, b"", b""]) + body


def moved(to: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


async def refusal(work) -> PorticoError:
    with pytest.raises(PorticoError) as caught:
        await work
    assert caught.value.code is ErrorCode.MEDIA_UNREACHABLE
    return caught.value


async def test_peek_returns_the_first_bytes_and_the_claims_of_the_host(host, open_door):
    host.answering = host.say(ok(PNG, b"Content-Type: image/png"))
    seen = await open_door().peek(host.url(), bytes_max=100)
    assert (seen.status, seen.head, seen.declared_type) == (200, PNG[:100], "image/png")
    assert seen.length == len(PNG)


async def test_download_writes_the_whole_body_for_the_owner_only(host, open_door, tmp_path):
    host.answering = host.say(ok(PNG * 500))
    path = tmp_path / "file"
    assert await open_door().download(host.url(), path, size_max_bytes=10**8) == len(PNG) * 500
    assert path.read_bytes() == PNG * 500
    assert path.stat().st_mode & 0o777 == 0o600


async def test_download_reads_chunked_bodies(host, open_door, tmp_path):
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    host.answering = host.say(raw)
    await open_door().download(host.url(), tmp_path / "file", size_max_bytes=5)
    assert (tmp_path / "file").read_bytes() == b"abcde"


async def test_request_carries_no_credentials_and_asks_for_plain_bytes(
    host, open_door, monkeypatch
):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    await open_door().peek(host.url("/a%2Fb?q=%41+|"))
    lines = host.requests[0].decode().lower().split("\r\n")
    assert host.requests[0].startswith(b"GET /a%2Fb?q=%41+| HTTP/1.1\r\n")
    assert "accept-encoding: identity" in lines
    assert f"host: 127.0.0.1:{host.port}" in lines
    assert not any(line.startswith(("cookie", "authorization", "referer")) for line in lines)


async def test_name_is_resolved_once_and_sent_as_host(host, open_door):
    asked: list[tuple[str, int]] = []

    async def resolver(name: str, port: int) -> Sequence[str]:
        asked.append((name, port))
        return ["127.0.0.1"]

    door = open_door([("files.example", host.port)], resolver=resolver)
    await door.peek(host.url(host="files.example"))
    assert asked == [("files.example", host.port)]
    assert f"host: files.example:{host.port}".encode() in host.requests[0].lower()


async def test_name_that_rebinds_to_a_private_address_is_refused_the_second_time(host, open_door):
    answers = [["93.184.216.34"], ["127.0.0.1"]]

    async def resolver(_name: str, _port: int) -> Sequence[str]:
        return answers.pop(0)

    door = open_door(resolver=resolver)
    await door.check_target("http://rebind.example/")
    error = await refusal(door.check_target("http://rebind.example/"))
    assert error.facts["address"] == "127.0.0.1"


@pytest.mark.parametrize(
    "answers",
    [
        ["93.184.216.34", "10.0.0.1"],  # one bad answer refuses the whole name
        ["::ffff:93.184.216.34"],
        ["169.254.169.254"],
        [],
        ["93.184.216.34"] * 17,
        ["not an address"],
    ],
)
async def test_name_with_a_bad_answer_is_never_dialled(open_door, answers):
    async def resolver(_name: str, _port: int) -> Sequence[str]:
        return answers

    await refusal(open_door(resolver=resolver).peek("http://mixed.example/"))


async def test_metadata_address_is_refused_even_for_a_listed_name(open_door):
    async def resolver(_name: str, _port: int) -> Sequence[str]:
        return ["169.254.169.254"]

    door = open_door([("metadata.internal", 80), ("169.254.169.254", 80)], resolver=resolver)
    await refusal(door.peek("http://metadata.internal/"))
    await refusal(door.peek("http://169.254.169.254/"))


async def test_slow_resolver_is_cut(open_door):
    async def resolver(_name: str, _port: int) -> Sequence[str]:
        await asyncio.sleep(30)
        return []

    door = open_door(limits=OutboundLimits(resolve_s=0.05), resolver=resolver)
    await refusal(door.peek("http://slow.example/"))


async def test_unknown_name_is_refused_like_everything_else(open_door):
    async def resolver(_name: str, _port: int) -> Sequence[str]:
        raise socket.gaierror

    error = await refusal(open_door(resolver=resolver).check_target("http://no.example/"))
    assert error.message == "Cannot fetch this URL"


async def test_listed_localhost_is_resolved_by_the_system(host, open_door):
    door = open_door([("localhost", host.port)])
    assert (await door.peek(host.url(host="localhost"))).head == b"hi"


async def test_redirects_are_followed_three_times(host, open_door):
    host.answering = _chain(host, hops=3)
    assert (await open_door().peek(host.url("/0"))).head == b"end"
    host.answering = _chain(host, hops=4)
    await refusal(open_door().peek(host.url("/0")))


def _chain(host, *, hops: int):
    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        step = int(request.split(b" ")[1].strip(b"/"))
        writer.write(moved(f"/{step + 1}") if step < hops else ok(b"end"))

    return answer


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{other}/",  # a private address that is not listed
        "http://localhost:{port}/",  # listed by address, not by name
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:8080/",
        "file:///etc/passwd",
        "http://user:pw@127.0.0.1:{port}/",
        "//2130706433:{port}/",
        "http://127.0.0.1:{port}\\@example.com/",
        "",
    ],
)
async def test_redirect_to_a_forbidden_place_is_not_followed(
    host, second_host, open_door, location
):
    target = location.format(port=host.port, other=second_host.port)
    host.answering = host.say(moved(target))
    await refusal(open_door().peek(host.url()))
    assert second_host.requests == []
    assert len(host.requests) <= 4


async def test_redirect_never_takes_cookies_along(host, open_door):
    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        first = b"GET /file" in request
        cookie = b"\r\nSet-Cookie: a=b\r\nContent-Length"
        writer.write(moved("/next").replace(b"\r\nContent-Length", cookie) if first else ok(b"x"))

    host.answering = answer
    await open_door().peek(host.url())
    assert b"cookie" not in host.requests[1].lower()


async def test_redirect_from_https_to_http_is_refused(open_door):
    door = open_door()
    target = door._target("https://a.example/x")
    with pytest.raises(PorticoError):
        door._next_hop(target, _Answer({"Location": "http://a.example/y"}))
    assert door._next_hop(target, _Answer({"Location": "/y?z"})).url == "https://a.example:443/y?z"


class _Answer:
    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers


def test_certificates_are_verified(open_door):
    tls = Door(clock=SystemClock())._dialler._tls
    assert tls.verify_mode is ssl.CERT_REQUIRED
    assert tls.check_hostname


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate")
async def test_certificate_nobody_vouches_for_is_refused(open_door, tmp_path):
    tls = made_up_certificate(tmp_path)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    error = await refusal(open_door([("127.0.0.1", port)]).peek(f"https://127.0.0.1:{port}/"))
    server.close()
    assert error.facts["error"] == "ClientConnectorCertificateError"


def made_up_certificate(folder: Path) -> ssl.SSLContext:
    key, certificate = str(folder / "key"), str(folder / "certificate")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    return tls


@pytest.mark.parametrize(
    "raw",
    [
        ok(b"x", b"Content-Encoding: gzip"),
        ok(b"x", b"Content-Encoding: identity, br"),
        ok(b"x", b"X: " + b"y" * 9_000),  # one long header
        ok(b"x", *[b"X-%d: %s" % (n, b"y" * 7_000) for n in range(5)]),  # a large block
        ok(b"x", *[b"X-%d: y" % n for n in range(200)]),  # many headers
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 206 Partial\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        b"HTTP/1.1 302 No Location\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
        b"nonsense\r\n\r\n",
        b"",
        ok(b"x", declared=10),  # closed in the middle of the body
    ],
    ids=lambda raw: repr(raw[:60]),
)
async def test_bad_answer_is_refused_and_leaves_no_file(host, open_door, tmp_path, raw):
    host.answering = host.say(raw)
    path = tmp_path / "file"
    error = await refusal(open_door().download(host.url(), path, size_max_bytes=1_000))
    assert error.message == "Cannot fetch this URL"
    assert not path.exists()


async def test_declared_and_counted_sizes_are_both_checked(host, open_door, tmp_path):
    host.answering = host.say(ok(bytes(1_001)))
    error = await refusal(open_door().download(host.url(), tmp_path / "a", size_max_bytes=1_000))
    assert error.facts["size_bytes"] == 1_001
    host.answering = host.say(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(200_000))  # length unknown
    await refusal(open_door().download(host.url(), tmp_path / "b", size_max_bytes=1_000))
    assert list(tmp_path.iterdir()) == []


async def test_endless_body_is_cut_at_the_limit(host, open_door, tmp_path):
    async def answer(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(65_536))
            await writer.drain()

    host.answering = answer
    await refusal(open_door().download(host.url(), tmp_path / "a", size_max_bytes=1_000_000))


@pytest.mark.parametrize(
    ("limits", "headers_first"),
    [
        ({"first_byte_s": 0.1}, False),
        ({"pace_window_s": 0.1}, True),
        ({"whole_s": 0.1}, True),
        ({"whole_s": 0.1}, False),
    ],
)
async def test_slow_host_is_cut_by_every_budget(host, open_door, tmp_path, limits, headers_first):
    async def answer(_request: bytes, writer: asyncio.StreamWriter) -> None:
        raw = ok(b"", declared=1_000)
        writer.write(raw if headers_first else raw[:10])
        for _ in range(200):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    host.answering = answer
    door = open_door(limits=OutboundLimits(**limits))
    started = asyncio.get_running_loop().time()
    await refusal(door.download(host.url(), tmp_path / "a", size_max_bytes=1_000))
    assert asyncio.get_running_loop().time() - started < 1
    assert not (tmp_path / "a").exists()


async def test_closed_port_looks_like_every_other_refusal(host, open_door):
    error = await refusal(open_door([("127.0.0.1", 9)]).peek("http://127.0.0.1:9/"))
    other = await refusal(open_door().peek("http://127.0.0.1:8080/"))
    assert (error.message, error.param, error.retry_after_s) == (
        other.message,
        other.param,
        other.retry_after_s,
    )


async def test_share_page_is_refused_without_asking_anybody(open_door):
    error = await refusal(open_door().peek("https://drive.google.com/file/d/1/view"))
    assert is_indirect(error)
    assert error.message == "Not a direct link to a media file"


async def test_one_account_fetches_no_more_than_its_share_at_once(host, open_door, tmp_path):
    async def answer(_request: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        writer.write(ok(b"x"))

    host.answering = answer
    door = open_door(limits=OutboundLimits(at_once_per_account=2))
    await asyncio.gather(*(door.peek(host.url(), account_id="acc_a") for _ in range(6)))
    assert host.open_most == 2


async def test_full_disk_is_not_blamed_on_the_url(host, open_door, tmp_path):
    with pytest.raises(PorticoError) as caught:
        await open_door().download(host.url(), tmp_path / "missing" / "a", size_max_bytes=10)
    assert caught.value.code is ErrorCode.OVERLOADED


async def test_existing_file_and_symbolic_link_are_never_written(host, open_door, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PorticoError):
        await open_door().download(host.url(), tmp_path / "link", size_max_bytes=10)
    assert not (tmp_path / "elsewhere").exists()


async def test_cancelled_download_leaves_no_file(host, open_door, tmp_path):
    path: Path = tmp_path / "a"
    under_way = asyncio.Event()

    async def answer(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(b"", declared=1_000) + b"x")
        await writer.drain()
        asyncio.get_running_loop().call_later(0.05, under_way.set)
        await asyncio.sleep(5)

    host.answering = answer
    fetching = asyncio.create_task(open_door().download(host.url(), path, size_max_bytes=1_000))
    await under_way.wait()
    assert path.exists()  # noqa: ASYNC240
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert not path.exists()  # noqa: ASYNC240


async def test_many_exchanges_leave_no_descriptor_open(host, open_door):
    door = open_door()
    await door.peek(host.url())
    before = open_descriptors()
    for _ in range(20):
        await door.peek(host.url())
    await asyncio.sleep(0.05)
    assert open_descriptors() <= before + 2


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_url_of_a_listed_host_is_no_url_for_strangers(open_door, host):
    assert not open_door().is_public(host.url())
    assert open_door().is_public("https://cdn.example.com/a.png")
