"""Find the files a request means, in all the spellings of the page and its later editions.

Frames go by slot: `image1_file`, `image_file1`, `image1`, `image_file` and `image` are the first,
those with a 2 the last; a first slot given twice fills both (D2). `image_files`, `video_files` and
`audio_files` are references, sent by repeating a part, with `[]` or `[0]`, or as an array (D3).
A value is an uploaded file, an address, or base64 (D4).
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from starlette.datastructures import UploadFile

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Role
from portico.dialects.yuanjing.fields import Fields

REFERENCES = {
    "image_files": Role.REFERENCE_IMAGE,
    "video_files": Role.REFERENCE_VIDEO,
    "audio_files": Role.REFERENCE_AUDIO,
}
_INDEX = re.compile(r"(?P<name>[a-z0-9_]+)(\[(?P<index>\d{0,3})\])?")
_FRAME = re.compile(r"image(?P<a>\d?)(_file|_url)?(?P<b>\d?)")
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_SLOTS = 2


class Source(NamedTuple):
    """One file of a request: where it is, and what it is for."""

    role: Role
    field: str  # as the client spells it
    value: UploadFile | str  # an uploaded file, its address, or its bytes in base64

    @property
    def address(self) -> str | None:
        """Where the file is to be fetched; None for one that came with the request."""
        is_address = isinstance(self.value, str) and _ADDRESS.match(self.value)
        return str(self.value) if is_address else None


def find_sources(fields: Fields) -> list[Source]:
    """Return every file a request means: first frame, last frame, references in their order.

    Raises:
        PorticoError: INVALID_REQUEST naming the field, for a third frame or an unusable value.
    """
    slots: dict[int, list[Source]] = {1: [], 2: []}
    references: list[tuple[int, Source]] = []
    for written, values in fields.items():
        named = _INDEX.fullmatch(written.lower())
        if named is None:
            continue
        role, slot = REFERENCES.get(named["name"]), _slot(named["name"], written)
        if role is None and slot is None:
            continue
        found = [Source(role or Role.FIRST_FRAME, written, v) for v in _usable(written, values)]
        if slot is not None:
            slots[slot].extend(found)
        else:
            references.extend((int(named["index"] or 0), each) for each in found)
    ordered = [each for _, each in sorted(references, key=lambda pair: pair[0])]
    return [*_frames(slots[1], slots[2]), *ordered]


def _frames(first: list[Source], last: list[Source]) -> list[Source]:
    if len(first) + len(last) > _SLOTS or len(last) > 1:
        extra = (last or first)[-1]
        message = f"{extra.field}: only a first and a last frame can be given"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param=extra.field)
    if len(first) == _SLOTS:
        first, last = first[:1], first[1:]
    return [*first, *(each._replace(role=Role.LAST_FRAME) for each in last)]


def _slot(name: str, written: str) -> int | None:
    """Return which frame a name means, 1 or 2; None for another field."""
    found = _FRAME.fullmatch(name)
    if found is None or (found["a"] and found["b"]):
        return None
    slot = int(found["a"] or found["b"] or 1)
    if not 1 <= slot <= _SLOTS:
        message = f"{written}: only a first and a last frame can be given"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param=written)
    return slot


def _usable(written: str, values: object) -> Iterator[UploadFile | str]:
    """Yield a field's files; blanks, nulls and the empty part of an unfilled form are none."""
    if isinstance(values, UploadFile):
        if values.filename or values.size:
            yield values
    elif isinstance(values, list):
        for each in values:
            yield from _usable(written, each)
    elif isinstance(values, str):
        yield from _of_text(written, values.strip())
    elif values is not None:
        raise _unusable(written)


def _of_text(written: str, text: str) -> Iterator[str]:
    if not text.startswith("["):
        yield from [text] if text else []
        return
    try:
        each = msgspec.json.decode(text, type=list[str])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise _unusable(written) from error
    yield from filter(None, map(str.strip, each))


def _unusable(written: str) -> PorticoError:
    message = f"{written} must be a file, a URL or base64"
    return PorticoError(ErrorCode.INVALID_REQUEST, message, param=written)
