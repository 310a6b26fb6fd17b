"""When a failed delivery is tried again: ten attempts over three days (W4)."""

from collections.abc import Callable

from portico.core.clock import HOUR_MS, SECOND_MS, Instant

_MINUTE_S = 60
_HOUR_S = 60 * _MINUTE_S
RETRY_AFTER_S = (
    5,
    5 * _MINUTE_S,
    30 * _MINUTE_S,
    2 * _HOUR_S,
    5 * _HOUR_S,
    10 * _HOUR_S,
    14 * _HOUR_S,
    20 * _HOUR_S,
    24 * _HOUR_S,
)
RETRY_AFTER_MAX_MS = 24 * HOUR_MS
_JITTER_STEPS = 1_000


def next_attempt_at(
    attempts: int,
    *,
    now: Instant,
    asked_wait_s: float | None,
    random_bits: Callable[[int], int],
) -> Instant | None:
    """Return when to try again after the `attempts`-th failure, or None when that was the last.

    Each wait has up to 10 % jitter on top; a receiver's own Retry-After is obeyed up to a day.
    """
    if attempts > len(RETRY_AFTER_S):
        return None
    wait_ms = RETRY_AFTER_S[attempts - 1] * SECOND_MS
    jitter_ms = wait_ms * (random_bits(16) % _JITTER_STEPS) // (10 * _JITTER_STEPS)
    asked_ms = min(int((asked_wait_s or 0) * SECOND_MS), RETRY_AFTER_MAX_MS)
    return now + max(wait_ms + jitter_ms, asked_ms)
