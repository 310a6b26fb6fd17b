"""K3, K4: files are whole, private, durable, and never reached through a link."""

import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.core import faults
from portico.core.clock import SystemClock
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import IdSource
from portico.media.bucket import BucketStorage
from portico.media.folder import CHUNK_BYTES, FolderStorage
from portico.media.keys import FANS, is_key, storage_key
from portico.media.storage import Storage, open_storage

KEY = "a/b/asset_abcdefghijklmnopqrstuvwxy.png"
OTHER = "c/d/asset_cdcdefghijklmnopqrstuvwxy.mp4"
FAR_FUTURE = 4_000_000_000_000


@pytest.fixture(params=["folder", "s3", "memory"])
async def storage(request, tmp_path) -> AsyncIterator[Storage]:
    """Every kind there is: each test that takes it is part of the contract of all."""
    url = {"folder": f"file://{tmp_path / 'files'}", "memory": "memory:///"}.get(request.param)
    opened = open_storage(url or request.getfixturevalue("bucket").url)
    yield opened
    await opened.close()


@pytest.fixture
async def folder(tmp_path) -> AsyncIterator[FolderStorage]:
    opened = FolderStorage(tmp_path / "files")
    yield opened
    await opened.close()


@pytest.fixture
def new_file(tmp_path):
    """Write a file of the test's own and return its path."""

    def write(data: bytes = b"hello", name: str = "new") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


async def everything(storage: Storage, key: str) -> bytes:
    return b"".join([piece async for piece in await storage.open_range(key, 0, 10**9)])


async def code_of(work) -> ErrorCode:
    with pytest.raises(PorticoError) as caught:
        await work
    return caught.value.code


async def test_file_comes_back_as_it_went_in(storage, new_file):
    path = new_file(b"hello")
    await storage.put_file(path, KEY)
    assert await everything(storage, KEY) == b"hello"
    assert not path.exists()


async def test_same_key_may_be_put_again(storage, new_file):
    await storage.put_file(new_file(b"one"), KEY)
    await storage.put_file(new_file(b"three"), KEY)
    assert await everything(storage, KEY) == b"three"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 1, b"h"), (1, 3, b"el"), (3, 99, b"lo"), (5, 99, b""), (99, 100, b""), (2, 2, b"")],
)
async def test_part_of_a_file_can_be_read(storage, new_file, start, end, expected):
    await storage.put_file(new_file(b"hello"), KEY)
    assert (
        b"".join([piece async for piece in await storage.open_range(KEY, start, end)]) == expected
    )


async def test_large_file_comes_in_pieces_of_constant_size(storage, new_file):
    data = os.urandom(20 * CHUNK_BYTES + 7)
    await storage.put_file(new_file(data), KEY)
    pieces = [piece async for piece in await storage.open_range(KEY, 0, len(data))]
    assert max(map(len, pieces)) == CHUNK_BYTES
    assert b"".join(pieces) == data


async def test_missing_file_is_known_before_anything_is_sent(storage):
    assert await code_of(storage.open_range(KEY, 0, 1)) is ErrorCode.RESULT_EXPIRED


async def test_deleting_twice_is_the_same_as_once(storage, new_file):
    await storage.put_file(new_file(), KEY)
    await storage.delete([KEY, OTHER])
    await storage.delete([KEY])
    assert await code_of(storage.open_range(KEY, 0, 1)) is ErrorCode.RESULT_EXPIRED


async def test_check_leaves_nothing_behind(storage):
    await storage.check()
    assert [key for fan in FANS for key in await storage.keys_before(FAR_FUTURE, fan=fan)] == []


async def test_old_files_are_listed_for_the_sweeper(storage, new_file):
    await storage.put_file(new_file(), KEY)
    assert await storage.keys_before(FAR_FUTURE, fan="a") == [KEY]
    assert await storage.keys_before(FAR_FUTURE, fan="c") == []
    assert await storage.keys_before(1_000, fan="a") == []


@pytest.mark.parametrize(
    "key",
    [
        "", "/", "..", "a/b/../../../../etc/passwd", "/etc/passwd", KEY + "/x", KEY + "\n",
        "a/b/asset_abcdefghijklmnopqrstuvwxy", "A/b/asset_abcdefghijklmnopqrstuvwxy.png",
        ".partial/x", "a//asset_abcdefghijklmnopqrstuvwxy.png",
        "a/b/asset_abcdefghijklmnopqrstuvwxy.png\0",
    ],
)  # fmt: skip
async def test_text_that_is_no_key_reaches_no_file(storage, new_file, key):
    for work in (
        storage.open_range(key, 0, 1),
        storage.delete([key]),
        storage.put_file(new_file(), key),
    ):
        with pytest.raises(ValueError, match="key"):
            await work


def test_key_is_made_of_the_id_and_the_detected_type():
    asset_id = IdSource(SystemClock()).opaque_id("asset")
    key = storage_key(asset_id, "video/mp4")
    assert key == f"{asset_id[6]}/{asset_id[7]}/{asset_id}.mp4"
    assert is_key(key)


@given(st.text(max_size=60))
def test_no_text_but_an_id_becomes_a_key(text):
    try:
        key = storage_key(text, "image/png")
    except ValueError:
        return
    assert is_key(key)


