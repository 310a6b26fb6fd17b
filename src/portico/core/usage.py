"""Usage: what ended on which day, counted together by account, key, model and kind."""

from collections.abc import Iterable
from datetime import UTC, date, datetime

import msgspec

from portico.core.clock import DAY_MS, Instant
from portico.core.ids import AccountId, KeyId
from portico.core.jobs import Kind
from portico.core.money import Credits

Day = int  # UTC days since 1970-01-01


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What a number of tasks that ended came to."""

    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    expired: int = 0
    charged: Credits = 0
    released: Credits = 0  # held for these tasks and given back
    input_tokens: int = 0  # of texts
    output_tokens: int = 0

    @property
    def tasks(self) -> int:
        """How many tasks ended, in whatever state."""
        return self.succeeded + self.failed + self.cancelled + self.expired


class DayUsage(Tally, frozen=True, kw_only=True):
    """The tasks of one key, model and kind that ended on one day."""

    day: Day
    account_id: AccountId
    key_id: KeyId
    model: str
    kind: Kind


COUNTED = Tally.__struct_fields__


def add_up(tallies: Iterable[Tally]) -> Tally:
    """Return all of them as one; nothing comes to zeros."""
    sums = dict.fromkeys(COUNTED, 0)
    for tally in tallies:
        for name in COUNTED:
            sums[name] += getattr(tally, name)
    return Tally(**sums)


def day_of(at: Instant) -> Day:
    """Return the UTC day an instant lies in."""
    return at // DAY_MS


def start_of(day: Day) -> Instant:
    """Return a day's first instant."""
    return day * DAY_MS


def day_text(day: Day) -> str:
    """Write a day as `2027-01-15`."""
    return datetime.fromtimestamp(start_of(day) / 1_000, UTC).date().isoformat()


def parse_day(text: str) -> Day:
    """Read a day written as `2027-01-15`.

    Raises:
        ValueError: it is none.
    """
    return date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()
