"""What a refusal must leave alone: the money, the movements, the tasks, the remembered keys."""

from typing import NamedTuple

from httpx2 import Response
from sqlalchemy import func, select

from portico.ledger.tables import balances, ledger_entries
from portico.store import Statement, Tx
from portico.tasks.tables import requests, tasks
from tests.contract.gateways import Wired
from tests.hostile.shapes import check_refusal
from tests.hostile.surface import Door

FIRST_ERROR = 400


class Standing(NamedTuple):
    """All that money and admission ever write."""

    available: int
    tasks: int
    keys: int  # idempotency keys that are remembered

    def __str__(self) -> str:
        return f"{self.available} microcredits, {self.tasks} tasks, {self.keys} keys"


_AVAILABLE = Statement(select(func.sum(balances.c.available).label("number")))
_HELD = Statement(select(func.sum(balances.c.held).label("number")))
_TASKS = Statement(select(func.count().label("number")).select_from(tasks))
_KEYS = Statement(select(func.count().label("number")).select_from(requests))
_ENTRIES = Statement(select(func.count().label("number")).select_from(ledger_entries))


async def standing(gateway: Wired) -> Standing:
    """Read how things stand, over all accounts."""

    def look(tx: Tx) -> Standing:
        return Standing(_number(tx, _AVAILABLE), _number(tx, _TASKS), _number(tx, _KEYS))

    return await gateway.gateway.store.read(look)


async def held(gateway: Wired) -> int:
    """Return what is held, over all accounts."""
    return await gateway.gateway.store.read(lambda tx: _number(tx, _HELD))


async def entries(gateway: Wired) -> int:
    """Count all movements of money."""
    return await gateway.gateway.store.read(lambda tx: _number(tx, _ENTRIES))


async def judge(
    gateway: Wired, door: Door, answer: Response, before: Standing, *, may_work: bool = True
) -> int:
    """Check what an odd request got: a refusal in shape that cost nothing, or a sound answer."""
    assert answer.headers["x-request-id"]
    if answer.status_code < FIRST_ERROR:
        assert may_work, (str(door), answer.status_code, answer.text)
        return answer.status_code
    check_refusal(door.dialect, answer)
    assert await standing(gateway) == before, (str(door), answer.text)
    return answer.status_code


def _number(tx: Tx, statement: Statement) -> int:
    row = tx.one(statement)
    return int(row["number"]) if row is not None else 0