async def test_files_and_folders_are_for_the_owner_only(folder, new_file, tmp_path):
    source = new_file()
    source.chmod(0o644)
    await folder.put_file(source, KEY)
    for path in [tmp_path / "files", *(tmp_path / "files").rglob("*")]:
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected


async def test_file_that_others_hold_as_well_is_copied(folder, new_file, tmp_path):
    source = new_file(b"shared")
    os.link(source, tmp_path / "twin")
    await folder.put_file(source, KEY)
    (tmp_path / "twin").write_bytes(b"changed")
    assert await everything(folder, KEY) == b"shared"
    assert list((tmp_path / "files" / ".partial").iterdir()) == []


async def test_symbolic_links_are_never_followed(folder, new_file, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    secret = new_file(b"secret", "secret")
    link = tmp_path / "link"
    link.symlink_to(secret)
    assert await code_of(folder.put_file(link, KEY)) is ErrorCode.OVERLOADED
    (tmp_path / "files" / "c").symlink_to(outside)
    assert await code_of(folder.put_file(new_file(), OTHER)) is ErrorCode.OVERLOADED
    await folder.put_file(new_file(), KEY)
    stored = tmp_path / "files" / KEY
    stored.unlink()
    stored.symlink_to(secret)
    assert await code_of(folder.open_range(KEY, 0, 1)) is ErrorCode.OVERLOADED
    assert await folder.keys_before(FAR_FUTURE, fan="a") == []
    await folder.delete([KEY])
    assert secret.read_bytes() == b"secret"
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("point", ["file.before_write", "file.before_rename"])
async def test_crash_before_the_rename_leaves_no_file(storage, new_file, point):
    source = new_file(b"hello")
    with crash_at(point):
        assert await code_of(storage.put_file(source, KEY)) is ErrorCode.OVERLOADED
    assert await code_of(storage.open_range(KEY, 0, 1)) is ErrorCode.RESULT_EXPIRED
    await storage.put_file(source, KEY)  # the file is still the caller's
    assert await everything(storage, KEY) == b"hello"


async def test_crash_after_the_rename_leaves_a_whole_file(storage, new_file):
    with crash_at("file.after_rename"):
        assert await code_of(storage.put_file(new_file(b"hello"), KEY)) is ErrorCode.OVERLOADED
    assert await everything(storage, KEY) == b"hello"
    assert await storage.keys_before(FAR_FUTURE, fan="a") == [KEY]


class crash_at:  # noqa: N801 - reads as a verb in a with statement
    """Fail with an OSError at one named fault point."""

    def __init__(self, point: str) -> None:
        self._point = point

    def __enter__(self) -> None:
        def act(reached: str) -> None:
            if reached == self._point:
                raise OSError(28, "made up")

        faults.arm(act)

    def __exit__(self, *_: object) -> None:
        faults.arm(None)


async def test_pipe_is_not_taken_for_a_file(folder, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert await code_of(folder.put_file(tmp_path / "pipe", KEY)) is ErrorCode.OVERLOADED


async def test_every_name_is_synced_after_its_bytes(folder, new_file, monkeypatch):
    steps: list[str] = []
    fsync, rename = os.fsync, os.rename

    def sync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps.append("sync folder" if is_folder else "sync file")
        fsync(descriptor)

    def move(path: str, name: str, *, src_dir_fd: int | None, dst_dir_fd: int) -> None:
        steps.append("rename")
        rename(path, name, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    await folder.put_file(new_file(), OTHER)  # makes its folders
    await folder.put_file(new_file(), OTHER)
    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "rename", move)
    await folder.put_file(new_file(), OTHER)
    assert steps == ["sync file", "rename", "sync folder"]
    steps.clear()
    await folder.put_file(new_file(), KEY)  # two new folders, each synced into its parent
    assert steps == ["sync folder", "sync folder", "sync file", "rename", "sync folder"]


async def test_partial_files_of_a_crash_are_swept(folder, tmp_path):
    partial = tmp_path / "files" / ".partial" / "left"
    partial.write_bytes(b"half")
    await folder.keys_before(1_000, fan="a")
    assert partial.exists()
    await folder.keys_before(FAR_FUTURE, fan="a")
    assert not partial.exists()


async def test_reader_that_stops_early_leaves_no_descriptor(folder, new_file):
    await folder.put_file(new_file(bytes(3 * CHUNK_BYTES)), KEY)
    before = len(list(Path("/proc/self/fd").iterdir()))  # noqa: ASYNC240
    for _ in range(5):
        unread = await folder.open_range(KEY, 0, 10)
        begun = await folder.open_range(KEY, 0, 3 * CHUNK_BYTES)
        await anext(begun)
        await begun.aclose()
        del unread
    assert len(list(Path("/proc/self/fd").iterdir())) == before  # noqa: ASYNC240


async def test_storage_is_chosen_by_its_url(tmp_path):
    local = open_storage(f"file://{tmp_path}/here")
    assert isinstance(local, FolderStorage)
    await local.close()
    remote = open_storage("memory:///")
    assert isinstance(remote, BucketStorage)
    await remote.close()
