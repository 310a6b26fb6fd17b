"""What only a bucket can do or suffer: parts, batches, links, being away."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import requests

from portico.core.errors import ErrorCode, PorticoError
from portico.media import bucket as module
from portico.media.bucket import CHUNK_BYTES, PART_BYTES, WINDOW_BYTES, BucketStorage
from portico.media.storage import open_storage
from tests.s3 import SECRET, Bucket

KEY = "a/b/asset_abcdefghijklmnopqrstuvwxy.mp4"
MIB = 1_024 * 1_024
LARGE_MIB = 48
GROWTH_MIB_MAX = 32  # measured: 21, for a file of 24 MiB as for one of 96
PROCESS = """
import asyncio, sys
from pathlib import Path
from portico.media.storage import open_storage

def peak_mib():
    # not getrusage: that one begins with what the parent of the process had
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

async def main(url, key, large, small, size):
    storage = open_storage(url)
    await storage.put_file(Path(small), key)  # the library is loaded and connected
    before = peak_mib()
    print("ready", flush=True)
    await storage.put_file(Path(large), key)
    count = 0
    async for piece in await storage.open_range(key, 0, int(size)):
        count += len(piece)
    print(count, peak_mib() - before)
    await storage.close()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def storage(bucket) -> AsyncIterator[BucketStorage]:
    opened = BucketStorage.from_url(bucket.url, signs=True)
    yield opened
    await opened.close()


@pytest.fixture
async def frail(frail_bucket) -> AsyncIterator[BucketStorage]:
    opened = BucketStorage.from_url(frail_bucket.url)
    yield opened
    await opened.close()


def sized(path: Path, size_bytes: int) -> Path:
    """Make a file of zeros that takes no room."""
    with path.open("wb") as file:
        file.truncate(size_bytes)
    return path


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def large_upload(bucket: Bucket, folder: Path, size_bytes: int) -> subprocess.Popen[str]:
    """Begin to send a large file from another process, which says `ready` and then its peak."""
    small = written(folder / "small", b"small")
    large = sized(folder / "large", size_bytes)
    given = (bucket.url, KEY, str(large), str(small), str(size_bytes))
    command = [sys.executable, "-c", PROCESS, *given]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def everything(storage: BucketStorage, key: str = KEY, end: int = 10**9) -> bytes:
    return b"".join([piece async for piece in await storage.open_range(key, 0, end)])


async def refusal(work) -> PorticoError:
    with pytest.raises(PorticoError) as caught:
        await work
    assert caught.value.retry_after_s
    assert caught.value.code is ErrorCode.OVERLOADED
    return caught.value


async def test_large_file_goes_up_in_parts_and_comes_back_whole(bucket, storage, tmp_path):
    data = os.urandom(2 * PART_BYTES + 7)
    await storage.put_file(written(tmp_path / "new", data), KEY)
    assert await everything(storage) == data
    sent = [line for line in bucket.requests_seen() if "partNumber=" in line]
    assert len(sent) == 3
    assert bucket.listed() == [f"kept/{KEY}"]
    assert bucket.uploads() == []


def test_memory_stays_the_same_however_large_a_file_is(bucket, tmp_path):
    size_bytes = LARGE_MIB * MIB
    out, _ = large_upload(bucket, tmp_path, size_bytes).communicate(timeout=60)
    count, growth_mib = out.split()[1:]
    assert int(count) == size_bytes
    assert float(growth_mib) < GROWTH_MIB_MAX


async def test_upload_that_dies_half_way_is_never_seen(frail_bucket, frail, tmp_path):
    process = large_upload(frail_bucket, tmp_path, 512 * MIB)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    async with asyncio.timeout(30):
        while not any("partNumber=2" in line for line in frail_bucket.requests_seen()):  # noqa: ASYNC110
            await asyncio.sleep(0.005)  # it is another process: there is no event to wait for
    with frail_bucket.server.held():
        process.kill()
        process.communicate(timeout=10)
    assert await everything(frail) == b"small"  # what lay there before
    assert frail_bucket.uploads() == [f"kept/{KEY}"]  # for the bucket's life-cycle rule


async def test_short_part_costs_one_request(bucket, storage, tmp_path):
    await storage.put_file(written(tmp_path / "new", bytes(WINDOW_BYTES + 1)), KEY)
    before = len(bucket.requests_seen())
    pieces = [piece async for piece in await storage.open_range(KEY, 5, WINDOW_BYTES)]
    assert len(bucket.requests_seen()) == before + 1
    assert {len(piece) for piece in pieces} <= {CHUNK_BYTES, CHUNK_BYTES - 5}


