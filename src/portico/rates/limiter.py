"""Count requests against a limit a minute, with the `limits` library."""

import math
import time

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


class RateLimiter:
    """Counts per key and bucket: exact windows for small limits, weighted ones for large."""

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
        reset_at = limiter.get_window_stats(item, bucket.name, key).reset_time
        wait_s = min(60, max(1, math.ceil(reset_at - _wall_clock_s())))
        raise PorticoError(ErrorCode.RATE_LIMITED, "Too many requests", retry_after_s=wait_s)


def _wall_clock_s() -> float:
    return time.time()  # the library counts by this clock, so must the wait
