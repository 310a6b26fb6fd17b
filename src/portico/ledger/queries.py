"""All SQL of the ledger."""

from sqlalchemy import and_, bindparam, case, exists, func, insert, or_, select, update

from portico.ledger.tables import balances, holds, ledger_entries
from portico.ledger.takes import take_together
from portico.store import Statement

# one statement decides: enough is there, and the task has no hold yet
TAKE_AVAILABLE = Statement(
    update(balances)
    .where(
        balances.c.account_id == bindparam("holder"),
        balances.c.available >= bindparam("amount"),
        ~exists().where(holds.c.task_id == bindparam("task_id")),
    )
    .values(
        available=balances.c.available - bindparam("amount"),
        held=balances.c.held + bindparam("amount"),
    )
    .returning(balances.c.available),
    together=take_together,
)
INSERT_HOLD = Statement(
    insert(holds)
    .values(
        task_id=bindparam("task_id"),
        account_id=bindparam("account_id"),
        amount=bindparam("amount"),
        state=bindparam("state"),
        opened_at=bindparam("at"),
    )
    .inline()
)
HOLD_OF = Statement(select(holds.c.state).where(holds.c.task_id == bindparam("task_id")))
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
    ),
    adds=("available_delta", "held_delta"),
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
LOST_BALANCES = Statement(  # entries of an account that has no balance
    select(_sums.c.account_id, _sums.c.available, _sums.c.held)
    .select_from(_sums.outerjoin(balances, _sums.c.account_id == balances.c.account_id))
    .where(balances.c.account_id.is_(None))
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
_of_task = (
    select(
        ledger_entries.c.task_id,
        ledger_entries.c.account_id,
        func.sum(
            case((ledger_entries.c.kind == "hold", ledger_entries.c.held_delta), else_=0)
        ).label("opened"),
        func.sum(ledger_entries.c.held_delta).label("held"),
        func.sum(ledger_entries.c.house_delta).label("house"),
    )
    .where(ledger_entries.c.task_id.is_not(None))
    .group_by(ledger_entries.c.task_id, ledger_entries.c.account_id)
    .subquery()
)
_same_task = and_(
    _of_task.c.task_id == holds.c.task_id, _of_task.c.account_id == holds.c.account_id
)
_opened = func.coalesce(_of_task.c.opened, 0)
_still_held = func.coalesce(_of_task.c.held, 0)
_house = func.coalesce(_of_task.c.house, 0)
_kept_open = case((holds.c.state == "open", holds.c.amount), else_=0)
WRONG_HOLDS = Statement(
    select(
        holds.c.account_id,
        holds.c.amount,
        _opened.label("opened"),
        _kept_open.label("kept_open"),
        _still_held.label("still_held"),
        holds.c.captured,
        _house.label("house"),
    )
    .select_from(holds.outerjoin(_of_task, _same_task))
    .where(
        or_(
            holds.c.amount != _opened,
            _kept_open != _still_held,
            holds.c.captured != _house,
        )
    )
)
LOST_HOLDS = Statement(  # entries for a task that holds nothing, or holds it for somebody else
    select(_of_task.c.account_id, _of_task.c.opened, _of_task.c.held, _of_task.c.house)
    .select_from(_of_task.outerjoin(holds, _same_task))
    .where(holds.c.task_id.is_(None))
)
