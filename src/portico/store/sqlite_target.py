"""A SQLite file that a copy goes into."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Table, insert
from sqlalchemy.dialects import sqlite as sqlite_dialect

from portico.core.errors import ErrorCode, PorticoError
from portico.store.base import Tx
from portico.store.copying import Values
from portico.store.sqlite import SqliteTx, connect

T = TypeVar("T")

_BY_PLACE = sqlite_dialect.dialect(paramstyle="qmark")


class SqliteTarget:
    """One migrated file. Rows lie in its write-ahead log until the commit, not in memory."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)
        with _refused("the target"):
            self._connection.execute("BEGIN IMMEDIATE")

    async def insert(self, table: Table, rows: Sequence[Values]) -> None:
        """Add rows."""
        with _refused(table.name):
            self._connection.executemany(_insertion(table), rows)

    async def look(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on what was added so far; the event loop waits."""
        with _refused("the target"):
            return work(SqliteTx(self._connection))

    async def settle(self) -> None:
        """Do nothing: a row id is always one more than the largest there is."""

    async def commit(self) -> None:
        """Keep everything, on disk."""
        with _refused("the target"):
            self._connection.execute("COMMIT")

    async def close(self) -> None:
        """Let go of the file."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._connection.close()


def _insertion(table: Table) -> str:
    """Return an insertion of all columns, in their order."""
    names = [column.name for column in table.columns]
    return str(insert(table).compile(dialect=_BY_PLACE, column_keys=names))


@contextmanager
def _refused(what: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        message = f"{what} cannot be written ({error}); nothing was kept"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message) from None
