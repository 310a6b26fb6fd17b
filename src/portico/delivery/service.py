"""What can be done with deliveries; each takes an open transaction first."""

from urllib.parse import urlsplit

import msgspec

from portico.core.clock import Instant
from portico.core.ids import TaskId
from portico.delivery import queries
from portico.delivery.model import Delivery, DeliveryState, NewDelivery
from portico.store import Row, Tx


def enqueue(tx: Tx, delivery: NewDelivery) -> None:
    """Owe one event to one URL; in the transaction that ends the task."""
    host = urlsplit(delivery.url).netloc.lower()
    tx.execute(queries.INSERT, host=host, **msgspec.structs.asdict(delivery))


def due(tx: Tx, *, now: Instant, limit: int) -> list[Delivery]:
    """Return deliveries whose next attempt is due, oldest first."""
    return [_delivery(row) for row in tx.rows(queries.DUE, now=now, limit=limit)]


def find(tx: Tx, delivery_id: str) -> Delivery | None:
    """Return one delivery, or None."""
    row = tx.one(queries.BY_ID, delivery_id=delivery_id)
    return _delivery(row) if row else None


def of_task(tx: Tx, task_id: TaskId) -> list[Delivery]:
    """Return the deliveries a task led to."""
    return [_delivery(row) for row in tx.rows(queries.OF_TASK, task_id=task_id)]


def record_attempt(
    tx: Tx,
    delivery_id: str,
    *,
    state: DeliveryState,
    next_at: Instant,
    status: int | None,
) -> None:
    """Write down what an attempt came to; does nothing once the delivery has ended."""
    tx.execute(
        queries.RECORD,
        delivery_id=delivery_id,
        new_state=state,
        next_at=next_at,
        status=status,
    )


def replay(tx: Tx, delivery_id: str, *, now: Instant) -> bool:
    """Start an ended delivery's schedule anew; False: there is none that has ended."""
    return tx.execute(queries.REPLAY, delivery_id=delivery_id, now=now) > 0


def is_any_owed(tx: Tx, task_id: TaskId) -> bool:
    """Whether an event of a task still waits to be delivered."""
    return tx.one(queries.OWED_OF_TASK, of_task=task_id) is not None


def remove(tx: Tx, task_id: TaskId) -> None:
    """Drop a task's deliveries; safe to repeat."""
    tx.execute(queries.REMOVE_OF_TASK, of_task=task_id)


def _delivery(row: Row) -> Delivery:
    return Delivery(
        id=row["id"],
        account_id=row["account_id"],
        task_id=row["task_id"],
        url=row["url"],
        state=DeliveryState(row["state"]),
        attempts=row["attempts"],
        next_attempt_at=row["next_attempt_at"],
        last_status=row["last_status"],
        created_at=row["created_at"],
    )
