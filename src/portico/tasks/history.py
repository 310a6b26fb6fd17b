"""Tasks that are over, as a whole: what they came to, and their removal."""

from portico.core.clock import Instant
from portico.core.ids import AccountId, TaskId
from portico.core.jobs import Kind
from portico.core.usage import COUNTED, Day, DayUsage, day_of, start_of
from portico.store import Row, Tx
from portico.tasks import queries


def usage_of_ended(
    tx: Tx,
    *,
    since: Day,
    until: Day,
    first_id: TaskId,
    account_id: AccountId | None = None,
) -> list[DayUsage]:
    """Count the tasks that ended from `since` to the day before `until`.

    Looks at every task from `first_id` on, so it takes its time.
    """
    rows = tx.rows(
        queries.ENDED_USAGE,
        since=start_of(since),
        until=start_of(until),
        first_id=first_id,
        of_account=account_id,
    )
    return [_day_usage(row) for row in rows]


def first_day(tx: Tx) -> Day | None:
    """Return the day on which the oldest task was accepted; None while there is no task."""
    row = tx.one(queries.OLDEST)
    return day_of(row["created_at"]) if row else None


def first_not_ended(tx: Tx, *, before: Instant, first_id: TaskId) -> TaskId | None:
    """Return the oldest task from `first_id` on that had not ended before an instant."""
    row = tx.one(queries.FIRST_NOT_ENDED, before=before, first_id=first_id)
    return row["id"] if row else None


def over(
    tx: Tx, *, ended_before: Instant, now: Instant, after_id: TaskId, end_id: TaskId, limit: int
) -> list[TaskId]:
    """Return the oldest tasks between two ids that ended before an instant, with their results."""
    rows = tx.rows(
        queries.OVER,
        ended_before=ended_before,
        now=now,
        after_id=after_id,
        end_id=end_id,
        limit=limit,
    )
    return [row["id"] for row in rows]


def remove(tx: Tx, task_id: TaskId) -> bool:
    """Drop a task that has ended, with its attempts; its money stays in the ledger.

    False: it was removed before. What else points at it must have gone in the same transaction.
    """
    tx.execute(queries.REMOVE_ATTEMPTS, of_task=task_id)
    tx.execute(queries.REMOVE_TEXT_COST, of_task=task_id)
    return tx.execute(queries.REMOVE, of_task=task_id) > 0


def _day_usage(row: Row) -> DayUsage:
    return DayUsage(
        day=row["day"],
        account_id=row["account_id"],
        key_id=row["key_id"],
        model=row["model"],
        kind=Kind(row["kind"]),
        **{name: int(row[name]) for name in COUNTED},  # Postgres sums up to Decimal
    )
