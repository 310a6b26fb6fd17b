"""Write a body to disk while it comes: counted, owner-only, whole or not at all."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from portico.core.errors import ErrorCode, PorticoError
from portico.outbound.refusals import Reason, unreachable

WRITE_BYTES = 1_024 * 1_024


async def save(pieces: AsyncIterator[bytes], to: Path, *, size_max_bytes: int) -> int:
    """Write pieces to a new file and return its size; removes it again when anything fails.

    Raises:
        PorticoError: MEDIA_UNREACHABLE when there is more than allowed, OVERLOADED when this
            machine cannot take the file.
    """
    size_bytes, waiting = 0, bytearray()
    with _new_file(to) as file:
        async for piece in pieces:
            size_bytes += len(piece)
            if size_bytes > size_max_bytes:
                raise unreachable(Reason.SIZE, size_bytes=size_bytes)
            waiting += piece
            if len(waiting) >= WRITE_BYTES:
                await asyncio.to_thread(_write, file, waiting)
                waiting = bytearray()
        await asyncio.to_thread(_write, file, waiting)
    return size_bytes


def _write(file: BinaryIO, waiting: bytearray) -> None:
    with _blaming_this_machine():
        file.write(waiting)
        file.flush()


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    with _blaming_this_machine():
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def _blaming_this_machine() -> Iterator[None]:
    """Keep a full disk of ours from being reported as a fault of the customer's URL."""
    try:
        yield
    except OSError as error:
        raise PorticoError(
            ErrorCode.OVERLOADED, "Temporarily unavailable, try again", retry_after_s=30
        ) from error
