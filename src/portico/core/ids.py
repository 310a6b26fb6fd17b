"""Ids: 63-bit time-ordered numbers for tasks, prefixed random text for all else.

Access never rests on an id being secret: every read carries the account as well.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable

from portico.core.clock import Clock, Instant

TaskId = int
AccountId = str
KeyId = str
AssetId = str
RunnerId = str

_EPOCH_MS = 1_704_067_200_000  # 2024-01-01; 41 bits of milliseconds last until 2093
_RANDOM_BITS = 22
_POOL_BYTES = 1_024
TASK_ID_MAX = 2**63 - 1


class IdSource:
    """Makes ids from an injected clock and an injected source of randomness."""

    def __init__(
        self,
        clock: Clock,
        *,
        random_bits: Callable[[int], int] | None = None,
    ) -> None:
        self._clock = clock
        self.random_bits = random_bits or _Pool().bits
        self._last = 0

    def task_id(self) -> TaskId:
        """Return a new task id: larger than every earlier one of this process."""
        elapsed_ms = max(0, self._clock.now() - _EPOCH_MS)
        candidate = (elapsed_ms << _RANDOM_BITS) | self.random_bits(_RANDOM_BITS)
        if candidate <= self._last:  # same millisecond, or the wall clock stepped back
            candidate = self._last + 1 + self.random_bits(8)
        self._last = candidate
        return candidate

    def opaque_id(self, prefix: str) -> str:
        """Return `prefix_` and 125 random bits in lower-case base32."""
        raw = self.random_bits(128).to_bytes(16, "big")
        return f"{prefix}_{base64.b32encode(raw).decode().rstrip('=').lower()[:25]}"


def derived_id(prefix: str, *origin: object) -> str:
    """Return `prefix_` and 125 bits that follow from where something came from, and nothing else.

    For what is taken over from elsewhere: the second time it has the same id.
    """
    digest = hashlib.sha256("\0".join(map(str, origin)).encode("utf-8", "surrogatepass")).digest()
    return f"{prefix}_{base64.b32encode(digest).decode().lower()[:25]}"


class _Pool:
    """Random bits of the system, drawn a few hundred at a time: each draw is a system call."""

    def __init__(self) -> None:
        self._left = b""

    def bits(self, count: int) -> int:
        """Return that many random bits; none is ever given out twice."""
        size = (count + 7) // 8
        if len(self._left) < size:
            self._left = secrets.token_bytes(_POOL_BYTES)
        drawn, self._left = self._left[:size], self._left[size:]
        return int.from_bytes(drawn, "big") >> (size * 8 - count)


def lowest_task_id(at: Instant) -> TaskId:
    """Return the lowest id a task accepted at an instant can have; in all, ids follow clocks."""
    return max(0, at - _EPOCH_MS) << _RANDOM_BITS


def parse_task_id(text: str) -> TaskId | None:
    """Read a task id as clients write it: a decimal string, optionally after `task_` or `video_`.

    Returns None for anything that cannot be an id, which callers treat as "not found".
    """
    digits = text.removeprefix("video_") if text.startswith("v") else text.removeprefix("task_")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(TASK_ID_MAX))):
        return None
    value = int(digits)
    return value if 0 < value <= TASK_ID_MAX else None
