"""A clock that stands still until a test moves it."""

import asyncio
import heapq

from portico.core.clock import SECOND_MS, Instant

START: Instant = 1_800_000_000_000  # 2027-01-15 08:00:00 UTC
_YIELDS = 20  # how often the event loop runs before time moves on


class FakeClock:
    """Implements `Clock`; the wall clock and the monotonic clock can be moved apart.

    Args:
        now: where the wall clock begins, in UTC milliseconds.
    """

    def __init__(self, now: Instant = START) -> None:
        self._now = now
        self._monotonic_s = 1_000.0
        self._order = 0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> Instant:
        """Return the wall clock, in UTC milliseconds."""
        return self._now

    def monotonic(self) -> float:
        """Return the monotonic clock, in seconds."""
        return self._monotonic_s

    @property
    def sleepers(self) -> int:
        """How many are waiting for time to pass."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def sleep(self, delay_s: float) -> None:
        """Wait until a test has advanced the clock far enough."""
        if delay_s <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._order += 1
        heapq.heappush(self._sleepers, (self._monotonic_s + delay_s, self._order, future))
        await future

    async def advance(self, delay_s: float) -> None:
        """Let time pass on both clocks; sleepers wake in order, each at its own moment.

        Whoever wakes gets a few turns of the event loop before time moves on, so what it plans
        next happens within the same advance. Work in other threads is not waited for.
        """
        await let_run()
        target_s = self._monotonic_s + delay_s
        while self._sleepers and self._sleepers[0][0] <= target_s:
            due_s, _, future = heapq.heappop(self._sleepers)
            if future.done():
                continue
            self._move_to(max(due_s, self._monotonic_s))
            future.set_result(None)
            await let_run()
        self._move_to(target_s)
        await let_run()

    def jump(self, by_ms: int) -> None:
        """Set the wall clock forward or back, as an operator or a time server would."""
        self._now += by_ms

    def _move_to(self, monotonic_s: float) -> None:
        self._now += round((monotonic_s - self._monotonic_s) * SECOND_MS)
        self._monotonic_s = monotonic_s


async def let_run() -> None:
    """Give everything that can run now a few turns of the event loop."""
    for _ in range(_YIELDS):
        await asyncio.sleep(0)
