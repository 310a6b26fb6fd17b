"""Read the Range header of HTTP (RFC 9110, section 14), for one range at a time."""

import re
from enum import Enum
from typing import Final

import msgspec

_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)


class ByteRange(msgspec.Struct, frozen=True):
    """Bytes `start` up to but not including `end`."""

    start: int
    end: int

    @property
    def size_bytes(self) -> int:
        """How many bytes that is."""
        return self.end - self.start

    def content_range(self, size_bytes: int) -> str:
        """Return the value of `Content-Range` for a file of this size."""
        return f"bytes {self.start}-{self.end - 1}/{size_bytes}"


class Unsatisfiable(Enum):
    """The one answer for a range that lies outside the file: status 416."""

    UNSATISFIABLE = "unsatisfiable"


UNSATISFIABLE: Final = Unsatisfiable.UNSATISFIABLE


def parse_range(header: str | None, size_bytes: int) -> ByteRange | Unsatisfiable | None:
    """Return the range asked for, or None when the whole file is to be sent.

    Other units, several ranges and nonsense are ignored, as the standard allows.
    """
    found = _ONE_RANGE.fullmatch(header) if header else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, end = max(0, size_bytes - int(found[2])), size_bytes
    else:
        start = int(found[1])
        if found[2] and int(found[2]) < start:
            return None
        end = min(size_bytes, int(found[2]) + 1) if found[2] else size_bytes
    return ByteRange(start, end) if start < end else UNSATISFIABLE
