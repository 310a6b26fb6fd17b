"""A bucket at S3, GCS, Azure or anything that speaks like them.

The library's blocking calls are used, in threads of ours: its asyncio calls wake their waiter
from a thread that may outlive the interpreter, and then abort the whole process at its end
(seen in a quarter of short runs).
"""

import asyncio
import stat
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, ObjectStore, S3Store, from_url

from portico.core import faults
from portico.core.clock import Instant
from portico.core.errors import ErrorCode, PorticoError
from portico.media.bucket_errors import is_missing, is_past_end, shortened, unavailable, word_for
from portico.media.keys import is_key
from portico.media.sniff import SUFFIXES

T = TypeVar("T")

SCHEMES = ("s3", "gs", "az", "memory")
CHUNK_BYTES = 256 * 1_024
WINDOW_BYTES = 4 * CHUNK_BYTES  # one request brings so much, and a download holds no more
PART_BYTES = 5 * 1_024 * 1_024  # the least that S3 takes as a part of an upload
PARTS_AT_ONCE = 2
# each waits for the network most of its time; long uploads keep no download waiting
READERS, WRITERS = 32, 8
ANSWER_WITHIN_S = 10.0  # of one window, waiting for a thread included
RETRIES, RETRY_S = 3, 15
_PROBE = "portico-probe"
_TYPES = {suffix: media_type for media_type, suffix in SUFFIXES.items()}


