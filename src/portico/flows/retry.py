"""What to do after a failed attempt: a value, decided by a pure function."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from portico.core.errors import ErrorCode, PorticoError
from portico.core.upstreams import OTHER_ROUTE_HELPS, UpstreamError

BASE_S = 1.0
CAP_S = 30.0
_STEPS = 1_000

# the upstream certainly did not take the job, so asking again cannot make a second one (T8)
RETRYABLE = frozenset({ErrorCode.OVERLOADED, ErrorCode.RATE_LIMITED})

# what a customer may be told of a task's end; all else is between the operator and an upstream,
# whose bad key or empty balance must never look like the customer's own (F4, F5)
_SHOWN = frozenset(
    {
        ErrorCode.INVALID_REQUEST,
        ErrorCode.UNKNOWN_MODEL,
        ErrorCode.UNSUPPORTED_OPTION,
        ErrorCode.MEDIA_UNREACHABLE,
        ErrorCode.MEDIA_REJECTED,
        ErrorCode.PAYLOAD_TOO_LARGE,
        ErrorCode.CONTENT_REFUSED,
        ErrorCode.NO_ROUTE,
        ErrorCode.UPSTREAM_FAILED,
        ErrorCode.UPSTREAM_TIMEOUT,
        ErrorCode.INTERNAL,
    }
)


class Left(Enum):
    """What of a job's routes is left after one has refused it."""

    ANOTHER = "another"  # one that was not tried as often, and is free
    SAME = "same"  # some may take it later
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Retry:
    """Start another attempt after a while."""

    after_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End the task with this error."""

    error: PorticoError


def is_refusal(error: PorticoError) -> bool:
    """Whether the job was certainly not taken, for a reason that may not hold at another route.

    An option that a provider cannot express is refused before anything is sent.
    """
    if error.code in RETRYABLE or error.code is ErrorCode.UNSUPPORTED_OPTION:
        return True
    return isinstance(error, UpstreamError) and error.trouble in OTHER_ROUTE_HELPS


def after_failure(
    error: PorticoError,
    *,
    attempts: int,
    left: Left,
    random_bits: Callable[[int], int],
) -> Retry | GiveUp:
    """Decide by the error and the attempts at its route so far; waits grow, with full jitter."""
    if left is Left.NOTHING or not is_refusal(error):
        return GiveUp(shown(error))
    if left is Left.ANOTHER:
        return Retry(0.0)
    ceiling_s = min(CAP_S, BASE_S * 2 ** max(0, attempts - 1))
    drawn = (random_bits(16) % _STEPS + 1) / _STEPS
    return Retry(max(error.retry_after_s or 0.0, ceiling_s * drawn))


def shown(error: PorticoError) -> PorticoError:
    """Return what a customer may be told of a failure."""
    if error.code in _SHOWN:
        return error
    return PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
