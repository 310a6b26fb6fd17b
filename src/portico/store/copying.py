"""Whole tables on their way into another database: one order, some rows at a time, summed up.

All that is known of a table comes from its declaration: a new column or table is copied without
a word here. Both kinds of database give the same rows in the same order, so the same digest.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Table, Text, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from portico.store.base import Statement, Tx, metadata

T = TypeVar("T")

BATCH = 500  # rows in memory at once
_encoder = msgspec.json.Encoder()

Values = tuple[Any, ...]
Take = Callable[[Sequence[Values]], None]


class TableSum(NamedTuple):
    """What a table holds: two with the same digest hold the same rows, to the last character."""

    table: str
    rows: int
    digest: str


class Target(Protocol):
    """An empty database that is filled in one transaction: nobody sees a part of it.

    Its methods raise PorticoError INVALID_REQUEST when the database refuses, and never say
    what was in a row.
    """

    async def insert(self, table: Table, rows: Sequence[Values]) -> None:
        """Add rows, with values in the order of the table's columns."""

    async def look(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on what was added so far."""

    async def settle(self) -> None:
        """Make ready what was added: new rows get numbers of their own."""

    async def commit(self) -> None:
        """Keep everything, on disk."""

    async def close(self) -> None:
        """Let go of the database; without a commit before, it stays as empty as it was."""


def all_tables() -> list[Table]:
    """Return every table that is declared, those that others point at first."""
    return metadata.sorted_tables


def count_rows(tx: Tx) -> dict[str, int]:
    """Return how many rows each table has."""
    return {str(table.name): _count(tx, table) for table in all_tables()}


def read_table(tx: Tx, table: Table, take: Take) -> TableSum:
    """Go through a table in the order of its key; `take` gets the rows, some at a time."""
    digest = hashlib.sha256()
    count = 0
    for rows in tx.stream(Statement(_in_order(table)), batch=BATCH):
        values = [tuple(row) for row in rows]
        digest.update(_encoder.encode_lines(values))
        count += len(values)
        take(values)
    return TableSum(str(table.name), count, digest.hexdigest())


def different(some: Iterable[TableSum], others: Iterable[TableSum]) -> list[str]:
    """Return the names of the tables that are not the same on both sides."""
    theirs = {each.table: each for each in others}
    return [each.table for each in some if theirs.get(each.table) != each]


def _count(tx: Tx, table: Table) -> int:
    row = tx.one(Statement(select(func.count().label("number")).select_from(table)))
    assert row is not None  # a count always answers
    return int(row["number"])


def _in_order(table: Table) -> Any:
    keys = table.primary_key.columns
    return select(table).order_by(*(_ByBytes(key) if _is_text(key) else key for key in keys))


def _is_text(column: ColumnElement[Any]) -> bool:
    return isinstance(column.type, Text)


class _ByBytes(ColumnElement[str]):
    """A text to sort by its bytes: what SQLite does, and Postgres in no language's order."""

    inherit_cache = True

    def __init__(self, text: ColumnElement[Any]) -> None:
        self.text = text


@compiles(_ByBytes)
def _by_bytes(element: _ByBytes, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.text, **options)


@compiles(_ByBytes, "postgresql")
def _by_bytes_on_postgres(element: _ByBytes, compiler: SQLCompiler, **options: Any) -> str:
    return f'{compiler.process(element.text, **options)} COLLATE "C"'
