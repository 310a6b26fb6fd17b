"""What an operator sees of margins: by task, model, customer, credential or day."""

import msgspec

from portico import accounts
from portico.core.clock import DAY_MS, Instant
from portico.flows.administer import Desk
from portico.store import Tx
from portico.tasks import margins as of_tasks
from portico.tasks.margins import Margin

RECENT_MS = 7 * DAY_MS


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Margins of a time, and the sum of them."""

    rows: tuple[Margin, ...]
    total: Margin


async def report(
    desk: Desk,
    by: str,
    *,
    since: Instant,
    until: Instant,
    only_negative: bool = False,
    limit: int = of_tasks.ROWS_MAX,
) -> Report:
    """Return the margins of the tasks that ended in a time; customers by e-mail address.

    Args:
        desk: where to look.
        by: one of `portico.tasks.margins.BY`.
        since: the first instant.
        until: the first instant that is too late.
        only_negative: the tasks that cost more than they brought; `by` must be `task`.
        limit: so many rows at most; the total is that of the rows.
    """

    def look(tx: Tx) -> list[Margin]:
        if only_negative:
            return of_tasks.negative(tx, since=since, until=until, limit=limit)
        rows = of_tasks.margins(tx, by, since=since, until=until, limit=limit)
        return [_with_email(tx, row) for row in rows] if by == "customer" else rows

    rows = await desk.store.survey(look)
    return Report(rows=tuple(rows), total=_total(rows))


async def losses_lately(desk: Desk) -> int:
    """Return how many tasks of the last seven days cost more than they brought."""
    now = desk.clock.now()
    found = await report(desk, "task", since=now - RECENT_MS, until=now + 1, only_negative=True)
    return len(found.rows)


def _with_email(tx: Tx, row: Margin) -> Margin:
    account = accounts.find(tx, row.key)
    return row if account is None else msgspec.structs.replace(row, key=account.email)


def _total(rows: list[Margin]) -> Margin:
    names = [name for name in Margin.__struct_fields__ if name != "key"]
    return Margin(key="total", **{name: sum(getattr(row, name) for row in rows) for name in names})
