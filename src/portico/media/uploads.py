"""Spool what a customer sends, in pieces or as base64, to a file of a known kind and size."""

import asyncio
import base64
import binascii
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from portico.core.errors import ErrorCode, PorticoError
from portico.media.sniff import HEAD_BYTES, sniff

MIB = 1_024 * 1_024
WRITE_BYTES = MIB
TEXT_PIECE = 256 * 1_024  # a multiple of 4, as base64 wants
_DATA_URL = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_BLANKS = str.maketrans("", "", " \t\r\n")
_URL_SAFE = str.maketrans("-_", "+/")


class UploadLimits(msgspec.Struct, frozen=True):
    """How large a file may be, by its detected kind, in bytes."""

    picture_bytes_max: int = 20 * MIB
    film_bytes_max: int = 200 * MIB  # sounds too

    def bytes_max(self, media_type: str) -> int:
        """Return the limit for one kind."""
        is_picture = media_type.startswith("image/")
        return self.picture_bytes_max if is_picture else self.film_bytes_max


class Upload(msgspec.Struct, frozen=True):
    """One spooled file; whoever asked for it removes it."""

    path: Path
    media_type: str
    size_bytes: int


async def spool(
    pieces: AsyncIterator[bytes], to: Path, *, limits: UploadLimits, param: str | None = None
) -> Upload:
    """Write pieces to a new file; its first bytes say what it is and how large it may be.

    The file is gone again when anything fails.

    Raises:
        PorticoError: MEDIA_REJECTED, PAYLOAD_TOO_LARGE, or OVERLOADED when the disk is full.
    """
    head, size_bytes, media_type = b"", 0, None
    waiting = bytearray()
    with _new_file(to) as file:
        async for piece in pieces:
            size_bytes += len(piece)
            waiting += piece
            if media_type is None and size_bytes >= HEAD_BYTES:
                media_type = _detected(bytes(waiting[:HEAD_BYTES]), param)
            if media_type is not None:
                _refuse_large(size_bytes, limits.bytes_max(media_type), param)
            if len(waiting) >= WRITE_BYTES:
                await asyncio.to_thread(_write, file, waiting)
                waiting = bytearray()
        head = bytes(waiting[:HEAD_BYTES])
        media_type = media_type or _detected(head, param)
        _refuse_large(size_bytes, limits.bytes_max(media_type), param)
        await asyncio.to_thread(_write, file, waiting)
    return Upload(to, media_type, size_bytes)


async def spool_base64(
    text: str, to: Path, *, limits: UploadLimits, param: str | None = None
) -> Upload:
    """Write a `data:` URL, or plain or URL-safe base64, to a new file.

    What a `data:` URL says about its type is not believed.

    Raises:
        PorticoError: as `spool`; MEDIA_REJECTED also for what is not base64.
    """
    return await spool(_decoded(text, param), to, limits=limits, param=param)


async def _decoded(text: str, param: str | None) -> AsyncIterator[bytes]:
    prefix = _DATA_URL.match(text)
    carry = ""
    for at in range(prefix.end() if prefix else 0, len(text), TEXT_PIECE):
        carry += text[at : at + TEXT_PIECE].translate(_BLANKS).translate(_URL_SAFE)
        whole = len(carry) // 4 * 4
        yield _decode(carry[:whole], param)
        carry = carry[whole:]
    yield _decode(carry + "=" * (-len(carry) % 4), param)


def _decode(text: str, param: str | None) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PorticoError(
            ErrorCode.MEDIA_REJECTED, "Neither a URL nor base64 of a media file", param=param
        ) from error


def _detected(head: bytes, param: str | None) -> str:
    media_type = sniff(head)
    if media_type is None:
        raise PorticoError(
            ErrorCode.MEDIA_REJECTED,
            "Not a picture, video or sound of an accepted kind",
            param=param,
        )
    return media_type


def _refuse_large(size_bytes: int, bytes_max: int, param: str | None) -> None:
    if size_bytes > bytes_max:
        raise PorticoError(
            ErrorCode.PAYLOAD_TOO_LARGE,
            f"The file is larger than {bytes_max // MIB} MiB",
            param=param,
        )


def _write(file: BinaryIO, waiting: bytearray) -> None:
    with _blaming_the_disk():
        file.write(waiting)
        file.flush()


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    with _blaming_the_disk():
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def _blaming_the_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PorticoError(
            ErrorCode.OVERLOADED, "Temporarily unavailable, try again", retry_after_s=30
        ) from error
