"""Many commitments in one statement: what `COMMIT_SPEND` decides one by one, for a set of calls."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Text, bindparam, column, func, select, update

from portico.accounts.tables import api_keys
from portico.store import Row, Statement, Tx
from portico.store.draws import draw

_asked = (
    func.unnest(
        bindparam("key_ids", type_=ARRAY(Text)), bindparam("amounts", type_=ARRAY(BigInteger))
    )
    .table_valued(column("key_id", Text), column("amount", BigInteger), name="asked")
    .render_derived()
)
_left = (api_keys.c.credits_max - api_keys.c.spent).label("left")
_COMMIT = Statement(
    update(api_keys)
    .where(
        api_keys.c.id == _asked.c.key_id,
        api_keys.c.spent + _asked.c.amount <= api_keys.c.credits_max,
    )
    .values(spent=api_keys.c.spent + _asked.c.amount)
    .returning(api_keys.c.id, _left)
)
_LEFT = Statement(
    select(api_keys.c.id, _left).where(
        api_keys.c.id == func.any(bindparam("key_ids", type_=ARRAY(Text))),
        api_keys.c.credits_max.is_not(None),
    )
)


def commit_together(tx: Tx, calls: Sequence[Mapping[str, Any]]) -> list[dict[str, int] | None]:
    """Answer calls of `COMMIT_SPEND` as if they came one after the other; Postgres only."""

    def take(sums: Mapping[str, int]) -> Mapping[str, int]:
        return _by_key(tx.rows(_COMMIT, key_ids=list(sums), amounts=list(sums.values())))

    def left_in(key_ids: Sequence[str]) -> Mapping[str, int]:
        return _by_key(tx.rows(_LEFT, key_ids=key_ids))

    asked = [(call["key_id"], call["amount"]) for call in calls]
    after = draw(asked, take=take, left_in=left_in)
    return [None if left is None else {} for left in after]


def _by_key(rows: Sequence[Row]) -> dict[str, int]:
    return {row["id"]: row["left"] for row in rows}
