"""A predecessor's Postgres database, read in one snapshot. Imported only when a URL names one."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg

from portico.predecessors.source import BATCH, check_count, chosen, no_table
from portico.predecessors.values import ForeignRow, refused

CONNECT_WITHIN_S = 10.0
ANSWER_WITHIN_S = 600.0
_SETTINGS = {"application_name": "portico-import", "default_transaction_read_only": "on"}
_COLUMNS = (
    "SELECT attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
    "WHERE attrelid = to_regclass($1) AND relkind IN ('r', 'p') AND attnum > 0 "
    "AND NOT attisdropped"
)


async def open_postgres(url: str) -> "PostgresSource":
    """Connect, and begin to look at the rows of one moment.

    Raises:
        PorticoError: INVALID_REQUEST when the server cannot be reached or refuses; it does not
            say where that was.
    """
    with _readable():
        connection = await asyncpg.connect(
            url,
            timeout=CONNECT_WITHIN_S,
            command_timeout=ANSWER_WITHIN_S,
            server_settings={
                "application_name": "portico-import",
                "default_transaction_read_only": "on",
            },
        )
        try:
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        except BaseException:
            connection.terminate()
            raise
    return PostgresSource(connection)


class PostgresSource:
    """One connection in a read-only transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def rows(self, table: str) -> AsyncIterator[Sequence[ForeignRow]]:
        """Yield the wanted columns of a table, some rows at a time, in the order of their ids."""
        with _readable():
            found = [row[0] for row in await self._connection.fetch(_COLUMNS, table)]
            if not found:
                raise no_table(table)
            columns = chosen(table, found)
            names = ", ".join(f'"{name}"::text' for name in columns)
            # by the table's own column: the one that is answered is a text
            order = f' ORDER BY "{table}"."{"id" if "id" in columns else "key"}"'
            cursor = await self._connection.cursor(f'SELECT {names} FROM "{table}"{order}')  # noqa: S608 - names of ours
            count = 0
            while rows := await cursor.fetch(BATCH):
                count += len(rows)
                check_count(table, count)
                yield [dict(zip(columns, row, strict=True)) for row in rows]

    async def close(self) -> None:
        """Let go of the server."""
        await self._connection.close(timeout=1)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
        message = f"the Postgres database cannot be read ({type(error).__name__})"
        raise refused(message) from None
