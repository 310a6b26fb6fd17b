"""Connections to Postgres: how they are made, what they run, how they fail."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import asyncpg
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect

from portico.core.clock import Clock
from portico.store.base import Answer, Row, Statement
from portico.store.bridge import wait_for

CONNECT_WITHIN_S = 3.0
ANSWER_WITHIN_S = 4.0
STATEMENTS_KEPT = 512
_NOW_MS = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
DIALECT = asyncpg_dialect.dialect()  # type: ignore[no-untyped-call]
_SETTINGS = {
    "application_name": "portico",
    "jit": "off",  # statements are short; compiling them costs more than they do
    "tcp_keepalives_idle": "5",  # a peer that has gone gives back its lock and its connection
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}

Connection: TypeAlias = Any  # asyncpg comes without types
Pool: TypeAlias = Any

REFUSED = (
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
)  # the statement's own fault
LOST = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
)
TROUBLE = (asyncpg.PostgresError, *LOST)


class Reader(asyncpg.Connection):  # type: ignore[misc]
    """A connection of the pool; a read leaves nothing behind that had to be reset."""

    __slots__ = ()

    def get_reset_query(self) -> str:
        """Reset nothing: it would cost every read a round trip."""
        return ""


class PostgresTx:
    """Runs compiled statements on one connection, from within `run_beside`."""

    __slots__ = ("_connection", "broken", "changed", "lines")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.changed = False
        self.lines: list[str] = []  # to be told to other processes
        self.broken: Exception | None = None  # after it, only a roll-back is taken

    def rows(self, statement: Statement, **values: object) -> Sequence[Row]:
        """Run a statement and return all its rows."""
        text, given, reads = _call(statement, values)
        found: Sequence[Row] = self._wait(self._connection.fetch(text, *given))
        self.changed |= bool(found) and not reads
        return found

    def one(self, statement: Statement, **values: object) -> Row | None:
        """Run a statement and return its first row, if there is one."""
        text, given, reads = _call(statement, values)
        found: Row | None = self._wait(self._connection.fetchrow(text, *given))
        self.changed |= found is not None and not reads
        return found

    def execute(self, statement: Statement, **values: object) -> int:
        """Run a statement and return how many rows it changed."""
        text, given, _ = _call(statement, values)
        count = _count(self._wait(self._connection.execute(text, *given)))
        self.changed |= count > 0
        return count

    def stream(self, statement: Statement, *, batch: int) -> Iterator[Sequence[Row]]:
        """Run a statement and return its rows some at a time; only within a transaction."""
        text, given, _ = _call(statement, {})
        cursor = self._wait(self._connection.cursor(text, *given))
        while rows := self._wait(cursor.fetch(batch)):
            yield rows

    def announce(self, line: str) -> None:
        """Have a line told to the other processes when the group counts."""
        self.lines.append(line)

    def _wait(self, answer: Any) -> Any:
        try:
            return wait_for(answer)
        except TROUBLE as error:
            self.broken = error
            raise


async def ask(connection: Connection, statement: Statement, values: Mapping[str, object]) -> Answer:
    """Run one call of a statement; a change that returns rows returns all it changed."""
    text, given, reads = _call(statement, values)
    if reads or " RETURNING " in text:
        rows: Sequence[Row] = await connection.fetch(text, *given)
        return len(rows), rows
    return _count(await connection.execute(text, *given)), ()


def is_trouble(error: Exception) -> bool:
    """Whether the database itself is in trouble: full disk, lost connection, lock."""
    return isinstance(error, TROUBLE) and not isinstance(error, REFUSED)


def _count(status: str) -> int:
    count = status.rpartition(" ")[2]  # "UPDATE 3", "INSERT 0 1"
    return int(count) if count.isdigit() else 0


def _call(statement: Statement, values: Mapping[str, object]) -> tuple[str, list[object], bool]:
    """Return a statement's text, its values in the order of their places, whether it only reads."""
    text, fixed, order, reads = statement.compiled(DIALECT)
    if fixed:
        values = {**fixed, **values}
    return text, [values[name] for name in order], reads


async def connect(
    url: str,
    settings: Mapping[str, str] | None = None,
    *,
    answer_within_s: float = ANSWER_WITHIN_S,
) -> Connection:
    """Open a connection; `settings` are Postgres's own.

    Raises:
        Exception: one of `TROUBLE`.
    """
    connection = await asyncpg.connect(
        url,
        timeout=CONNECT_WITHIN_S,
        command_timeout=answer_within_s,
        statement_cache_size=STATEMENTS_KEPT,
        server_settings={**_SETTINGS, **(settings or {})},
    )
    await prepare(connection)
    return connection


async def open_readers(url: str, *, connections_max: int) -> Pool:
    """Make a pool that connects when somebody reads, and anew when a connection was lost."""
    return await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=connections_max,
        connection_class=Reader,
        init=prepare,
        timeout=CONNECT_WITHIN_S,
        command_timeout=ANSWER_WITHIN_S,
        statement_cache_size=STATEMENTS_KEPT,
        server_settings={
            **_SETTINGS,
            "default_transaction_read_only": "on",
            "statement_timeout": str(round(ANSWER_WITHIN_S * 1_000)),
        },
    )


async def prepare(connection: Connection) -> None:
    """Read sums of integers as integers: Postgres widens them to `numeric`."""
    await connection.set_type_codec(
        "numeric", schema="pg_catalog", encoder=str, decoder=int, format="text"
    )


def revision(url: str) -> str | None:
    """Return the revision a database stands at; not to be called on an event loop.

    Raises:
        OSError: the server cannot be reached, or refuses us.
    """
    return asyncio.run(_revision(url))


async def ahead_ms(url: str, clock: Clock) -> int:
    """Return by how much the server's clock is ahead of this one.

    Raises:
        OSError: the server cannot be reached, or refuses us.
    """
    connection = await _connected(url)
    try:
        asked_at = clock.now()
        theirs: int = await connection.fetchval(_NOW_MS)
        return theirs - (asked_at + clock.now()) // 2
    finally:
        await connection.close()


async def _connected(url: str) -> Connection:
    try:
        return await connect(url)
    except TROUBLE as error:
        message = f"the Postgres server cannot be used: {error}"
        raise OSError(message) from error


async def _revision(url: str) -> str | None:
    connection = await _connected(url)
    try:
        found = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await connection.close()
    return None if found is None else str(found)
