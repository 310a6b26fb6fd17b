"""Read request bodies: limited in size and time, one rule for what JSON may be (R1, R4, R5)."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

import msgspec
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from portico.core.errors import ErrorCode, PorticoError
from portico.dialects.endpoint import Call
from portico.flows.submit import Repeat

JSON_SIZE_MAX = 1 * 2**20
JSON_WITH_MEDIA_SIZE_MAX = 10 * 2**20
MULTIPART_SIZE_MAX = 64 * 2**20
PARTS_MAX = 100
PART_TEXT_SIZE_MAX = 10 * 2**20  # a base64 picture may come as a text part
DEPTH_MAX = 32
MEMBERS_MAX = 10_000
INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1  # what every database keeps
LENGTH_DIGITS_MAX = 18
KEY_LENGTH_MAX = 255
HAS_WHOLE_BODY = "portico.whole_body"  # the ASGI extension of a server that has seen its end
_TIME_BASE_S = 30.0
_BYTES_PER_EXTRA_S = 64 * 1024
_CHARSETS = {b"utf-8", b"utf8", b"us-ascii"}
_LONG_NUMBER = re.compile(rb"\d{19}")  # what is shorter fits into 64 bits
_encoder = msgspec.json.Encoder()
T = TypeVar("T")


async def read_json(request: Request, *, size_max: int = JSON_SIZE_MAX) -> dict[str, Any]:
    """Return the body as a JSON object.

    A missing or wrong Content-Type does not matter as long as the body is JSON (readings X2).

    Raises:
        PorticoError: INVALID_REQUEST, PAYLOAD_TOO_LARGE or UNSUPPORTED_ENCODING.
    """
    body = await read_bytes(request, size_max=size_max)
    return parse_json(body)


def parse_json(body: bytes) -> dict[str, Any]:
    """Return bytes as a JSON object: UTF-8, at most 32 deep, finite numbers, no NUL.

    Raises:
        PorticoError: INVALID_REQUEST.
    """
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "The body is not valid JSON") from error
    if not isinstance(value, dict):
        raise PorticoError(ErrorCode.INVALID_REQUEST, "The body must be a JSON object")
    if not _is_plainly_fine(body):
        _check(value)
    return value


def _is_plainly_fine(body: bytes) -> bool:
    """Whether the bytes alone show that nothing in them can be refused; true of nearly all.

    A NUL or a lone surrogate takes an escape, every level a bracket, every member two bytes.
    """
    return (
        len(body) <= MEMBERS_MAX
        and b"\\u" not in body
        and body.count(b"{") + body.count(b"[") <= DEPTH_MAX
        and not _LONG_NUMBER.search(body)
    )


async def read_bytes(request: Request, *, size_max: int) -> bytes:
    """Return the whole body, refused while it is read when it is too large or too slow.

    Raises:
        PorticoError: PAYLOAD_TOO_LARGE, UNSUPPORTED_ENCODING or INVALID_REQUEST.
    """
    check_framing(request, size_max=size_max)
    if HAS_WHOLE_BODY in request.scope.get("extensions", ()):  # in memory: nothing to time
        return await _whole(request, size_max=size_max)
    try:
        pieces = [piece async for piece in limited(request, size_max=size_max)]
    except ClientDisconnect as error:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "The body is incomplete") from error
    return b"".join(pieces)


async def _whole(request: Request, *, size_max: int) -> bytes:
    message = await request.receive()
    if message["type"] != "http.request" or message["more_body"]:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "The body is incomplete")
    body: bytes = message["body"]
    if len(body) > size_max:
        raise PorticoError(ErrorCode.PAYLOAD_TOO_LARGE, "The body is too large")
    return body


def check_framing(request: Request, *, size_max: int) -> None:
    """Refuse what the headers alone show to be unacceptable."""
    for name, value in request.scope["headers"]:
        if name == b"content-length":
            _check_length(value, size_max=size_max)
        elif name == b"content-type":
            _, _, charset = value.lower().partition(b"charset=")
            if charset and charset.split(b";")[0].strip(b' "') not in _CHARSETS:
                raise PorticoError(ErrorCode.UNSUPPORTED_ENCODING, "Only UTF-8 is accepted")
        elif name == b"content-encoding" and value.lower() != b"identity":
            message = "Compressed bodies are not accepted"
            raise PorticoError(ErrorCode.UNSUPPORTED_ENCODING, message)


def _check_length(declared: bytes, *, size_max: int) -> None:
    if not declared.isdigit():
        raise PorticoError(ErrorCode.INVALID_REQUEST, "Content-Length must be a number")
    if len(declared) > LENGTH_DIGITS_MAX or int(declared) > size_max:
        raise PorticoError(ErrorCode.PAYLOAD_TOO_LARGE, "The body is too large")


async def limited(request: Request, *, size_max: int) -> AsyncIterator[bytes]:
    """Yield the body as it comes, counted against its size and its time."""
    received = 0
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    pieces = request.stream()
    declared = int(request.headers.get("content-length", -1))
    while received != declared:
        allowed_s = _TIME_BASE_S + received / _BYTES_PER_EXTRA_S
        try:
            async with asyncio.timeout_at(began_at + allowed_s):
                piece = await anext(pieces, None)
        except TimeoutError as error:
            raise PorticoError(ErrorCode.INVALID_REQUEST, "The body came too slowly") from error
        if piece is None:
            return
        received += len(piece)
        if received > size_max:
            raise PorticoError(ErrorCode.PAYLOAD_TOO_LARGE, "The body is too large")
        yield piece


async def read_form(request: Request, *, size_max: int = MULTIPART_SIZE_MAX) -> FormData:
    """Return an urlencoded or multipart form, with its files spooled to disk.

    The caller closes it (`await form.close()`), and checks its texts (`check_text`).

    Raises:
        PorticoError: PAYLOAD_TOO_LARGE, UNSUPPORTED_ENCODING or INVALID_REQUEST; OVERLOADED when
            this machine has no room for a file.
    """
    check_framing(request, size_max=size_max)
    counted = Request(request.scope, _counted(request, size_max=size_max))
    try:
        return await counted.form(
            max_files=PARTS_MAX, max_fields=PARTS_MAX, max_part_size=PART_TEXT_SIZE_MAX
        )
    except PorticoError:
        raise
    except (MultiPartException, ClientDisconnect, ValueError, KeyError) as error:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "The form is malformed") from error
    except OSError as error:  # files are spooled to this machine's disk
        message = "Temporarily unavailable, try again"
        raise PorticoError(ErrorCode.OVERLOADED, message, retry_after_s=1) from error
    except Exception as error:
        if type(error).__name__ == "HTTPException":  # how the library wraps its own refusals
            raise PorticoError(ErrorCode.INVALID_REQUEST, "The form is malformed") from error
        raise


def repeat_of(call: Call, fingerprint: bytes) -> Repeat | None:
    """Return the request's Idempotency-Key, scoped to its route, if it has one (L7, readings X9).

    Raises:
        PorticoError: INVALID_REQUEST for an empty key or one over 255 characters.
    """
    key = call.request.headers.get("idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= KEY_LENGTH_MAX:
        message = "Idempotency-Key must have 1 to 255 characters"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message)
    return Repeat(
        route=f"{call.request.method} {call.request.url.path}",
        key=key,
        fingerprint=hashlib.sha256(fingerprint).hexdigest(),
    )


def fingerprint_of(body: Mapping[str, object]) -> bytes:
    """Return bytes that are equal for equal bodies, whatever the order of their members."""
    return msgspec.json.encode(body, order="deterministic")


def as_type(body: Mapping[str, object], kind: type[T]) -> T:
    """Read a body into a wire struct whose fields are all lenient; unknown fields are ignored.

    Raises:
        PorticoError: INVALID_REQUEST naming the field.
    """
    try:
        return msgspec.convert(body, kind, strict=False)
    except msgspec.ValidationError as error:
        field = str(error).partition("`$.")[2].rstrip("`").split("[")[0] or None
        message = f"Invalid value for {field}" if field else "Invalid body"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param=field) from error


def json_answer(value: object, *, status: int = 200) -> Response:
    """Answer with JSON."""
    return _JsonAnswer(_encoder.encode(value), status)


class _JsonAnswer(Response):
    """A plain JSON answer, without the questions Starlette asks about charsets and types."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send head and body."""
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        await send({"type": "http.response.body", "body": self.body})

    def __init__(self, body: bytes, status: int) -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
        ]


