"""`verify` finds every kind of tampering that the constraints can be switched off for."""

import pytest

from portico import ledger
from portico.testing import START, add_account
from tests.raw_sql import raw_sql

# task 3's closed hold now stands for task 1's open one; the account's own sums still agree
SWAPPED = (
    "UPDATE holds SET amount = 100, state = CASE task_id WHEN 1 THEN 'released' ELSE 'open' END"
    " WHERE task_id IN (1, 3)"
)


@pytest.fixture
async def sql(store, database):
    """An unguarded connection: tasks 1 open, 2 captured in part, 3 released, and account b."""

    def work(tx):
        add_account(tx, "acc_a", amount=1_000)
        add_account(tx, "acc_b", amount=1_000)
        for task_id in (1, 2, 3):
            ledger.hold(tx, "acc_a", amount=100 * task_id, task_id=task_id, at=START)
        ledger.capture(tx, 2, amount=150, at=START)
        ledger.release(tx, 3, at=START)

    await store.write(work)
    async with raw_sql(database) as connected:
        await connected.unguard()
        yield connected


async def found(sql):
    return {difference.what for difference in await sql.look(ledger.verify)}


async def test_sound_ledger_has_no_difference(sql):
    assert await found(sql) == set()


@pytest.mark.parametrize(
    ("tampering", "what"),
    [
        ("UPDATE balances SET available = available + 1", "available"),
        ("UPDATE balances SET available = -5", "available"),
        ("UPDATE balances SET held = held + 1", "held"),
        ("UPDATE balances SET available = available + 5, held = held - 5", "held"),
        ("DELETE FROM balances WHERE account_id = 'acc_b'", "no balance"),
        ("DELETE FROM ledger_entries WHERE kind = 'top_up'", "available"),
        ("DELETE FROM ledger_entries WHERE kind = 'release'", "held"),
        ("DELETE FROM ledger_entries WHERE kind = 'capture'", "captured against entries"),
        (
            "UPDATE ledger_entries SET house_delta = house_delta + 1 WHERE task_id = 2",
            "entry does not sum to zero",
        ),
        ("UPDATE ledger_entries SET available_delta = 9999 WHERE id = 1", "available"),
        ("UPDATE ledger_entries SET account_id = 'acc_b' WHERE task_id = 2", "available"),
        ("UPDATE ledger_entries SET task_id = 9 WHERE task_id = 3", "no hold for entries"),
        ("UPDATE holds SET state = 'released' WHERE task_id = 1", "held against open holds"),
        ("UPDATE holds SET state = 'open' WHERE task_id = 3", "held against open holds"),
        ("UPDATE holds SET amount = 1 WHERE task_id = 3", "hold against entries"),
        ("UPDATE holds SET amount = 1 WHERE task_id = 1", "held against open holds"),
        ("UPDATE holds SET captured = 151 WHERE task_id = 2", "captured against entries"),
        ("UPDATE holds SET account_id = 'acc_b' WHERE task_id = 2", "no hold for entries"),
        ("DELETE FROM holds WHERE task_id = 2", "no hold for entries"),
        (
            "INSERT INTO holds VALUES (7, 'acc_a', 5, 0, 'open', 0)",
            "open hold against entries",
        ),
        (
            SWAPPED,
            "open hold against entries",
        ),
    ],
)
async def test_tampering_is_found(sql, tampering, what):
    assert await sql.execute(tampering)
    assert what in await found(sql)


async def test_difference_names_account_and_both_amounts(sql):
    await sql.execute("UPDATE balances SET available = 999 WHERE account_id = 'acc_b'")
    (difference,) = await sql.look(ledger.verify)
    assert (difference.what, difference.account_id) == ("available", "acc_b")
    assert (difference.stored, difference.computed) == (999, 1_000)
