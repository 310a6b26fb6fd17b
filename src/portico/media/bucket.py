"""A bucket at S3, GCS, Azure or anything that speaks like them.

The library's blocking calls are used, in threads of ours: its asyncio calls wake their waiter
from a thread that may outlive the interpreter, and then abort the whole process at its end
(seen in a quarter of short runs).
"""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from portico.core import faults
from portico.core.clock import Instant
from portico.core.errors import ErrorCode, PorticoError
from portico.media.keys import is_key

T = TypeVar("T")

CHUNK_BYTES = 256 * 1_024
THREADS = 16  # each waits for the network most of its time
WINDOW_BYTES = 16 * CHUNK_BYTES  # one request brings so much
RETRY_S = 20
_PROBE = "portico-probe"


class BucketStorage:
    """Keeps files in one object store, under its prefix."""

    def __init__(self, bucket: ObjectStore) -> None:
        self._bucket = bucket
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="portico-bucket")

    @classmethod
    def from_url(cls, url: str) -> "BucketStorage":
        """Open a bucket; credentials come from the provider's usual environment variables."""
        patience = timedelta(seconds=RETRY_S)
        return cls(from_url(url, retry_config={"max_retries": 3, "retry_timeout": patience}))

    async def put_file(self, path: Path, key: str) -> None:
        """Upload a file; a bucket shows it only when it is whole."""
        await self._in_thread(self._put_file, path, _checked(key))

    async def open_range(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Return a part of a file; only one window of it is in memory at a time."""
        return self._pieces(key, start, min(end, await self.size(key)))

    async def size(self, key: str) -> int:
        """Return the size of a file in bytes."""
        head = await self._in_thread(obstore.head, self._bucket, _checked(key))
        return head["size"]

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove files; those already gone are passed over."""
        await self._in_thread(self._delete, [_checked(key) for key in keys])

    async def check(self) -> None:
        """Write and remove one small object."""
        await self._in_thread(obstore.put, self._bucket, _PROBE, b"\0")
        await self._in_thread(obstore.delete, self._bucket, _PROBE)

    async def keys_before(self, before: Instant, *, fan: str) -> list[str]:
        """Return the keys of old files under one of the first letters."""
        return await self._in_thread(self._keys_before, before, fan)

    async def close(self) -> None:
        """Finish what is under way."""
        await asyncio.to_thread(self._threads.shutdown)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, work, *arguments)
        except FileNotFoundError as error:
            raise PorticoError(ErrorCode.RESULT_EXPIRED, "The file is no longer stored") from error
        except (BaseError, OSError) as error:
            raise PorticoError(
                ErrorCode.OVERLOADED,
                "Storage is unavailable, try again",
                retry_after_s=5,
                kind=type(error).__name__,
            ) from error

    async def _pieces(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        while start < end:
            until = min(start + WINDOW_BYTES, end)
            window = await self._in_thread(self._read, _checked(key), start, until)
            for at in range(0, len(window), CHUNK_BYTES):
                yield window[at : at + CHUNK_BYTES]
            start = until

    def _put_file(self, path: Path, key: str) -> None:
        faults.reach("file.before_write")
        if path.is_symlink():
            raise OSError(errno.EINVAL, "not a regular file")
        faults.reach("file.before_rename")
        obstore.put(self._bucket, key, path)
        faults.reach("file.after_rename")
        path.unlink()

    def _read(self, key: str, start: int, end: int) -> bytes:
        return bytes(obstore.get_range(self._bucket, key, start=start, end=end))

    def _delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            try:
                obstore.delete(self._bucket, key)
            except FileNotFoundError:
                continue

    def _keys_before(self, before: Instant, fan: str) -> list[str]:
        return [
            meta["path"]
            for page in obstore.list(self._bucket, prefix=fan)
            for meta in page
            if meta["last_modified"].timestamp() * 1_000 < before and is_key(meta["path"])
        ]


def _checked(key: str) -> str:
    if not is_key(key):
        message = "not a storage key"
        raise ValueError(message)
    return key
