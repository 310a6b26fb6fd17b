"""Read how long somebody asks us to wait."""

from datetime import UTC
from email.utils import parsedate_to_datetime

from portico.core.clock import SECOND_MS, Clock

_DIGITS_MAX = 9


def read_retry_after(text: str, clock: Clock) -> int | None:
    """Return the seconds of a `Retry-After`, a number or a date; None for anything else."""
    if text.isascii() and text.isdigit():
        return int(text[:_DIGITS_MAX])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0, int(at.timestamp()) - clock.now() // SECOND_MS)