def _counted(request: Request, *, size_max: int) -> Any:
    pieces = limited(request, size_max=size_max)

    async def receive() -> dict[str, object]:
        piece = await anext(pieces, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    return receive


def _check(value: object) -> None:
    """Walk a decoded body: bounded depth, members and numbers, no NUL, no lone surrogate."""
    members = 0
    level: list[object] = [value]
    for _ in range(DEPTH_MAX):
        below: list[object] = []
        for each in level:
            if isinstance(each, dict):
                members += len(each)
                below.extend(each.keys())
                below.extend(each.values())
            elif isinstance(each, list):
                members += len(each)
                below.extend(each)
            else:
                _check_scalar(each)
        if members > MEMBERS_MAX:
            raise PorticoError(ErrorCode.INVALID_REQUEST, "The body has too many members")
        if not below:
            return
        level = below
    raise PorticoError(ErrorCode.INVALID_REQUEST, "The body is nested too deeply")


def _check_scalar(value: object) -> None:
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, int) and not INTEGER_MIN <= value <= INTEGER_MAX:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "A number is beyond 64 bits")


def check_text(text: str) -> None:
    """Refuse text no database keeps: NUL characters and lone surrogates.

    Raises:
        PorticoError: INVALID_REQUEST.
    """
    if "\0" in text:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "NUL characters are not accepted")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            message = "The body is not valid Unicode"
            raise PorticoError(ErrorCode.INVALID_REQUEST, message) from error


def text_of(body: Mapping[str, object], name: str) -> str | None:
    """Return a text field, None when absent or null.

    Raises:
        PorticoError: INVALID_REQUEST when it is something else.
    """
    value = body.get(name)
    if value is None or isinstance(value, str):
        return value
    raise PorticoError(ErrorCode.INVALID_REQUEST, f"{name} must be a string", param=name)
