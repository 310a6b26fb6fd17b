"""How a command answers: words and tables for people, one JSON object for programs."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from portico.core.clock import Instant


def answer(result: Mapping[str, object], text: str, *, as_json: bool) -> None:
    """Print what came of a command, in the form that was asked for."""
    print(msgspec.json.encode(result).decode() if as_json else text)


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: as wide as it needs to be, in columns that other tools can cut."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print(_bold(text.rstrip()) if number == 0 else text.rstrip())


def shown_date(at: Instant | None) -> str:
    """Write an instant as a UTC date and time, `-` when there is none."""
    if at is None:
        return "-"
    return datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%d %H:%M")


def _bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() else text
