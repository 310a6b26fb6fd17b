"""Count requests against a limit a minute, with the `limits` library."""

import math
import time
from collections.abc import Awaitable
from typing import Protocol

import msgspec
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

from portico.core.errors import ErrorCode, PorticoError

EXACT_UP_TO = 600  # beyond this, one stamp a request would cost too much memory


class Bucket(msgspec.Struct, frozen=True):
    """One limit: its name in the store, and how many requests a minute it lets pass."""

    name: str
    per_minute: int


class Rates(Protocol):
    """Counts per key and bucket, in this process or for several."""

    def hit(self, bucket: Bucket, key: str) -> Awaitable[None] | None:
        """Count one request; what comes back, if anything does, has to be awaited.

        Nothing comes back from this process's memory: that path costs neither an await nor a
        coroutine.

        Raises:
            PorticoError: RATE_LIMITED with whole seconds to wait, when it is one too many.
        """

    async def check(self) -> None:
        """Prove that something can be counted now; any exception says why not."""

    async def close(self) -> None:
        """Let go of connections."""


class RateLimiter:
    """Counts in memory: exact windows for small limits, weighted ones for large."""

    def __init__(self) -> None:
        storage = MemoryStorage()
        self._exact = MovingWindowRateLimiter(storage)
        self._weighted = SlidingWindowCounterRateLimiter(storage)

    def hit(self, bucket: Bucket, key: str) -> None:
        """Count one request.

        Raises:
            PorticoError: RATE_LIMITED with whole seconds to wait, when it is one too many.
        """
        limiter = self._exact if bucket.per_minute <= EXACT_UP_TO else self._weighted
        item = RateLimitItemPerMinute(bucket.per_minute)
        if limiter.hit(item, bucket.name, key):
            return
        raise too_many(limiter.get_window_stats(item, bucket.name, key).reset_time)

    async def check(self) -> None:
        """Do nothing: memory can always count."""

    async def close(self) -> None:
        """Do nothing: memory goes with its process."""


def too_many(reset_at: float) -> PorticoError:
    """Return the refusal of one request too many, with whole seconds until the next may pass."""
    # the library counts by this clock, so must the wait
    wait_s = min(60, max(1, math.ceil(reset_at - time.time())))
    return PorticoError(ErrorCode.RATE_LIMITED, "Too many requests", retry_after_s=wait_s)
