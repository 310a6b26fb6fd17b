"""Hostile media from a host on this machine: refused before any debit, or a failed task refunded.

Every file that is an input comes from the host; looking at it and fetching it are two requests,
so what is fine at the submit may be another thing when the task runs.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from portico.core.views import TaskState
from tests.contract.gateways import PICTURE, Wired
from tests.hostile.evil_host import (
    HTML,
    MP4,
    PAGE,
    PNG,
    Answer,
    EvilHost,
    bomb,
    never_ends,
    raw,
    says,
    says_nothing,
    sends_to,
    trickles,
)
from tests.hostile.shapes import check_refusal
from tests.hostile.standing import held, standing

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Asking(NamedTuple):
    """How one dialect sends a picture's address, and how it shows that it was no good."""

    submit: str
    body: dict[str, Any]  # `URL` stands for the address
    read: str  # `ID` stands for the task
    refused: str  # what a refusal's body matches
    failed: str  # what a failed task matches when read


ASKINGS: Mapping[str, Asking] = {
    "xiaoyang": Asking(
        "/api/v1/tasks",
        {"modal_key": "img2vid_v30", "option_key": "5_off", "prompt": "a cat", "image_url": "URL"},
        "/api/v1/tasks/ID",
        r'^{"detail":"E_DIRECT_MEDIA_URL: image_url: .+"}$',
        r'"status":"FAIL","error_message":"E_DIRECT_MEDIA_URL: .+","video_url":null,',
    ),
    "xpilot": Asking(
        "/api/v1/video/generate",
        {"model": "seedance-2.0/image-to-video", "prompt": "a cat", "image_url": "URL"},
        "/api/v1/video/ID",
        r'^{"error":{"message":"image_url: .+","code":"INVALID_PARAMS"}}$',
        r'"status":"failed","outputs":\[\],.*"error":".+"',
    ),
    "apixo": Asking(
        "/api/v1/generateTask/wan-2-5",
        {"input": {"mode": "image-to-video", "prompt": "a cat", "image_urls": ["URL"]}},
        "/api/v1/statusTask/wan-2-5?taskId=ID",
        r'^{"code":400,"message":".*image_urls.*","data":null}$',
        r'"state":"failed","failCode":"INVALID_IMAGE_URL","failMsg":".+"',
    ),
    "yuanjing": Asking(
        "/llmage/video",
        {"llmid": "FK_h7FLYnosv2TkMN4ATC", "prompt": "a cat", "image1_file": "URL"},
        "/llmage/tasks?taskid=ID",
        r'^{"error":"image1_file: .+"}$',
        r'"status":"FAILED",.*"error":".+"',
    ),
    "openai": Asking(
        "/v1/videos",
        {"model": "seedance-2.0", "prompt": "a cat", "input_reference": {"image_url": "URL"}},
        "/v1/videos/video_ID",
        r'"param":"input_reference","code":"invalid_image_(url|file)"',
        r'"status":"failed",.*"error":{"code":"invalid_image_(url|file)","message":".+"}',
    ),
    "portico": Asking(
        "/portico/v1/tasks",
        {"prompt": "a cat", "inputs": [{"role": "first_frame", "url": "URL"}]},
        "/portico/v1/tasks/ID",
        r'^{"error":{"code":"media_(unreachable|rejected)","message":".+","param":"first_frame"}}$',
        r'"state":"failed",.*"error":{"code":"media_(unreachable|rejected)","message":".+"}',
    ),
}
FFCONCAT = b"ffconcat version 1.0\nfile /etc/passwd\n"
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n"

