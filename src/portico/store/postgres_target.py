"""A Postgres database that a copy goes into. Imported only when a URL names one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import Column, Table, func, select

from portico.core.errors import ErrorCode, PorticoError
from portico.store.base import Statement, Tx
from portico.store.bridge import run_beside
from portico.store.copying import Values, all_tables
from portico.store.postgres_link import TROUBLE, Connection, PostgresTx, connect
from portico.store.postgres_writer import WRITERS_LOCK

T = TypeVar("T")

STATEMENT_WITHIN_S = 3_600.0  # the longest is a check of everything that was copied
LOCK_TIMEOUT_MS = 10_000  # long enough for what is left of a copy that was killed
_SETTINGS = {
    "synchronous_commit": "on",
    "lock_timeout": str(LOCK_TIMEOUT_MS),
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",  # the source may be slow
}


async def open_postgres_target(url: str) -> "PostgresTarget":
    """Take the writers' lock of a migrated database, so that no other process writes to it.

    Raises:
        PorticoError: INVALID_REQUEST when it cannot be reached, or another keeps the lock.
    """
    with _refused("the target"):
        connection = await connect(url, _SETTINGS, answer_within_s=STATEMENT_WITHIN_S)
        try:
            await connection.execute(f"BEGIN; SELECT pg_advisory_xact_lock({WRITERS_LOCK})")
        except BaseException:
            connection.terminate()
            raise
    return PostgresTarget(connection)


class PostgresTarget:
    """One transaction; the server undoes it when this process dies."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def insert(self, table: Table, rows: Sequence[Values]) -> None:
        """Add rows by the binary COPY protocol; constraints are checked batch by batch."""
        names = [column.name for column in table.columns]
        with _refused(table.name):
            await self._connection.copy_records_to_table(table.name, records=rows, columns=names)

    async def look(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on what was added so far."""
        with _refused("the target"):
            return await run_beside(lambda: work(PostgresTx(self._connection)))

    async def settle(self) -> None:
        """Set every sequence past the largest number, and tell the planner what there is."""
        for table in all_tables():
            with _refused(table.name):
                await self._connection.execute(f'ANALYZE "{table.name}"')
            if (number := table.autoincrement_column) is not None:
                await self.look(_numbers_after(table, number))

    async def commit(self) -> None:
        """Keep everything, on disk.

        Raises:
            PorticoError: INVALID_REQUEST also when the connection was lost meanwhile: then the
                copy is there as a whole, or not at all.
        """
        with _refused("the target"):
            status = await self._connection.execute("COMMIT")
        if status != "COMMIT":  # Postgres answers ROLLBACK when a statement had failed before
            message = "the target undid the copy; nothing was kept"
            raise PorticoError(ErrorCode.INVALID_REQUEST, message)

    async def close(self) -> None:
        """Let go of the connection; what was not committed is undone."""
        with suppress(*TROUBLE):  # something may be under way still, when we are interrupted
            await self._connection.close(timeout=1)


def _numbers_after(table: Table, number: Column[Any]) -> Callable[[Tx], None]:
    """Return a work that sets a table's sequence past the largest number there is."""
    sequence = func.pg_get_serial_sequence(f'"{table.name}"', number.name)
    set_it = Statement(select(func.setval(sequence, func.max(number)).label("last")))

    def work(tx: Tx) -> None:
        tx.one(set_it)  # nothing to set where there is no row

    return work


@contextmanager
def _refused(what: str) -> Iterator[None]:
    """Say what went wrong without Postgres's details: those show whole rows."""
    try:
        yield
    except (*TROUBLE, ValueError, TypeError, OverflowError) as error:
        message = f"{what} cannot be written ({_reason(error)})"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message) from None


def _reason(error: Exception) -> str:
    """Return a server's own first line; our driver's words may quote a value."""
    if isinstance(error, asyncpg.PostgresError) and error.severity:
        return str(error.args[0])
    return str(error) if isinstance(error, OSError) else type(error).__name__
