"""A predecessor's SQLite file, opened for reading alone."""

import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from portico.predecessors.source import BATCH, check_count, chosen, no_table
from portico.predecessors.values import TEXT_LENGTH_MAX, ForeignRow, refused

_BYTES_MAX = 4 * TEXT_LENGTH_MAX  # of one value


class SqliteSource:
    """One file. Only tables are read: a view of a hostile file could run whatever it says."""

    def __init__(self, path: Path) -> None:
        with _readable():
            self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            self._connection.row_factory = sqlite3.Row
            self._connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _BYTES_MAX)
            self._connection.execute("PRAGMA trusted_schema=OFF")
            self._connection.execute("BEGIN")  # all tables of one moment

    async def rows(self, table: str) -> AsyncIterator[Sequence[ForeignRow]]:
        """Yield the wanted columns of a table, some rows at a time, in the order of their ids."""
        with _readable():
            columns = chosen(table, self._columns(table))
            names = ", ".join(f'"{name}"' for name in columns)
            order = f' ORDER BY "{"id" if "id" in columns else "key"}"'
            cursor = self._connection.execute(f'SELECT {names} FROM "{table}"{order}')  # noqa: S608 - names of ours
            count = 0
            while found := cursor.fetchmany(BATCH):
                count += len(found)
                check_count(table, count)
                yield [dict(row) for row in found]

    async def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _columns(self, table: str) -> list[str]:
        kind = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        if self._connection.execute(kind, (table,)).fetchone() is None:
            raise no_table(table)
        return [row["name"] for row in self._connection.execute(f'PRAGMA table_info("{table}")')]


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        message = f"the SQLite file cannot be read ({type(error).__name__})"
        raise refused(message) from None
