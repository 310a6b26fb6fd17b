"""SQLite: one writer that commits in groups, one reader, both on the event loop.

WAL with `synchronous=FULL`: a commit that was answered survives power loss. One statement costs
5 to 8 microseconds, less than a hop to another thread, so statements run inline; only what waits
for the disk (COMMIT) or for another process (BEGIN, at times) runs in a thread. A writer in a
thread of its own was half as fast: two threads that call SQLite wrestle for the interpreter.
"""

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar, cast

from sqlalchemy.dialects import sqlite as sqlite_dialect

from portico.core import faults
from portico.store.base import Lane, Row, Statement, Tx
from portico.store.groups import Groups, Laned, Outcome, Work, unavailable

T = TypeVar("T")

BUSY_TIMEOUT_MS = 5_000
_DIALECT = sqlite_dialect.dialect(paramstyle="named")

OnDisk = Callable[[str], Awaitable[None]]


class SqliteTx:
    """Runs compiled statements on one connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, statement: Statement, **values: object) -> Sequence[Row]:
        """Run a statement and return all its rows."""
        return self._run(statement, values).fetchall()

    def one(self, statement: Statement, **values: object) -> Row | None:
        """Run a statement and return its first row, if there is one."""
        return cast("Row | None", self._run(statement, values).fetchone())

    def execute(self, statement: Statement, **values: object) -> int:
        """Run a statement and return how many rows it changed."""
        return self._run(statement, values).rowcount

    def stream(self, statement: Statement, *, batch: int) -> Iterator[Sequence[Row]]:
        """Run a statement and return its rows some at a time."""
        cursor = self._run(statement, {})
        while rows := cursor.fetchmany(batch):
            yield rows

    def announce(self, line: str) -> None:
        """Say nothing: only one process runs tasks on a file."""

    def _run(self, statement: Statement, values: dict[str, object]) -> sqlite3.Cursor:
        text, fixed, _, _ = statement.compiled(_DIALECT)
        return self._connection.execute(text, {**fixed, **values} if fixed else values)


class SqliteStore:
    """One SQLite file, open for one process; other processes may use it at the same time."""

    is_shared = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = connect(path)
        self._reader = connect(path, read_only=True)
        self._read_tx = SqliteTx(self._reader)
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="portico-commit")
        self._groups = Groups(self._commit)

    async def write(self, work: Callable[[Tx], T], *, lane: Lane | None = None) -> T:
        """Run `work` in the next group commit; returns once it is on disk.

        Here all works run one after another: a statement costs less than a change of work.
        """
        return await self._groups.add(work, lane)

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` inline; each of its statements sees what is committed by then."""
        try:
            return work(self._read_tx)
        except sqlite3.OperationalError as error:
            raise unavailable(error) from error

    async def survey(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a thread, on a connection of its own."""
        return await asyncio.to_thread(survey, self._path, work)

    async def listen(self, hear: Callable[[str], None], missed: Callable[[], None]) -> None:  # noqa: ARG002
        """Hear nothing, for ever: only one process runs tasks on a file."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Commit what is waiting, then let go of the file."""
        await self._groups.close()
        self._disk.shutdown()
        self._writer.close()
        self._reader.close()

    async def _commit(self, group: Sequence[Laned]) -> list[Outcome]:
        try:
            return await commit_group(self._writer, [each.work for each in group], self._on_disk)
        except Exception:
            _roll_back(self._writer)
            raise

    async def _on_disk(self, statement: str) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._disk, self._writer.execute, statement)


async def commit_group(
    connection: sqlite3.Connection, works: Sequence[Work], on_disk: OnDisk
) -> list[Outcome]:
    """Run every work and commit them together; one that raises undoes only itself.

    When the commit as a whole fails, each is tried alone, so that a neighbour's fault never
    fails a good request. A work may therefore run more than once before it counts.

    Args:
        connection: the writer's own.
        works: what waited while the last group was written.
        on_disk: runs a statement that may wait for the disk or for another process.

    Raises:
        sqlite3.Error: no transaction could be begun, so nothing was done.
    """
    await _begin(connection, on_disk)
    try:
        outcomes = await _run_all(connection, works, on_disk)
        faults.reach("writer.before_commit")
        await on_disk("COMMIT")
    except (sqlite3.Error, OSError) as error:
        _roll_back(connection)
        if len(works) == 1:
            return [(False, unavailable(error))]
        return await _commit_each(connection, works, on_disk)
    faults.reach("writer.after_commit")
    return outcomes


async def _commit_each(
    connection: sqlite3.Connection, works: Sequence[Work], on_disk: OnDisk
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for work in works:
        try:
            outcomes += await commit_group(connection, [work], on_disk)
        except sqlite3.Error as error:  # locked by now: no use in waiting as long for each
            outcomes += [(False, unavailable(error)) for _ in works[len(outcomes) :]]
            break
    return outcomes


async def _run_all(
    connection: sqlite3.Connection, works: Sequence[Work], on_disk: OnDisk
) -> list[Outcome]:
    """Run every work, at first without savepoints: those cost a third of all writing.

    A refusal that changed nothing has nothing to undo. Only when a work fails after a change
    does the whole group run again, each in a savepoint of its own.
    """
    tx = SqliteTx(connection)
    outcomes: list[Outcome] = []
    for work in works:
        changes = connection.total_changes
        try:
            outcomes.append((True, work(tx)))
        except sqlite3.OperationalError:
            raise  # the database itself is in trouble: full disk, lost file
        except Exception as error:  # noqa: BLE001 - handed to the caller that sent the work
            if connection.total_changes != changes:
                connection.execute("ROLLBACK")
                await _begin(connection, on_disk)
                return [_run_one(connection, each) for each in works]
            outcomes.append((False, error))
    return outcomes


async def _begin(connection: sqlite3.Connection, on_disk: OnDisk) -> None:
    """Take the only writer's turn: at once, or in a thread while another process has it."""
    try:
        connection.execute("PRAGMA busy_timeout=0")
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        await on_disk("BEGIN IMMEDIATE")


def _run_one(connection: sqlite3.Connection, work: Work) -> Outcome:
    connection.execute("SAVEPOINT work")
    try:
        result = work(SqliteTx(connection))
    except sqlite3.OperationalError:
        raise
    except Exception as error:  # noqa: BLE001 - handed to the caller that sent the work
        connection.execute("ROLLBACK TO work")
        connection.execute("RELEASE work")
        return False, error
    connection.execute("RELEASE work")
    return True, result


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the file with the settings that make a commit durable."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA recursive_triggers=ON")  # else REPLACE gets past the append-only one
    if read_only:
        connection.execute("PRAGMA query_only=ON")
    return connection


def survey(path: Path, work: Callable[[Tx], T]) -> T:
    """Run `work` on the rows of one moment; blocks until it is done."""
    connection = connect(path, read_only=True)
    try:
        connection.execute("BEGIN")
        return work(SqliteTx(connection))
    finally:
        connection.close()


def back_up(source: Path, target: Path) -> None:
    """Copy a database in use to `target`, through a temporary name, mode 0600."""
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with sqlite3.connect(source) as reading, sqlite3.connect(partial) as writing:
        reading.backup(writing)
    reading.close()
    writing.close()
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.replace(target)
