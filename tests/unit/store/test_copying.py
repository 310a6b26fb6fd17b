"""Rows on their way: the same order and digest on both kinds, some at a time, to the last bit."""

import sqlite3
from typing import Any

from sqlalchemy import literal, update
from sqlalchemy.dialects import sqlite as sqlite_dialect

from portico.store import Statement, open_store
from portico.store.copying import (
    BATCH,
    TableSum,
    _in_order,
    all_tables,
    count_rows,
    different,
    read_table,
)
from portico.testing import add_account, make_database
from tests.full_rows import ACCOUNTS, TABLES, fill


def sums(tx) -> list[TableSum]:
    return [read_table(tx, table, lambda rows: None) for table in all_tables()]


async def test_rows_come_in_the_order_of_their_bytes(store):
    await store.write(fill)
    rows: list[tuple[Any, ...]] = []
    await store.survey(lambda tx: read_table(tx, TABLES["accounts"], rows.extend))
    assert [row[0] for row in rows] == sorted(ACCOUNTS, key=str.encode)


async def test_both_kinds_agree_on_every_digest(tmp_path, postgres):
    make_database(tmp_path / "a.db")
    found = []
    for url in (f"sqlite:///{tmp_path / 'a.db'}", postgres.emptied()):
        store = await open_store(url)
        await store.write(fill)
        found.append(await store.survey(sums))
        await store.close()
    assert different(*found) == []
    assert [each.table for each in found[0] if not each.rows] == []


async def test_large_table_passes_in_batches(store):
    ids = [f"acc_{number}" for number in range(2 * BATCH + 1)]
    await store.write(lambda tx: [add_account(tx, each) for each in ids] and None)
    sizes = []
    found = await store.survey(
        lambda tx: read_table(tx, TABLES["accounts"], lambda rows: sizes.append(len(rows)))
    )
    assert (found.rows, sizes) == (2 * BATCH + 1, [BATCH, BATCH, 1])
    assert (await store.survey(count_rows))["accounts"] == found.rows


async def test_one_changed_letter_changes_the_digest(store):
    await store.write(fill)
    before = await store.survey(sums)
    accounts = TABLES["accounts"]
    change = update(accounts).where(accounts.c.id == literal("acc_a")).values(email="b")
    await store.write(lambda tx: tx.execute(Statement(change)))
    assert different(before, await store.survey(sums)) == ["accounts"]


def test_missing_table_is_a_difference():
    assert different([TableSum("tasks", 0, "")], []) == ["tasks"]


def test_sqlite_sorts_no_table_in_memory(tmp_path):
    make_database(tmp_path / "a.db")
    connection = sqlite3.connect(tmp_path / "a.db")
    plans = {
        table.name: connection.execute(
            f"EXPLAIN QUERY PLAN {_in_order(table).compile(dialect=sqlite_dialect.dialect())}"
        ).fetchall()
        for table in all_tables()
    }
    connection.close()
    assert [name for name, plan in plans.items() if len(plan) != 1] == []


def test_every_row_can_be_added_after_what_it_points_at():
    # rows go in the order of their key: none may point at a later one of the same table
    seen: set[str] = set()
    for table in all_tables():
        assert {key.column.table.name for key in table.foreign_keys} <= seen, table.name
        seen.add(table.name)


def test_columns_hold_whole_numbers_and_texts_alone():
    # drivers disagree about other types, and so would the digests
    types = {column.type.python_type for table in all_tables() for column in table.columns}
    assert types == {int, str}
