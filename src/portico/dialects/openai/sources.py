"""Find the pictures of a request: files, addresses, base64, or OpenAI's objects around them.

A field may come once, repeated, with `[]`, or as an array; the client sends `image[]` for several.
In JSON a picture is a text or `{"image_url": …}`; forms write that as `image[image_url]`.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from starlette.datastructures import UploadFile

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Role
from portico.dialects.fields import Fields

_WRITTEN = re.compile(r"(?P<name>\w+)(\[\d{0,3}\])?(\[(?P<member>\w+)\])?", re.ASCII)
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)


class Source(NamedTuple):
    """One picture of a request: where it is, and what it is for."""

    role: Role
    value: UploadFile | str  # an uploaded file, its address, or its bytes in base64

    @property
    def address(self) -> str | None:
        """Where the picture is to be fetched; None for one that came with the request."""
        is_address = isinstance(self.value, str) and _ADDRESS.match(self.value)
        return str(self.value) if is_address else None


def find_sources(fields: Fields, names: tuple[str, ...], role: Role) -> list[Source]:
    """Return every picture under one of these names, in the order of arrival.

    Raises:
        PorticoError: INVALID_REQUEST for what can be no picture, UNSUPPORTED_OPTION for `file_id`;
            both name the field.
    """
    found: list[Source] = []
    for written, values in fields.items():
        match = _WRITTEN.fullmatch(written)
        if match is None or match["name"] not in names:
            continue
        for value in values:
            named = {match["member"]: value} if match["member"] else value
            found.extend(Source(role, each) for each in _pictures(match["name"], named))
    return found


def _pictures(name: str, value: object) -> Iterator[UploadFile | str]:
    """Yield the pictures in a value; blanks, nulls and the empty part of a form are none."""
    if isinstance(value, UploadFile):
        if value.filename or value.size:
            yield value
    elif isinstance(value, list):
        for each in value:
            yield from _pictures(name, each)
    elif isinstance(value, str):
        yield from [text] if (text := value.strip()) else []
    elif isinstance(value, dict):
        yield from _pictures(name, _member(name, value))
    elif value is not None:
        raise _unusable(name)


def _member(name: str, value: dict[str, object]) -> object:
    if value.get("file_id"):
        message = f"{name}: file_id is not supported, send the file or its URL"
        raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param=name)
    inner = value.get("image_url", value.get("url"))
    if isinstance(inner, dict):
        inner = inner.get("url")
    if not isinstance(inner, str):
        raise _unusable(name)
    return inner


def _unusable(name: str) -> PorticoError:
    message = f"{name} must be a file, a URL or base64"
    return PorticoError(ErrorCode.INVALID_REQUEST, message, param=name)
