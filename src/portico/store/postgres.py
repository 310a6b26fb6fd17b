"""Postgres: one connection that commits in groups, and a few that read.

A work stays a plain function (decision 2): each of its statements is awaited on the event loop
while the work waits in a greenlet. Imported only when a URL names a Postgres database.
"""

from collections.abc import Callable
from typing import NoReturn, TypeVar

from portico.store.base import Lane, Tx
from portico.store.bridge import run_beside
from portico.store.groups import Groups, unavailable
from portico.store.postgres_announce import listen
from portico.store.postgres_link import (
    ANSWER_WITHIN_S,
    LOST,
    REFUSED,
    TROUBLE,
    Pool,
    PostgresTx,
    connect,
    open_readers,
)
from portico.store.postgres_writer import Writer

T = TypeVar("T")

READERS_MAX = 8
GROUP_MAX = 512  # the event loop has its turn while a statement is under way
SURVEY_WITHIN_S = 600.0
_ONE_MOMENT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


async def open_postgres(url: str) -> "PostgresStore":
    """Open a database whose schema is at its newest revision; connects when it is first used."""
    return PostgresStore(url, await open_readers(url, connections_max=READERS_MAX))


class PostgresStore:
    """One Postgres database; any number of processes may use it at the same time."""

    is_shared = True

    def __init__(self, url: str, readers: Pool) -> None:
        self._url = url
        self._readers = readers
        self._writer = Writer(url)
        self._groups = Groups(self._writer.commit_group, group_max=GROUP_MAX)

    async def write(self, work: Callable[[Tx], T], *, lane: Lane | None = None) -> T:
        """Run `work` in the next group commit; returns once it is on disk.

        Raises:
            PorticoError: OVERLOADED also when the connection was lost during COMMIT: then the
                write may have counted all the same, and it is not run again.
        """
        return await self._groups.add(work, lane)

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on a connection of the pool; each statement sees what is committed by then."""
        try:
            return await self._read(work)
        except TimeoutError as error:  # it is there, but answers nobody: no use in asking again
            _raise_trouble(error)
        except LOST:  # its connection had died in the pool; a read may be repeated
            pass
        except TROUBLE as error:
            _raise_trouble(error)
        try:
            return await self._read(work)
        except TROUBLE as error:
            _raise_trouble(error)

    async def survey(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on a connection of its own, in one read-only snapshot."""
        try:
            connection = await connect(self._url, answer_within_s=SURVEY_WITHIN_S)
            try:
                await connection.execute(_ONE_MOMENT)
                return await run_beside(lambda: work(PostgresTx(connection)))
            finally:
                await connection.close(timeout=1)
        except TROUBLE as error:
            _raise_trouble(error)

    async def listen(self, hear: Callable[[str], None], missed: Callable[[], None]) -> None:
        """Hear what other processes announce, for ever, over a connection of its own."""
        await listen(self._url, lambda each: each == self._writer.process_id, hear, missed)

    async def close(self) -> None:
        """Commit what is waiting, then let go of every connection."""
        await self._groups.close()
        await self._writer.close()
        await self._readers.close()

    async def _read(self, work: Callable[[Tx], T]) -> T:
        async with self._readers.acquire(timeout=ANSWER_WITHIN_S) as connection:
            try:
                return await run_beside(lambda: work(PostgresTx(connection)))
            except TimeoutError:
                connection.terminate()  # else the pool waits as long again for it to give in
                raise


def _raise_trouble(error: Exception) -> NoReturn:
    """Pass on what is the statement's own fault; the rest is the database's."""
    if isinstance(error, REFUSED):
        raise error
    raise unavailable(error) from error
