"""A local folder as storage: durable before it is recorded, and never through a symbolic link.

The object store library's own local backend renames but does not sync, writes files anybody
may read, and follows links; hence these lines. Every step is relative to an open folder.
"""

import asyncio
import errno
import os
import secrets
import shutil
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from portico.core import faults
from portico.core.clock import Instant
from portico.core.errors import ErrorCode, PorticoError
from portico.media.keys import FANS, is_key

T = TypeVar("T")

CHUNK_BYTES = 256 * 1_024
THREADS = 4  # syncs of several threads share one commit of the journal; more gain nothing
FOLDER_MODE = 0o700
FILE_MODE = 0o600
_PARTIAL = ".partial"
# never through a link, and never waiting for the other end of a pipe
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = _READ | os.O_DIRECTORY
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class FolderStorage:
    """Keeps files under one folder, which it makes when it is missing."""

    def __init__(self, root: Path) -> None:
        root.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with suppress(FileExistsError):
            os.mkdir(_PARTIAL, FOLDER_MODE, dir_fd=self._root)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="portico-files")

    async def put_file(self, path: Path, key: str) -> None:
        """Take a file over: sync it, rename it into place, sync the folder (K4)."""
        await self._in_thread(self._put_file, path, key)

    async def open_range(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Return a part of a file; only one piece is in memory at a time."""
        first, end = await self._in_thread(self._begin, key, start, end)
        return self._pieces(key, first, start + len(first), end)

    async def link(self, key: str, *, method: str, within_s: int) -> None:
        """Return nothing: only this process can read its folder."""

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove files; those already gone are passed over."""
        await self._in_thread(self._delete, keys)

    async def check(self) -> None:
        """Write, sync and remove one byte."""
        await self._in_thread(self._check)

    async def keys_before(self, before: Instant, *, fan: str) -> list[str]:
        """Return the keys of old files under one of the first folders."""
        return await self._in_thread(self._keys_before, before / 1_000, fan)

    async def close(self) -> None:
        """Finish what is under way and let go of the folder."""
        await asyncio.to_thread(self._threads.shutdown)
        os.close(self._root)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, work, *arguments)
        except FileNotFoundError as error:
            raise PorticoError(ErrorCode.RESULT_EXPIRED, "The file is no longer stored") from error
        except OSError as error:
            raise PorticoError(
                ErrorCode.OVERLOADED,
                "Storage is unavailable, try again",
                retry_after_s=5,
                errno=error.errno,
            ) from error

    async def _pieces(self, key: str, first: bytes, at: int, end: int) -> AsyncIterator[bytes]:
        if first:
            yield first
        if at >= end:
            return
        descriptor = await self._in_thread(self._open, key)
        try:
            while at < end:
                wanted_bytes = min(CHUNK_BYTES, end - at)
                piece = await self._in_thread(os.pread, descriptor, wanted_bytes, at)
                if not piece:
                    raise PorticoError(ErrorCode.INTERNAL, "A stored file is shorter than it was")
                at += len(piece)
                yield piece
        finally:
            os.close(descriptor)

    def _begin(self, key: str, start: int, end: int) -> tuple[bytes, int]:
        """Read the first piece, and find out where the part really ends.

        Small files are done with this one visit to the thread, and nothing stays open for a
        reader that never comes back.
        """
        descriptor = self._open(key)
        try:
            end = min(end, os.fstat(descriptor).st_size)
            return os.pread(descriptor, max(0, min(CHUNK_BYTES, end - start)), start), end
        finally:
            os.close(descriptor)

    def _put_file(self, path: Path, key: str) -> None:
        faults.reach("file.before_write")
        with self._folder_of(key, make=True) as (folder, name):
            if self._move(path, folder, name):
                return
            partial = f"{_PARTIAL}/{secrets.token_hex(12)}"
            try:
                self._copy(path, partial)
                _place(partial, folder, name, source_folder=self._root)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(partial, dir_fd=self._root)
            path.unlink(missing_ok=True)

    def _move(self, path: Path, folder: int, name: str) -> bool:
        """Rename the caller's own file into place; False when it has to be copied instead."""
        descriptor = os.open(path, _READ)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            if status.st_nlink != 1 or status.st_dev != os.fstat(folder).st_dev:
                return False
            os.fchmod(descriptor, FILE_MODE)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            _place(str(path), folder, name)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return False
        return True

    def _copy(self, path: Path, partial: str) -> None:
        to = os.open(partial, _NEW, FILE_MODE, dir_fd=self._root)
        with os.fdopen(os.open(path, _READ), "rb") as source, os.fdopen(to, "wb") as target:
            shutil.copyfileobj(source, target, 1_024 * 1_024)
            target.flush()
            os.fsync(target.fileno())

    def _open(self, key: str) -> int:
        with self._folder_of(key) as (folder, name):
            return os.open(name, _READ, dir_fd=folder)

    def _delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            with suppress(FileNotFoundError), self._folder_of(key) as (folder, name):
                os.unlink(name, dir_fd=folder)

    def _check(self) -> None:
        partial = f"{_PARTIAL}/{secrets.token_hex(12)}"
        descriptor = os.open(partial, _NEW, FILE_MODE, dir_fd=self._root)
        try:
            os.write(descriptor, b"\0")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            os.unlink(partial, dir_fd=self._root)

    def _keys_before(self, before_s: float, fan: str) -> list[str]:
        for partial in self._old_files(_PARTIAL, before_s):
            with suppress(FileNotFoundError):
                os.unlink(partial, dir_fd=self._root)
        return [
            key
            for second in FANS
            for key in self._old_files(f"{fan}/{second}", before_s)
            if is_key(key)
        ]

    def _old_files(self, folder: str, before_s: float) -> list[str]:
        try:
            descriptor = self._walk(folder.split("/"))
        except FileNotFoundError:
            return []
        try:
            with os.scandir(descriptor) as entries:
                return [
                    f"{folder}/{entry.name}"
                    for entry in entries
                    if entry.is_file(follow_symlinks=False)
                    and entry.stat(follow_symlinks=False).st_mtime < before_s
                ]
        finally:
            os.close(descriptor)

    @contextmanager
    def _folder_of(self, key: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """Yield the open folder of a key, and the file's name in it."""
        if not is_key(key):
            message = "not a storage key"
            raise ValueError(message)
        *folders, name = key.split("/")
        folder = self._walk(folders, make=make)
        try:
            yield folder, name
        finally:
            os.close(folder)

    def _walk(self, folders: Sequence[str], *, make: bool = False) -> int:
        """Open a folder step by step; a symbolic link on the way is an error."""
        current = os.dup(self._root)
        try:
            for name in folders:
                current = self._step(current, name, make=make)
        except BaseException:
            os.close(current)
            raise
        return current

    @staticmethod
    def _step(current: int, name: str, *, make: bool) -> int:
        try:
            following = os.open(name, _FOLDER, dir_fd=current)
        except FileNotFoundError:
            if not make:
                raise
            with suppress(FileExistsError):
                os.mkdir(name, FOLDER_MODE, dir_fd=current)
            os.fsync(current)
            following = os.open(name, _FOLDER, dir_fd=current)
        os.close(current)
        return following


def _place(path: str, folder: int, name: str, *, source_folder: int | None = None) -> None:
    """Rename a synced file to its final name and make the name durable."""
    faults.reach("file.before_rename")
    os.rename(path, name, src_dir_fd=source_folder, dst_dir_fd=folder)
    os.fsync(folder)
    faults.reach("file.after_rename")