async def test_many_files_are_deleted_with_one_request(bucket, storage, tmp_path):
    keys = [KEY.replace("abcd", f"abc{letter}") for letter in "abcdefgh"]
    for key in keys[:6]:
        await storage.put_file(written(tmp_path / "new", b"hello"), key)
    before = len(bucket.requests_seen())
    await storage.delete(keys)  # two of them are not there
    await storage.delete([])
    assert len(bucket.requests_seen()) == before + 1
    assert bucket.listed() == []


async def test_signed_link_opens_one_file_with_the_right_type(bucket, storage, tmp_path):
    await storage.put_file(written(tmp_path / "new", b"hello"), KEY)
    link = await storage.link(KEY, method="GET", within_s=60)
    assert link is not None
    assert "X-Amz-Expires=60&" in link
    assert SECRET not in link
    part = await asyncio.to_thread(requests.get, link, headers={"Range": "bytes=1-2"}, timeout=10)
    assert (part.status_code, part.content) == (206, b"el")
    assert part.headers["content-type"] == "video/mp4"
    name = KEY.rpartition("/")[2]
    assert part.headers["content-disposition"] == f'inline; filename="{name}"'
    head = await storage.link(KEY, method="HEAD", within_s=60)
    assert head is not None
    assert (await asyncio.to_thread(requests.head, head, timeout=10)).status_code == 200


async def test_no_link_unless_links_are_wanted(bucket, tmp_path):
    for url, links in ((bucket.url, "proxy"), ("memory:///", "signed")):
        opened = open_storage(url, links=links)
        assert await opened.link(KEY, method="GET", within_s=60) is None
        await opened.close()


async def test_every_verb_says_that_the_store_is_away_and_works_when_it_is_back(
    frail_bucket, frail, tmp_path
):
    path = written(tmp_path / "new", b"hello")
    frail_bucket.server.stop()
    began = time.monotonic()
    refused = await asyncio.gather(
        refusal(frail.put_file(path, KEY)),
        refusal(frail.open_range(KEY, 0, 1)),
        refusal(frail.delete([KEY])),
        refusal(frail.check()),
        refusal(frail.keys_before(1_000, fan="a")),
    )
    assert time.monotonic() - began < 5
    assert {str(each.__cause__) for each in refused} == {"no connection"}
    frail_bucket.server.start()
    gone = await refusal(frail.put_file(path, KEY))  # the server is back, the bucket is not
    assert str(gone.__cause__) == "NoSuchBucket"
    for work in (
        frail.open_range(KEY, 0, 1),
        frail.delete([KEY]),
        frail.check(),
        frail.keys_before(1_000, fan="a"),
    ):
        assert str((await refusal(work)).__cause__) == "NoSuchBucket"
    frail_bucket.server.make_bucket(frail_bucket.name)
    await frail.put_file(path, KEY)
    await frail.check()
    assert await everything(frail) == b"hello"


async def test_store_that_says_nothing_is_not_waited_for_long(
    frail_bucket, frail, tmp_path, monkeypatch
):
    await frail.put_file(written(tmp_path / "new", b"hello"), KEY)
    monkeypatch.setattr(module, "ANSWER_WITHIN_S", 0.3)
    with frail_bucket.server.held():
        began = time.monotonic()
        await asyncio.gather(*[refusal(frail.open_range(KEY, 0, 5)) for _ in range(50)])
        assert time.monotonic() - began < 2
    monkeypatch.undo()
    assert await everything(frail) == b"hello"


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("ftp://user:hush@host/x", "must begin with"),
        ("https://user:hush@host/x", "must begin with"),
        ("s3://", "names no bucket"),
        ("az://container", "no account"),
    ],
)
def test_url_that_opens_nothing_is_refused_without_being_repeated(url, word):
    with pytest.raises(ValueError, match=word) as caught:
        open_storage(url)
    assert "PORTICO_STORAGE_URL" in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "links"), [("file:///tmp/x", "signed"), ("memory:///", "open"), ("memory:///", "")]
)
def test_links_that_cannot_be_are_refused(url, links):
    with pytest.raises(ValueError, match="PORTICO_STORAGE_LINKS"):
        open_storage(url, links=links)


async def test_plain_http_has_to_be_allowed(bucket, monkeypatch):
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    opened = open_storage(bucket.url)
    assert "AWS_ALLOW_HTTP" in str((await refusal(opened.check())).__cause__)
    await opened.close()
