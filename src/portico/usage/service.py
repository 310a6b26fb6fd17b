"""What can be done with roll-ups; each takes an open transaction first."""

from collections.abc import Sequence

import msgspec

from portico.core.ids import AccountId
from portico.core.usage import COUNTED, Day, DayUsage, Tally
from portico.store import Tx
from portico.usage import queries
from portico.usage.model import Grouping, Progress


def progress(tx: Tx) -> Progress | None:
    """Return how far roll-ups have come; None before the first."""
    row = tx.one(queries.PROGRESS)
    return Progress(row["next_day"], row["first_id"]) if row else None


def advance(tx: Tx, before: Progress | None, after: Progress) -> bool:
    """Move on from where a look found things; False: another process has moved on meanwhile.

    Beginning at the same time as another fails with the database's own refusal.
    """
    if before is None:
        tx.execute(queries.BEGIN, next_day=after.next_day, first_id=after.first_id)
        return True
    values = {"expected": before.next_day, "to_day": after.next_day, "from_id": after.first_id}
    return tx.execute(queries.ADVANCE, **values) > 0


def keep_day(tx: Tx, day: Day, rows: Sequence[DayUsage]) -> None:
    """Write a whole day down, in place of what was known of it; safe to repeat."""
    tx.execute(queries.DROP_DAY, dropped=day)
    for row in rows:
        tx.execute(queries.INSERT, **msgspec.structs.asdict(row))


def tallies(
    tx: Tx, by: Grouping, *, since: Day, until: Day, account_id: AccountId | None
) -> dict[str | Day, Tally]:
    """Sum up the days from `since` to the one before `until`, of one account or of all."""
    values = {"since": since, "until": until, "of_account": account_id}
    return {
        row["label"]: Tally(**{name: int(row[name]) for name in COUNTED})
        for row in tx.rows(queries.TALLIES[by], **values)
    }
