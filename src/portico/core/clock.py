"""Time, injected: stored times are UTC milliseconds, durations come from the monotonic clock."""

import asyncio
import time
from typing import Protocol

Instant = int  # milliseconds since 1970-01-01 UTC

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


class Clock(Protocol):
    """What every part asks for the time."""

    def now(self) -> Instant:
        """Return the wall clock, in UTC milliseconds; for records, never for durations."""

    def monotonic(self) -> float:
        """Return seconds that only ever move forward; for durations and waiting."""

    async def sleep(self, delay_s: float) -> None:
        """Wait for `delay_s` seconds."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> Instant:
        """Return the wall clock, in UTC milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return the monotonic clock, in seconds."""
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        """Wait on the running event loop."""
        await asyncio.sleep(delay_s)
