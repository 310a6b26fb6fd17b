"""Works that wait for their commit, handed to the database group by group."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from portico.core.errors import ErrorCode, PorticoError
from portico.store.base import Lane, Tx

T = TypeVar("T")

GROUP_MAX = 128  # a few milliseconds of statements, then the event loop has its turn
WAITING_MAX = 50_000

Work = Callable[[Tx], Any]
Outcome = tuple[bool, Any]  # (worked, result or exception)


class Laned(NamedTuple):
    """A work, and what it has to itself while others run beside it; None: it runs alone."""

    work: Work
    lane: Lane | None


Commit = Callable[[Sequence[Laned]], Awaitable[list[Outcome]]]


class Groups:
    """Those who wait while one group is written are the next group; there is no timer.

    Args:
        commit: writes one group, and says for each work what came of it; it raises when the
            database cannot be written at all.
        group_max: how many works one group takes.
    """

    def __init__(self, commit: Commit, *, group_max: int = GROUP_MAX) -> None:
        self._commit = commit
        self._group_max = group_max
        self._waiting: list[tuple[Laned, asyncio.Future[Any]]] = []
        self._arrived = asyncio.Event()
        self._closing = False
        self._committing = asyncio.create_task(self._run(), name="portico-writer")

    async def add(self, work: Callable[[Tx], T], lane: Lane | None) -> T:
        """Run `work` in the next group; returns once it is on disk.

        Raises:
            PorticoError: OVERLOADED when too many wait, or the store is closing.
        """
        if self._closing or len(self._waiting) >= WAITING_MAX:
            raise PorticoError(ErrorCode.OVERLOADED, "Too busy, try again", retry_after_s=1)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((Laned(work, lane), future))
        self._arrived.set()
        return cast("T", await future)

    async def close(self) -> None:
        """Refuse what comes from now on, and wait for what came before."""
        self._closing = True
        self._arrived.set()
        await self._committing

    async def _run(self) -> None:
        """Commit group after group; whatever happens to one, the writer lives on."""
        while await self._some():
            group = self._waiting[: self._group_max]
            del self._waiting[: self._group_max]
            try:
                outcomes = await self._commit([work for work, _ in group])
            except Exception as error:  # noqa: BLE001 - locked, lost, or a surprise
                group += self._waiting  # they would only wait as long for the same
                self._waiting.clear()
                outcomes = [(False, unavailable(error)) for _ in group]
            hand_out(group, outcomes)

    async def _some(self) -> bool:
        """Wait until there is something to write; False once there never will be."""
        while not self._waiting and not self._closing:
            self._arrived.clear()
            await self._arrived.wait()
        return bool(self._waiting)


def hand_out(
    group: Sequence[tuple[Laned, asyncio.Future[Any]]], outcomes: Sequence[Outcome]
) -> None:
    """Give every waiting caller its own result or error."""
    for (_, future), (worked, result) in zip(group, outcomes, strict=True):
        if future.cancelled():
            continue
        if worked:
            future.set_result(result)
        else:
            future.set_exception(result)


def unavailable(error: Exception) -> PorticoError:
    """Turn trouble of the database itself into what a client may be told."""
    fault = PorticoError(
        ErrorCode.OVERLOADED, "Temporarily unavailable, try again", retry_after_s=1
    )
    fault.__cause__ = error
    return fault