# what can be seen when the address is looked at
SEEN: dict[str, Answer] = {
    "page": HTML,
    "page that says it is a picture": says(PAGE),
    "ffconcat": says(FFCONCAT, kind="video/mp4"),
    "playlist": says(PLAYLIST, kind="video/mp4"),
    "SVG": says(SVG, kind="image/svg+xml"),
    "archive": says(b"PK\x03\x04" + b"\0" * 60),
    "PDF": says(b"%PDF-1.7\n"),
    "GIF": says(b"GIF89a\x01\0\x01\0"),
    "video for a picture": MP4,
    "zero bytes": says(b""),
    "one byte": says(b"\x89"),
    "404 with a picture": says(PICTURE, status="404 Not Found"),
    "204": says(b"", status="204 No Content"),
    "206": says(PICTURE, status="206 Partial Content"),
    "401": says(b"", status="401 Unauthorized", headers="www-authenticate: Basic\r\n"),
    "redirect into this machine": sends_to("http://127.0.0.1:9/a.png"),
    "redirect to a name of this machine": sends_to("http://localhost/a.png"),
    "redirect to metadata": sends_to("http://169.254.169.254/latest/meta-data/"),
    "redirect to a file": sends_to("file:///etc/passwd"),
    "redirect to itself": sends_to("/redirect%20to%20itself"),
    "redirect to nowhere": sends_to(""),
    "packed": says(PICTURE, headers="content-encoding: gzip\r\n"),
    "says nothing": says_nothing,
    "trickles": trickles,
    "closes at once": raw(b""),
    "no HTTP": raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "cut head": raw(b"HTTP/1.1 200 OK\r\ncontent-"),
    "endless head": raw(HEAD + b"a: " + b"b" * 200_000),
    "many headers": raw(HEAD + b"a: b\r\n" * 5_000 + b"\r\n" + PICTURE),
    "two lengths": raw(HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\n" + PICTURE),
    "negative length": raw(HEAD + b"content-length: -5\r\n\r\n" + PICTURE),
    "bad chunks": raw(HEAD + b"transfer-encoding: chunked\r\n\r\nZZ\r\n" + PICTURE),
}
SHARED = (
    "https://drive.google.com/file/d/1/view",
    "https://mega.nz/file/a#b",
    "http://127.0.0.1/a.png",
    "http://[::1]/a.png",
    "http://2130706433/a.png",
    "http://user:secret@example.com/a.png",
    "ftp://example.com/a.png",
    "file:///etc/passwd",
    "/a.png",
    "https://" + "a" * 3_000,
    "http://exa mple.com/",
    "http://example.com:22/a.png",
    "gopher://127.0.0.1:70/_",
)
# what is fine when it is looked at, and not when it is fetched
LATER: dict[str, tuple[Answer, ...]] = {
    "bomb": (says(bomb()),),
    "cut short": (says(PICTURE[: len(PICTURE) // 2]),),
    "nothing but a head": (says(PICTURE[:33]),),
    "never ends": (never_ends,),
    "declared too large": (PNG, raw(HEAD + b"content-length: 999999999\r\n\r\n" + PICTURE)),
    "less than declared": (PNG, raw(HEAD + b"content-length: 5000\r\n\r\n" + PICTURE)),
    "gone": (PNG, says(b"", status="404 Not Found")),
    "page by now": (PNG, HTML),
    "video by now": (PNG, MP4),
    "empty by now": (PNG, says(b"")),
    "redirect by now": (PNG, sends_to("http://169.254.169.254/")),
    "silent by now": (PNG, says_nothing),
    "slow by now": (PNG, trickles),
}
BY_EVERY_DIALECT = ("gone", "cut short", "page by now", "bomb")


@pytest.mark.parametrize("dialect", ASKINGS)
async def test_what_is_no_medium_is_refused_before_any_debit(
    gateway: Wired, evil: EvilHost, dialect: str
):
    before = await standing(gateway)
    urls = [evil.url("/" + name.replace(" ", "%20"), answer) for name, answer in SEEN.items()]
    for answer in await asyncio.gather(*(send(gateway, dialect, url) for url in urls)):
        assert check_refusal(dialect, answer)[0] == 400
        assert re.search(ASKINGS[dialect].refused, answer.text), answer.text
    assert await standing(gateway) == before


@pytest.mark.parametrize("dialect", ASKINGS)
async def test_what_is_no_direct_link_is_refused_unasked(
    gateway: Wired, evil: EvilHost, dialect: str
):
    before, asked = await standing(gateway), len(evil.asked)
    for url in SHARED:
        answer = await send(gateway, dialect, url)
        status, message = check_refusal(dialect, answer)
        assert status == 400
        assert url not in message
        if not ("yuanjing" in dialect and "http" not in url) and dialect != "openai":
            assert re.search(ASKINGS[dialect].refused, answer.text), (url, answer.text)
    assert await standing(gateway) == before
    assert len(evil.asked) == asked


async def test_refusals_of_the_network_all_read_alike(gateway: Wired, evil: EvilHost):
    """Open port, closed port, silence and status cannot be told apart (S9)."""
    closed = f"http://{evil.address[:-1]}1/a.png"
    urls = [closed, "http://127.0.0.1:9/a.png", "http://10.0.0.1/a.png"]
    urls += [
        evil.url(f"/alike{at}.png", answer)
        for at, answer in enumerate((says_nothing, says(b"", status="500 Oops"), raw(b"x")))
    ]
    assert len({(await send(gateway, "portico", url)).text for url in urls}) == 1


@pytest.mark.parametrize("dialect", ASKINGS)
@pytest.mark.parametrize("name", BY_EVERY_DIALECT)
async def test_what_turns_out_bad_fails_the_task_with_a_refund(
    gateway: Wired, evil: EvilHost, name: str, dialect: str
):
    before = await standing(gateway)
    url = evil.url(f"/{dialect}-{name.replace(' ', '-')}.png", *LATER[name])
    answer = await send(gateway, dialect, url)
    assert answer.status_code in {200, 202}, answer.text
    await failed(gateway, dialect, answer.text)
    assert (await standing(gateway)).available == before.available
    assert await held(gateway) == 0


async def test_every_other_bad_file_fails_its_task_with_a_refund(gateway: Wired, evil: EvilHost):
    before = await standing(gateway)
    names = [name for name in LATER if name not in BY_EVERY_DIALECT]
    urls = [evil.url(f"/late-{name.replace(' ', '-')}.png", *LATER[name]) for name in names]
    answers = [await send(gateway, "portico", url) for url in urls]
    for answer in answers:
        assert answer.status_code == 202, answer.text
        await failed(gateway, "portico", answer.text)
    assert (await standing(gateway)).available == before.available
    assert await held(gateway) == 0
    for _ in range(200):  # folders go just after their tasks' ends are told
        if not any(gateway.gateway.work_folder.iterdir()):
            break
        await asyncio.sleep(0.01)
    assert not any(gateway.gateway.work_folder.iterdir())


async def test_good_picture_passes_all_the_same(gateway: Wired, evil: EvilHost):
    evil.url("/real.bin", PNG)
    for dialect in ASKINGS:
        answer = await send(gateway, dialect, evil.url("/good.png", sends_to("/real.bin")))
        assert answer.status_code in {200, 202}, answer.text
        assert await ended(gateway, answer.text) is TaskState.SUCCEEDED


async def send(gateway: Wired, dialect: str, url: str) -> Any:
    asking = ASKINGS[dialect]
    return await gateway.post(asking.submit, with_url(asking.body, url))


def with_url(body: Any, url: str) -> Any:
    if isinstance(body, dict):
        return {name: with_url(value, url) for name, value in body.items()}
    if isinstance(body, list):
        return [with_url(value, url) for value in body]
    return url if body == "URL" else body


async def failed(gateway: Wired, dialect: str, submitted: str) -> None:
    """Wait for the end of a task, then check how its dialect tells of it."""
    assert await ended(gateway, submitted) is TaskState.FAILED
    task_id = id_in(submitted)
    answer = await gateway.get(ASKINGS[dialect].read.replace("ID", task_id))
    assert answer.status_code == 200
    assert re.search(ASKINGS[dialect].failed, answer.text), answer.text
    assert "127.0.0.1" not in answer.text


async def ended(gateway: Wired, submitted: str) -> TaskState:
    task_id = id_in(submitted)
    path = f"/portico/v1/tasks/{task_id}"
    answer = await gateway.get(path)
    if answer.json()["finished_at"] is None:
        await gateway.gateway.live.wait(int(task_id), within_s=20)
        answer = await gateway.get(path)
    return TaskState(answer.json()["state"])


def id_in(submitted: str) -> str:
    found = re.search(r"\d{15,19}", submitted)
    assert found is not None, submitted
    return found[0]
