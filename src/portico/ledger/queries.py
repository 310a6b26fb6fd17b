"""All SQL of the ledger."""

from sqlalchemy import bindparam, case, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or_nothing

from portico.ledger.tables import balances, holds, ledger_entries
from portico.store import Statement

_hold_values = {
    "task_id": bindparam("task_id"),
    "account_id": bindparam("account_id"),
    "amount": bindparam("amount"),
    "state": bindparam("state"),
    "opened_at": bindparam("at"),
}
INSERT_HOLD = Statement(
    insert_or_nothing(holds)
    .values(_hold_values)
    .on_conflict_do_nothing(index_elements=["task_id"])
)
TAKE_AVAILABLE = Statement(
    update(balances)
    .where(
        balances.c.account_id == bindparam("holder"),
        balances.c.available >= bindparam("amount"),
    )
    .values(
        available=balances.c.available - bindparam("amount"),
        held=balances.c.held + bindparam("amount"),
    )
    .returning(balances.c.available)
)
CLOSE_HOLD = Statement(
    update(holds)
    .where(holds.c.task_id == bindparam("held_task"), holds.c.state == "open")
    .values(
        state=bindparam("new_state"),
        captured=case(
            (holds.c.amount < bindparam("spent"), holds.c.amount),
            else_=bindparam("spent"),
        ),
    )
    .returning(holds.c.account_id, holds.c.amount, holds.c.captured)
)
MOVE = Statement(
    update(balances)
    .where(balances.c.account_id == bindparam("holder"))
    .values(
        available=balances.c.available + bindparam("available_delta"),
        held=balances.c.held + bindparam("held_delta"),
    )
)
INSERT_ENTRY = Statement(
    insert(ledger_entries)
    .values(
        account_id=bindparam("account_id"),
        kind=bindparam("kind"),
        task_id=bindparam("task_id"),
        available_delta=bindparam("available_delta"),
        held_delta=bindparam("held_delta"),
        house_delta=bindparam("house_delta"),
        book=bindparam("book"),
        reason=bindparam("reason"),
        at=bindparam("at"),
    )
    .inline()
)
INSERT_BALANCE = Statement(
    insert(balances).values(account_id=bindparam("account_id"), available=0, held=0)
)
BALANCE = Statement(
    select(balances.c.available, balances.c.held).where(
        balances.c.account_id == bindparam("account_id")
    )
)
ENTRIES_OF = Statement(
    select(ledger_entries)
    .where(
        ledger_entries.c.account_id == bindparam("account_id"),
        ledger_entries.c.id < bindparam("before_id"),
    )
    .order_by(ledger_entries.c.id.desc())
    .limit(bindparam("limit"))
)

_sums = (
    select(
        ledger_entries.c.account_id,
        func.sum(ledger_entries.c.available_delta).label("available"),
        func.sum(ledger_entries.c.held_delta).label("held"),
    )
    .group_by(ledger_entries.c.account_id)
    .subquery()
)
WRONG_BALANCES = Statement(
    select(
        balances.c.account_id,
        balances.c.available,
        balances.c.held,
        func.coalesce(_sums.c.available, 0).label("available_sum"),
        func.coalesce(_sums.c.held, 0).label("held_sum"),
    )
    .select_from(balances.outerjoin(_sums, _sums.c.account_id == balances.c.account_id))
    .where(
        (balances.c.available != func.coalesce(_sums.c.available, 0))
        | (balances.c.held != func.coalesce(_sums.c.held, 0))
    )
)
UNBALANCED_ENTRIES = Statement(
    select(
        ledger_entries.c.account_id,
        (
            ledger_entries.c.available_delta
            + ledger_entries.c.held_delta
            + ledger_entries.c.house_delta
        ).label("total"),
    ).where(
        ledger_entries.c.available_delta
        + ledger_entries.c.held_delta
        + ledger_entries.c.house_delta
        != 0
    )
)
_open = (
    select(holds.c.account_id, func.sum(holds.c.amount).label("amount"))
    .where(holds.c.state == "open")
    .group_by(holds.c.account_id)
    .subquery()
)
WRONG_HELD = Statement(
    select(
        balances.c.account_id,
        balances.c.held,
        func.coalesce(_open.c.amount, 0).label("open_holds"),
    )
    .select_from(balances.outerjoin(_open, _open.c.account_id == balances.c.account_id))
    .where(balances.c.held != func.coalesce(_open.c.amount, 0))
)
_spent = (
    select(
        ledger_entries.c.task_id, func.sum(ledger_entries.c.house_delta).label("house")
    )
    .where(ledger_entries.c.task_id.is_not(None))
    .group_by(ledger_entries.c.task_id)
    .subquery()
)
WRONG_CAPTURES = Statement(
    select(
        holds.c.account_id,
        holds.c.captured,
        func.coalesce(_spent.c.house, 0).label("house"),
    )
    .select_from(holds.outerjoin(_spent, _spent.c.task_id == holds.c.task_id))
    .where(holds.c.captured != func.coalesce(_spent.c.house, 0))
)
