"""Write TOML: a table's simple values in lines of their own, everything deeper inline."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(document: Mapping[str, Any]) -> str:
    """Return a document whose values are tables, lists of tables, or simple.

    Raises:
        TypeError: for a value that TOML has no form for, such as None.
    """
    return "\n".join(_lines(document)).strip() + "\n"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    for name, value in document.items():
        if isinstance(value, Mapping):
            for inner, table in value.items():
                yield from ("", f"[{_key(name)}.{_key(inner)}]")
                yield from _pairs(table)
        elif isinstance(value, list) and all(isinstance(each, Mapping) for each in value):
            for table in value:
                yield from ("", f"[[{_key(name)}]]")
                yield from _pairs(table)
        else:
            yield f"{_key(name)} = {_value(value)}"


def _pairs(table: Mapping[str, Any]) -> Iterator[str]:
    return (f"{_key(name)} = {_value(value)}" for name, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    message = f"TOML has no form for a {type(value).__name__}"
    raise TypeError(message)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    """Quote as JSON does, which TOML takes but for one character."""
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")
