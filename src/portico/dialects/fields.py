"""Read the fields of a request however they were sent: JSON, form, multipart (D6, X2).

For the dialects that take files: Yuanjing and OpenAI.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from urllib.parse import parse_qsl

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from portico.core.errors import ErrorCode, PorticoError
from portico.dialects.body import (
    JSON_WITH_MEDIA_SIZE_MAX,
    PARTS_MAX,
    check_text,
    parse_json,
    read_bytes,
    read_form,
)

PIECE_BYTES = 256 * 1024
MULTIPART_SIZE_MAX = 224 * 2**20  # the largest file there is, and what goes with it

# a name -> its values in order of arrival: text, an uploaded file, or any JSON value
Fields = Mapping[str, Sequence[object]]


@asynccontextmanager
async def read_fields(
    request: Request, *, multipart_size_max: int = MULTIPART_SIZE_MAX
) -> AsyncIterator[Fields]:
    """Read the fields; uploaded files can be read until the end of the `async with`.

    A body that begins with `{` is JSON, whatever its Content-Type says.

    Raises:
        PorticoError: INVALID_REQUEST, PAYLOAD_TOO_LARGE or UNSUPPORTED_ENCODING.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        form = await read_form(request, size_max=multipart_size_max)
        try:
            yield _of_form(form)
        finally:
            await form.close()
        return
    body = await read_bytes(request, size_max=JSON_WITH_MEDIA_SIZE_MAX)
    is_form = media_type == "application/x-www-form-urlencoded"
    if is_form and not body.lstrip().startswith(b"{"):
        yield _of_urlencoded(body)
    else:
        yield {name: [value] for name, value in parse_json(body).items()} if body else {}


def text_field(fields: Fields, name: str) -> str | None:
    """Return a text field, None when it is absent, null or empty; the last one counts.

    Raises:
        PorticoError: INVALID_REQUEST when it is something else.
    """
    value = field(fields, name)
    if value is not None and not isinstance(value, str):
        raise PorticoError(ErrorCode.INVALID_REQUEST, f"Invalid value for {name}", param=name)
    return value


def field(fields: Fields, name: str) -> object:
    """Return a field as it was sent, None when it is absent, null or empty; the last one counts.

    Raises:
        PorticoError: INVALID_REQUEST when it is a file.
    """
    values = fields.get(name) or (None,)
    value = values[-1]
    if isinstance(value, UploadFile):
        raise PorticoError(ErrorCode.INVALID_REQUEST, f"Invalid value for {name}", param=name)
    return None if isinstance(value, str) and not value.strip() else value


async def pieces_of(file: UploadFile) -> AsyncIterator[bytes]:
    """Yield an uploaded file from its beginning."""
    await file.seek(0)
    while piece := await file.read(PIECE_BYTES):
        yield piece


async def comparable(fields: Fields) -> dict[str, object]:
    """Return the fields with each file as its SHA-256, so that equal requests are equal."""
    return {name: [await _comparable(each) for each in values] for name, values in fields.items()}


async def _comparable(value: object) -> object:
    if not isinstance(value, UploadFile):
        return value
    digest = sha256()
    async for piece in pieces_of(value):
        digest.update(piece)
    return {"sha256": digest.hexdigest()}


def _of_form(form: FormData) -> Fields:
    fields: dict[str, list[object]] = {}
    for name, value in form.multi_items():
        check_text(name)
        if isinstance(value, str):
            check_text(value)
        fields.setdefault(name, []).append(value)
    return fields


def _of_urlencoded(body: bytes) -> Fields:
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=PARTS_MAX
        )
    except ValueError as error:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "The form is malformed") from error
    fields: dict[str, list[object]] = {}
    for name, value in pairs:
        check_text(name)
        check_text(value)
        fields.setdefault(name, []).append(value)
    return fields
