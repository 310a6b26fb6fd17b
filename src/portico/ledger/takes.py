"""Many holds in one statement: what `TAKE_AVAILABLE` decides one by one, for a set of calls."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Text, bindparam, column, func, select, update

from portico.ledger.tables import balances, holds
from portico.store import Row, Statement, Tx
from portico.store.draws import draw

_taken = (
    func.unnest(
        bindparam("holders", type_=ARRAY(Text)), bindparam("amounts", type_=ARRAY(BigInteger))
    )
    .table_valued(column("holder", Text), column("amount", BigInteger), name="taken")
    .render_derived()
)
_TAKE = Statement(
    update(balances)
    .where(balances.c.account_id == _taken.c.holder, balances.c.available >= _taken.c.amount)
    .values(
        available=balances.c.available - _taken.c.amount,
        held=balances.c.held + _taken.c.amount,
    )
    .returning(balances.c.account_id, balances.c.available)
)
_AVAILABLE = Statement(
    select(balances.c.account_id, balances.c.available).where(
        balances.c.account_id == func.any(bindparam("holders", type_=ARRAY(Text)))
    )
)
_HELD_BEFORE = Statement(
    select(holds.c.task_id).where(
        holds.c.task_id == func.any(bindparam("task_ids", type_=ARRAY(BigInteger)))
    )
)


def take_together(tx: Tx, calls: Sequence[Mapping[str, Any]]) -> list[dict[str, int] | None]:
    """Answer calls of `TAKE_AVAILABLE` as if they came one after the other; Postgres only."""
    task_ids = [call["task_id"] for call in calls]
    before = {row["task_id"] for row in tx.rows(_HELD_BEFORE, task_ids=task_ids)}
    asked = [(c["holder"], c["amount"]) for c in calls if c["task_id"] not in before]

    def take(sums: Mapping[str, int]) -> Mapping[str, int]:
        return _by_account(tx.rows(_TAKE, holders=list(sums), amounts=list(sums.values())))

    def left_in(holders: Sequence[str]) -> Mapping[str, int]:
        return _by_account(tx.rows(_AVAILABLE, holders=holders))

    after = iter(draw(asked, take=take, left_in=left_in) if asked else ())
    answers = [None if call["task_id"] in before else next(after) for call in calls]
    return [None if left is None else {"available": left} for left in answers]


def _by_account(rows: Sequence[Row]) -> dict[str, int]:
    return {row["account_id"]: row["available"] for row in rows}
