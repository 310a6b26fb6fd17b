"""Single values of a foreign row: three kinds of database say the same thing differently."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from portico.core.errors import ErrorCode, PorticoError

ForeignRow = Mapping[str, Any]
TEXT_LENGTH_MAX = 1_000_000
_WHOLE_MAX = 2**63 - 1


def refused(message: str) -> PorticoError:
    """Return the error for a source that cannot be read."""
    return PorticoError(ErrorCode.INVALID_REQUEST, message)


def text_of(row: ForeignRow, name: str) -> str:
    """Return a text without the space around it; empty for one that is absent or NULL."""
    value = row.get(name)
    if value is None:
        return ""
    if isinstance(value, bytes | bytearray):
        value = bytes(value).decode("utf-8", "replace")
    return str(value)[:TEXT_LENGTH_MAX].replace("\0", "").strip()  # which Postgres cannot keep


def whole_of(row: ForeignRow, name: str, absent: int = 0) -> int:
    """Return a whole number of 63 bits; a part after the point is cut off.

    Raises:
        PorticoError: INVALID_REQUEST naming the column, for anything that is no such number.
    """
    value = row.get(name)
    if value is None or value == "":
        return absent
    try:
        number = Decimal(value) if isinstance(value, int) else Decimal(text_of(row, name))
        is_small = -_WHOLE_MAX <= number <= _WHOLE_MAX
    except InvalidOperation:
        message = f"the column {name} holds no number in the row {row.get('id')}"
        raise refused(message) from None
    if not is_small:  # looked at before it becomes a whole number of that many digits
        message = f"the column {name} holds too large a number in the row {row.get('id')}"
        raise refused(message)
    return int(number)


def truth_of(row: ForeignRow, name: str) -> bool:
    """Return a truth value: 0/1, true/false, t/f or one bit."""
    return text_of(row, name).lower() not in {"", "0", "false", "f"}


def json_of(row: ForeignRow, name: str) -> Any:
    """Return what a column's JSON text says; None for an empty or a broken one."""
    value = row.get(name)
    if isinstance(value, Mapping):
        return value
    text = text_of(row, name)
    try:
        return msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, RecursionError):
        return None
