"""Limits of every outbound fetch: time, bytes, pace, and how many run at once (S8)."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from portico.core.errors import ErrorCode, PorticoError
from portico.outbound.address import PORTS, PRIVATE_SUFFIXES

KIB = 1_024


class OutboundLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one fetch may cost; every figure is the operator's to change."""

    resolve_s: float = 5
    connect_s: float = 5
    first_byte_s: float = 10  # from the connection to the end of the answer's headers
    whole_s: float = 60  # redirects included
    pace_bytes: int = 10 * KIB  # at least so much ...
    pace_window_s: float = 10  # ... within any such stretch of time
    header_bytes_max: int = 32 * KIB
    header_count_max: int = 100
    redirects_max: int = 3
    answer_bytes_max: int = 4 * KIB  # kept of what a webhook's receiver answers
    at_once_per_account: int = 4
    at_once: int = 32
    turn_s: float = 30  # how long a fetch waits for its turn
    ports: frozenset[int] = PORTS
    private_suffixes: tuple[str, ...] = PRIVATE_SUFFIXES


class Pace:
    """Knows when a body that comes in pieces has become too slow."""

    def __init__(self, *, bytes_min: int, window_s: float, started_at: float) -> None:
        self._bytes_min = bytes_min
        self._window_s = window_s
        self._anchor_s = started_at
        self._arrivals: deque[tuple[float, int]] = deque()
        self._recent_bytes = 0

    def arrived(self, at_s: float, size_bytes: int) -> None:
        """Note a piece, at a time of the loop's clock."""
        self._arrivals.append((at_s, size_bytes))
        self._recent_bytes += size_bytes
        # keep the shortest stretch that still holds enough: when its first piece grows too
        # old, the window behind that moment has become too poor
        while self._arrivals and self._recent_bytes - self._arrivals[0][1] >= self._bytes_min:
            self._recent_bytes -= self._arrivals.popleft()[1]
        if self._recent_bytes >= self._bytes_min:
            self._anchor_s = self._arrivals[0][0]

    @property
    def deadline_s(self) -> float:
        """When the next piece must have come, on the loop's clock."""
        return self._anchor_s + self._window_s


class Turns:
    """Lets so many fetches run at once, in all and for each account."""

    def __init__(self, limits: OutboundLimits) -> None:
        self._limits = limits
        self._all = asyncio.Semaphore(limits.at_once)
        self._of_account: dict[str, asyncio.Semaphore] = {}
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def take(self, account_id: str | None) -> AsyncIterator[None]:
        """Hold a turn; the account's own is waited for first, so that it blocks nobody else.

        Raises:
            PorticoError: OVERLOADED when no turn came in time.
        """
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._limits.turn_s):
                    if account_id is not None:
                        await held.enter_async_context(self._account_turn(account_id))
                    await held.enter_async_context(self._all)
            except TimeoutError as error:
                raise PorticoError(
                    ErrorCode.OVERLOADED, "Too many downloads at once, try again", retry_after_s=5
                ) from error
            yield

    @asynccontextmanager
    async def _account_turn(self, account_id: str) -> AsyncIterator[None]:
        turns = self._of_account.setdefault(
            account_id, asyncio.Semaphore(self._limits.at_once_per_account)
        )
        self._users[account_id] = self._users.get(account_id, 0) + 1
        try:
            async with turns:
                yield
        finally:
            self._users[account_id] -= 1
            if self._users[account_id] == 0:
                del self._users[account_id], self._of_account[account_id]
