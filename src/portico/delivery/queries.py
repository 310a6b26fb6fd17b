"""All SQL of deliveries."""

from sqlalchemy import bindparam, delete, func, insert, select, update

from portico.delivery.tables import deliveries
from portico.store import Statement

PER_HOST_MAX = 2

INSERT = Statement(
    insert(deliveries).values(
        id=bindparam("id"),
        account_id=bindparam("account_id"),
        task_id=bindparam("task_id"),
        url=bindparam("url"),
        host=bindparam("host"),
        state="pending",
        next_attempt_at=bindparam("created_at"),
        created_at=bindparam("created_at"),
    )
)
# at most two a host, so that one slow receiver cannot fill the page
_ranked = (
    select(
        deliveries,
        func.row_number()
        .over(partition_by=deliveries.c.host, order_by=deliveries.c.next_attempt_at)
        .label("place"),
    )
    .where(deliveries.c.state == "pending", deliveries.c.next_attempt_at <= bindparam("now"))
    .subquery()
)
DUE = Statement(
    select(_ranked)
    .where(_ranked.c.place <= PER_HOST_MAX)
    .order_by(_ranked.c.next_attempt_at)
    .limit(bindparam("limit"))
)
BY_ID = Statement(select(deliveries).where(deliveries.c.id == bindparam("delivery_id")))
OF_TASK = Statement(
    select(deliveries)
    .where(deliveries.c.task_id == bindparam("task_id"))
    .order_by(deliveries.c.created_at)
)
RECORD = Statement(
    update(deliveries)
    .where(deliveries.c.id == bindparam("delivery_id"), deliveries.c.state == "pending")
    .values(
        state=bindparam("new_state"),
        attempts=deliveries.c.attempts + 1,
        next_attempt_at=bindparam("next_at"),
        last_status=bindparam("status"),
    )
)
REPLAY = Statement(
    update(deliveries)
    .where(deliveries.c.id == bindparam("delivery_id"), deliveries.c.state != "pending")
    .values(state="pending", attempts=0, next_attempt_at=bindparam("now"))
)
OWED_OF_TASK = Statement(
    select(deliveries.c.id)
    .where(deliveries.c.task_id == bindparam("of_task"), deliveries.c.state == "pending")
    .limit(1)
)
REMOVE_OF_TASK = Statement(delete(deliveries).where(deliveries.c.task_id == bindparam("of_task")))
