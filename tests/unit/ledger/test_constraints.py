"""The database itself refuses what must never be, whatever the code above it does."""

import sqlite3

import pytest

from portico import ledger
from portico.store.sqlite import connect
from portico.testing import START, add_account, open_test_store

ENTRY = (
    "INSERT INTO ledger_entries (account_id, kind, task_id, available_delta, held_delta,"
    " house_delta, book, reason, at) VALUES ('acc_a', ?, ?, ?, ?, ?, 'none', '', 0)"
)


@pytest.fixture
async def sql(tmp_path):
    """A plain connection to a store with one account, 1,000 available, 300 held for task 1."""
    store = await open_test_store(tmp_path)

    def work(tx):
        add_account(tx, "acc_a", amount=1_300)
        ledger.hold(tx, "acc_a", amount=300, task_id=1, at=START)

    await store.write(work)
    await store.close()
    connection = connect(tmp_path / "test.db")
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("UPDATE balances SET available = -1", "ck_balances_available"),
        ("UPDATE balances SET held = -1", "ck_balances_held"),
        ("UPDATE holds SET captured = 301", "ck_holds_amount"),
        ("UPDATE holds SET captured = -1", "ck_holds_amount"),
        ("UPDATE holds SET amount = -1", "ck_holds_amount"),
        ("UPDATE holds SET state = 'lost'", "ck_holds_state"),
        ("INSERT INTO holds VALUES (1, 'acc_a', 5, 0, 'open', 0)", "holds.task_id"),
        ("INSERT INTO holds VALUES (2, 'acc_x', 5, 0, 'open', 0)", "FOREIGN KEY"),
        ("INSERT INTO balances VALUES ('acc_x', 5, 0)", "FOREIGN KEY"),
        ("INSERT INTO balances VALUES ('acc_a', 5, 0)", "balances.account_id"),
        ("UPDATE ledger_entries SET reason = 'x'", "append-only"),
        ("UPDATE ledger_entries SET available_delta = 0, house_delta = 0", "append-only"),
        ("DELETE FROM ledger_entries", "append-only"),
        ("DELETE FROM ledger_entries WHERE id = 1", "append-only"),
        ("DELETE FROM accounts", "FOREIGN KEY"),
    ],
)
def test_statement_is_refused(sql, statement, name):
    with pytest.raises(sqlite3.IntegrityError, match=name):
        sql.execute(statement)


def test_entry_that_does_not_sum_to_zero_is_refused(sql):
    with pytest.raises(sqlite3.IntegrityError, match="ck_ledger_entries_sum"):
        sql.execute(ENTRY, ("top_up", None, 5, 0, -4))


def test_second_entry_of_a_kind_for_one_task_is_refused(sql):
    with pytest.raises(sqlite3.IntegrityError, match=r"ledger_entries\.task_id"):
        sql.execute(ENTRY, ("hold", 1, -5, 5, 0))


def test_entries_without_a_task_may_repeat(sql):
    for _ in range(2):
        sql.execute(ENTRY, ("top_up", None, 5, 0, -5))


def test_replacing_an_entry_is_refused(sql):
    with pytest.raises(sqlite3.IntegrityError):
        sql.execute(
            "INSERT OR REPLACE INTO ledger_entries VALUES"
            " (1, 'acc_a', 'top_up', NULL, 9, 0, -9, 'issued', '', 0)"
        )


def test_refused_statements_left_everything_as_it_was(sql):
    with pytest.raises(sqlite3.IntegrityError):
        sql.execute("DELETE FROM ledger_entries")
    sums = "SELECT sum(available_delta), sum(held_delta), sum(house_delta) FROM ledger_entries"
    assert tuple(sql.execute(sums).fetchone()) == (1_000, 300, -1_300)