class BucketStorage:
    """Keeps files in one object store, under its prefix.

    Args:
        signs: whether `link` returns links; without, the bucket stays behind this server.
    """

    def __init__(self, bucket: ObjectStore, *, signs: bool = False) -> None:
        self._bucket = bucket
        self._signs = signs
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="portico-bucket-read")
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="portico-bucket-write")

    @classmethod
    def from_url(cls, url: str, *, signs: bool = False) -> "BucketStorage":
        """Open a bucket; credentials come from the provider's usual environment variables.

        Raises:
            ValueError: for a URL that names no bucket, or credentials that cannot be read; its
                text repeats neither.
        """
        if url.partition("://")[0] not in SCHEMES:
            message = "PORTICO_STORAGE_URL must begin with file:///, s3://, gs:// or az://"
            raise ValueError(message)
        patience = timedelta(seconds=RETRY_S)
        try:
            bucket = from_url(url, retry_config={"max_retries": RETRIES, "retry_timeout": patience})
        except (BaseError, ValueError) as error:
            message = f"PORTICO_STORAGE_URL cannot be used: {word_for(error)}"
            raise ValueError(message) from None
        return cls(bucket, signs=signs)

    async def put_file(self, path: Path, key: str) -> None:
        """Upload a file, a large one in parts; a bucket shows it only when it is whole."""
        await self._in_thread(self._writers, self._put_file, path, _checked(key))

    async def open_range(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Return a part of a file; only one window of it is in memory at a time."""
        window, end = await self._read(key, start, end)
        return self._pieces(key, window, start, end)

    async def link(self, key: str, *, method: str, within_s: int) -> str | None:
        """Return a link of the bucket's own, made without asking it."""
        if not self._signs or not isinstance(self._bucket, S3Store | GCSStore | AzureStore):
            return None
        return await self._in_thread(self._readers, self._link, _checked(key), method, within_s)

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove files, many with one request; those already gone are passed over."""
        if keys:
            checked = [_checked(key) for key in keys]
            await self._in_thread(self._writers, self._delete, checked)

    async def check(self) -> None:
        """Write and remove one small object."""
        await self._in_thread(self._readers, self._check)  # not behind long uploads

    async def keys_before(self, before: Instant, *, fan: str) -> list[str]:
        """Return the keys of old files under one of the first letters."""
        return await self._in_thread(self._writers, self._keys_before, before, fan)

    async def close(self) -> None:
        """Finish what is under way, and begin nothing that waits."""
        for threads in (self._readers, self._writers):
            await asyncio.to_thread(threads.shutdown, cancel_futures=True)

    async def _in_thread(
        self, threads: ThreadPoolExecutor, work: Callable[..., T], *arguments: object
    ) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(threads, work, *arguments)
        except (BaseError, OSError) as error:
            if is_missing(error):
                message = "The file is no longer stored"
                raise PorticoError(ErrorCode.RESULT_EXPIRED, message) from None
            raise unavailable(error) from shortened(error)

    async def _read(self, key: str, start: int, end: int) -> tuple[bytes, int]:
        """Read the first window of a part, and find out where the part really ends."""
        work = self._in_thread(self._readers, self._window, _checked(key), start, end)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await work
        except TimeoutError as error:  # the thread goes on, and gives up by itself
            raise unavailable(error) from shortened(error)

    async def _pieces(self, key: str, window: bytes, at: int, end: int) -> AsyncIterator[bytes]:
        while window:
            for piece_at in range(0, len(window), CHUNK_BYTES):
                yield window[piece_at : piece_at + CHUNK_BYTES]
            at += len(window)
            window, _ = await self._read(key, at, end) if at < end else (b"", end)

    def _put_file(self, path: Path, key: str) -> None:
        faults.reach("file.before_write")
        if not stat.S_ISREG(path.lstat().st_mode):
            message = "not a regular file"
            raise OSError(message)
        faults.reach("file.before_rename")
        try:
            obstore.put(
                self._bucket,
                key,
                path,
                attributes=_attributes(key),
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )
        except FileNotFoundError as error:  # the bucket, then
            raise unavailable(error) from shortened(error)
        faults.reach("file.after_rename")
        path.unlink()

    def _window(self, key: str, start: int, end: int) -> tuple[bytes, int]:
        if start >= end:
            obstore.head(self._bucket, key)
            return b"", end
        window = (start, min(end, start + WINDOW_BYTES))
        try:
            found = obstore.get(self._bucket, key, options={"range": window})
            return bytes(found.bytes()), min(end, found.meta["size"])
        except BaseError as error:
            if not is_past_end(error):
                raise
            return b"", end

    def _link(self, key: str, method: str, within_s: int) -> str:
        patience = timedelta(seconds=within_s)
        bucket = self._bucket
        assert isinstance(bucket, S3Store | GCSStore | AzureStore)
        return obstore.sign(bucket, "HEAD" if method == "HEAD" else "GET", key, patience)

    def _delete(self, keys: list[str]) -> None:
        try:
            obstore.delete(self._bucket, keys)
        except FileNotFoundError:  # S3 passes over what has gone, others stop there
            for key in keys:
                self._delete_one(key)

    def _delete_one(self, key: str) -> None:
        try:
            obstore.delete(self._bucket, key)
        except FileNotFoundError as error:
            if not is_missing(error):
                raise

    def _check(self) -> None:
        try:
            obstore.put(self._bucket, _PROBE, b"\0")
            obstore.delete(self._bucket, [_PROBE])
        except FileNotFoundError as error:  # another process was faster, or there is no bucket
            if not is_missing(error):
                raise

    def _keys_before(self, before: Instant, fan: str) -> list[str]:
        return [
            meta["path"]
            for page in obstore.list(self._bucket, prefix=fan)
            for meta in page
            if meta["last_modified"].timestamp() * 1_000 < before and is_key(meta["path"])
        ]


def _attributes(key: str) -> dict[str, str]:
    """Return what the bucket tells whoever comes by a signed link."""
    name = key.rpartition("/")[2]
    return {
        "Content-Type": _TYPES.get(name.rpartition(".")[2], "application/octet-stream"),
        "Content-Disposition": f'inline; filename="{name}"',
    }


def _checked(key: str) -> str:
    if not is_key(key):
        message = "not a storage key"
        raise ValueError(message)
    return key
