"""Raw SQL on either kind of database: for rows no part would write, and what must refuse them."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import asyncpg

from portico.store import Tx, postgres_link, sqlite
from portico.store.bridge import run_beside
from portico.store.open import is_postgres, sqlite_path
from portico.store.postgres_link import PostgresTx
from portico.store.sqlite import SqliteTx

T = TypeVar("T")

REFUSED = (sqlite3.IntegrityError, asyncpg.IntegrityConstraintViolationError)
FOREIGN_KEY = r"(?i)foreign key"
_CHECKS = """
DO $$ DECLARE it record; BEGIN
    FOR it IN SELECT conname, conrelid::regclass AS place FROM pg_constraint
        WHERE contype = 'c' AND connamespace = 'public'::regnamespace
    LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', it.place, it.conname); END LOOP;
END $$
"""


class RawSql(Protocol):
    """One plain connection beside the store's own."""

    async def execute(self, statement: str) -> int:
        """Run a statement; returns how many rows it changed."""

    async def row(self, statement: str) -> tuple[Any, ...]:
        """Run a query; returns its first row."""

    async def look(self, work: Callable[[Tx], T]) -> T:
        """Run a work of a part on what this connection sees."""

    async def unguard(self) -> None:
        """Let everything pass from now on; whatever is done then is undone at the end."""


@asynccontextmanager
async def raw_sql(url: str) -> AsyncIterator[RawSql]:
    """Connect to the database a URL names, until the end of the `async with`."""
    if is_postgres(url):
        on_postgres = _Postgres(await postgres_link.connect(url))
        try:
            yield on_postgres
        finally:
            await on_postgres.connection.close()
        return
    on_sqlite = _Sqlite(sqlite.connect(sqlite_path(url)))
    try:
        yield on_sqlite
    finally:
        on_sqlite.connection.close()


class _Sqlite:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    async def execute(self, statement: str) -> int:
        return self.connection.execute(statement).rowcount

    async def row(self, statement: str) -> tuple[Any, ...]:
        return tuple(self.connection.execute(statement).fetchone())

    async def look(self, work: Callable[[Tx], T]) -> T:
        return work(SqliteTx(self.connection))

    async def unguard(self) -> None:
        self.connection.execute("PRAGMA foreign_keys=OFF")
        self.connection.execute("PRAGMA ignore_check_constraints=ON")
        self.connection.execute("BEGIN")
        self.connection.execute("DROP TRIGGER tr_ledger_entries_no_update")
        self.connection.execute("DROP TRIGGER tr_ledger_entries_no_delete")


class _Postgres:
    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def execute(self, statement: str) -> int:
        status: str = await self.connection.execute(statement)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def row(self, statement: str) -> tuple[Any, ...]:
        return tuple(await self.connection.fetchrow(statement))

    async def look(self, work: Callable[[Tx], T]) -> T:
        return await run_beside(lambda: work(PostgresTx(self.connection)))

    async def unguard(self) -> None:
        await self.connection.execute("BEGIN")
        # neither foreign keys nor our own triggers bind one who repeats what another has done
        await self.connection.execute("SET LOCAL session_replication_role = replica")
        await self.connection.execute(_CHECKS)
