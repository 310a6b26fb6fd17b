"""What to do after a failed attempt: a value, decided by a pure function."""

from collections.abc import Callable
from dataclasses import dataclass

from portico.core.errors import ErrorCode, PorticoError

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


@dataclass(frozen=True, slots=True)
class Retry:
    """Start another attempt after a while."""

    after_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End the task with this error."""

    error: PorticoError


def after_failure(
    error: PorticoError,
    *,
    attempts: int,
    attempts_max: int,
    random_bits: Callable[[int], int],
) -> Retry | GiveUp:
    """Decide by the error and the attempts so far; waits grow, with full jitter."""
    if error.code not in RETRYABLE or attempts >= attempts_max:
        return GiveUp(shown(error))
    ceiling_s = min(CAP_S, BASE_S * 2 ** max(0, attempts - 1))
    drawn = (random_bits(16) % _STEPS + 1) / _STEPS
    return Retry(max(error.retry_after_s or 0.0, ceiling_s * drawn))


def shown(error: PorticoError) -> PorticoError:
    """Return what a customer may be told of a failure."""
    if error.code in _SHOWN:
        return error
    return PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
