"""The Postgres connection that writes: one group of works a transaction.

All processes on one database write one after another: a group begins by taking a lock that ends
with its transaction. So a work sees everything committed before it, and nothing changes under it
but what the works in other lanes of its own group do; and groups that touch the same accounts in
different orders cannot deadlock.
"""

from collections.abc import Sequence
from functools import partial

import asyncpg

from portico.core import faults
from portico.store.bridge import run_beside, wait_for
from portico.store.groups import Laned, Outcome, Work, unavailable
from portico.store.postgres_announce import telling
from portico.store.postgres_link import (
    LOST,
    TROUBLE,
    Connection,
    PostgresTx,
    connect,
    is_trouble,
)
from portico.store.side_by_side import SpoiledError, run_all

TRIES_MAX = 3
LOCK_TIMEOUT_MS = 4_000
# a process that stands still with the lock is cut off, so that the others can go on
STALLED_AFTER_MS = 10_000
WRITERS_LOCK = 0x706F727469636F  # "portico"; any number of our own will do
_BEGIN = f"BEGIN; SELECT pg_advisory_xact_lock({WRITERS_LOCK})"
_SETTINGS = {
    "synchronous_commit": "on",
    "enable_seqscan": "off",  # plans outlive small tables, in which reading all of one is best
    "default_transaction_isolation": "read committed",
    "lock_timeout": str(LOCK_TIMEOUT_MS),
    "idle_in_transaction_session_timeout": str(STALLED_AFTER_MS),
}
_REPEATABLE = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)


class InDoubtError(Exception):
    """The connection was lost during COMMIT: nobody can say whether it counted."""


class Writer:
    """Commits groups; makes its connection when it is needed, and anew when it was lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None
        self.process_id: int | None = None  # the server's, for what this writer announces

    async def commit_group(self, group: Sequence[Laned]) -> list[Outcome]:
        """Run every work and commit them together; one that raises undoes only itself.

        When the commit as a whole is refused, each is tried alone. Nothing is run again once
        its COMMIT was sent and not answered.

        Raises:
            Exception: the database cannot be reached, or another process holds the lock for
                too long; what was not committed is undone.
        """
        try:
            return await self._persist(group)
        except (InDoubtError, *LOST, asyncpg.LockNotAvailableError):
            raise
        except (asyncpg.PostgresError, OSError) as error:
            if len(group) == 1:
                return [(False, unavailable(error))]
            return await self._commit_each(group)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            await self._connection.close(timeout=1)

    async def _commit_each(self, group: Sequence[Laned]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for each in group:
            try:
                outcomes += await self.commit_group([each])
            except (InDoubtError, *TROUBLE) as error:  # no use in waiting as long for each
                outcomes += [(False, unavailable(error)) for _ in group[len(outcomes) :]]
                break
        return outcomes

    async def _persist(self, group: Sequence[Laned]) -> list[Outcome]:
        """Try a few times what failed for a reason that passes, and did not count."""
        for _ in range(TRIES_MAX - 1):
            was_open = self._connection is not None
            try:
                return await self._try(group)
            except _REPEATABLE:
                continue
            except LOST as error:
                # a fresh connection failed, or nobody answers: the database is away
                if not was_open or isinstance(error, TimeoutError):
                    raise
        return await self._try(group)

    async def _try(self, group: Sequence[Laned]) -> list[Outcome]:
        connection = await self._connected()
        try:
            await connection.execute(_BEGIN)
            outcomes, lines = await _run(connection, group)
            faults.reach("writer.before_commit")
            await _commit(connection, lines)
        except (InDoubtError, *LOST):
            self._drop(connection)
            raise
        except BaseException:
            await self._roll_back(connection)
            raise
        faults.reach("writer.after_commit")
        return outcomes

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = None
            self._connection = await connect(self._url, _SETTINGS)
            self.process_id = self._connection.get_server_pid()
        return self._connection

    async def _roll_back(self, connection: Connection) -> None:
        try:
            await connection.execute("ROLLBACK")
        except TROUBLE:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        """Forget a connection; the server undoes what it had not committed."""
        connection.terminate()
        self._connection = None


async def _commit(connection: Connection, lines: Sequence[str]) -> None:
    try:
        status = await connection.execute(f"{telling(lines)}COMMIT")
    except LOST as error:
        raise InDoubtError from error
    if status != "COMMIT":  # Postgres answers ROLLBACK when a statement had failed before
        message = "the transaction was undone"
        raise asyncpg.InFailedSQLTransactionError(message)


async def _run(connection: Connection, group: Sequence[Laned]) -> tuple[list[Outcome], list[str]]:
    """Run every work, at first without savepoints: those cost two round trips each.

    A refusal that changed nothing has nothing to undo. When a work fails after a change the
    whole group runs again: those that failed alone at its end, each in a savepoint of its own.
    """
    places = range(len(group))
    alone: set[int] = set()
    outcomes: dict[int, Outcome] = {}
    lines: list[str] = []
    while len(alone) < len(group):
        beside = [place for place in places if place not in alone]
        try:
            ran = await run_all(connection, [group[place] for place in beside], lines)
        except SpoiledError as spoiled:
            lines.clear()
            alone.update([beside[place] for place in spoiled.places] or places)
            await connection.execute(f"ROLLBACK; {_BEGIN}")
        else:
            outcomes.update(zip(beside, ran, strict=True))
            break
    for place in sorted(alone):
        outcomes[place] = await run_beside(partial(_run_one, connection, group[place].work, lines))
    return [outcomes[place] for place in places], lines


def _run_one(connection: Connection, work: Work, lines: list[str]) -> Outcome:
    wait_for(connection.execute("SAVEPOINT work"))
    tx = PostgresTx(connection)
    outcome: Outcome
    try:
        outcome = (True, work(tx))
    except Exception as error:  # noqa: BLE001 - handed to the caller that sent the work
        outcome = (False, error)
    if tx.broken is not None and is_trouble(tx.broken):
        raise tx.broken
    if tx.broken is not None and outcome[0]:  # it let a refusal pass, but the database does not
        outcome = (False, tx.broken)
    if outcome[0]:
        lines += tx.lines
    else:
        wait_for(connection.execute("ROLLBACK TO work"))
    wait_for(connection.execute("RELEASE work"))
    return outcome
