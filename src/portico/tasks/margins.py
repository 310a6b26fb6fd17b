"""Margins: what tasks that have ended brought, and what upstreams took for them."""

from collections.abc import Sequence
from typing import Any

import msgspec

from portico.core.clock import Instant
from portico.core.money import Credits
from portico.store import Row, Tx
from portico.tasks import margin_queries as queries

BY = tuple(queries.MARGINS)  # what sums can be made by
ROWS_MAX = 2**31 - 1


class Margin(msgspec.Struct, frozen=True, kw_only=True):
    """One sum. Where a cost is not known its task is counted apart, and never as a profit."""

    key: str  # a task, model, account or credential; of days the number since 1970
    tasks: int
    revenue: Credits  # all that was charged
    cost: Credits  # as far as it is known
    unknown_tasks: int  # of which something is not known
    unknown_revenue: Credits  # what those brought
    negative_tasks: int  # of which all is known, and cost more than they brought

    @property
    def margin(self) -> Credits:
        """What is left of what is known; what is known of a partly unknown task's cost counts."""
        return self.revenue - self.unknown_revenue - self.cost


def margins(
    tx: Tx, by: str, *, since: Instant, until: Instant, limit: int = ROWS_MAX
) -> list[Margin]:
    """Return the margins of tasks that ended in a time, from `since` until before `until`.

    Reads every task of that time: for a `survey`, not for a `read`.

    Args:
        tx: a look at committed rows.
        by: one of `BY`; tasks come newest first.
        since: UTC milliseconds.
        until: UTC milliseconds.
        limit: so many rows at most.
    """
    return _read(tx.rows(queries.MARGINS[by], since=since, until=until, limit=limit))


def negative(tx: Tx, *, since: Instant, until: Instant, limit: int = ROWS_MAX) -> list[Margin]:
    """Return the tasks that cost more than they brought, newest first, as `margins` does."""
    return _read(tx.rows(queries.NEGATIVE, since=since, until=until, limit=limit))


def _read(rows: Sequence[Row]) -> list[Margin]:
    return [_margin(dict(row)) for row in rows]


def _margin(row: dict[str, Any]) -> Margin:
    key = row.pop("key")
    return Margin(key=str(key), **{name: int(value) for name, value in row.items()})
