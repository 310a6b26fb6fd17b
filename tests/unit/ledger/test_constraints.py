"""The database itself refuses what must never be, whatever the code above it does."""

import pytest

from portico import ledger
from portico.store.open import is_postgres
from portico.testing import START, add_account
from tests.raw_sql import FOREIGN_KEY, REFUSED, raw_sql

ENTRY = (
    "INSERT INTO ledger_entries (account_id, kind, task_id, available_delta, held_delta,"
    " house_delta, book, reason, at) VALUES ('acc_a', {}, {}, {}, {}, {}, 'none', '', 0)"
)


@pytest.fixture
async def sql(store, database):
    """A plain connection to a store with one account, 1,000 available, 300 held for task 1."""

    def work(tx):
        add_account(tx, "acc_a", amount=1_300)
        ledger.hold(tx, "acc_a", amount=300, task_id=1, at=START)

    await store.write(work)
    async with raw_sql(database) as connected:
        yield connected


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("UPDATE balances SET available = -1", "ck_balances_available"),
        ("UPDATE balances SET held = -1", "ck_balances_held"),
        ("UPDATE holds SET captured = 301", "ck_holds_amount"),
        ("UPDATE holds SET captured = -1", "ck_holds_amount"),
        ("UPDATE holds SET amount = -1", "ck_holds_amount"),
        ("UPDATE holds SET state = 'lost'", "ck_holds_state"),
        ("INSERT INTO holds VALUES (1, 'acc_a', 5, 0, 'open', 0)", r"holds(\.task_id|_pkey)"),
        ("INSERT INTO holds VALUES (2, 'acc_x', 5, 0, 'open', 0)", FOREIGN_KEY),
        ("INSERT INTO balances VALUES ('acc_x', 5, 0)", FOREIGN_KEY),
        ("INSERT INTO balances VALUES ('acc_a', 5, 0)", r"balances(\.account_id|_pkey)"),
        ("UPDATE ledger_entries SET reason = 'x'", "append-only"),
        ("UPDATE ledger_entries SET available_delta = 0, house_delta = 0", "append-only"),
        ("DELETE FROM ledger_entries", "append-only"),
        ("DELETE FROM ledger_entries WHERE id = 1", "append-only"),
        ("DELETE FROM accounts", FOREIGN_KEY),
    ],
)
async def test_statement_is_refused(sql, statement, name):
    with pytest.raises(REFUSED, match=name):
        await sql.execute(statement)


async def test_entry_that_does_not_sum_to_zero_is_refused(sql):
    with pytest.raises(REFUSED, match="ck_ledger_entries_sum"):
        await sql.execute(ENTRY.format("'top_up'", "NULL", 5, 0, -4))


async def test_second_entry_of_a_kind_for_one_task_is_refused(sql):
    with pytest.raises(REFUSED, match=r"(?i)unique"):
        await sql.execute(ENTRY.format("'hold'", 1, -5, 5, 0))


async def test_entries_without_a_task_may_repeat(sql):
    for _ in range(2):
        assert await sql.execute(ENTRY.format("'top_up'", "NULL", 5, 0, -5)) == 1


@pytest.mark.parametrize("way", ["REPLACE", "ON CONFLICT", "TRUNCATE"])
async def test_replacing_an_entry_is_refused(sql, database, way):
    if way == ("REPLACE" if is_postgres(database) else "TRUNCATE"):
        return  # the other kind's own
    insert = " INTO ledger_entries VALUES (1, 'acc_a', 'top_up', NULL, 9, 0, -9, 'issued', '', 0)"
    statement = {
        "REPLACE": "INSERT OR REPLACE" + insert,
        "ON CONFLICT": f"INSERT{insert} ON CONFLICT (id) DO UPDATE SET available_delta = 9",
        "TRUNCATE": "TRUNCATE ledger_entries",
    }[way]
    with pytest.raises(REFUSED, match="append-only"):
        await sql.execute(statement)


async def test_refused_statements_left_everything_as_it_was(sql):
    with pytest.raises(REFUSED):
        await sql.execute("DELETE FROM ledger_entries")
    sums = "SELECT sum(available_delta), sum(held_delta), sum(house_delta) FROM ledger_entries"
    assert await sql.row(sums) == (1_000, 300, -1_300)
