"""A whole database copied into another: all of it and the same, or nothing at all."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import literal, update

from portico import ledger
from portico.core import faults
from portico.core.errors import PorticoError
from portico.flows.administer import differences
from portico.flows.move import move
from portico.store import Statement, open_store
from portico.store.copying import count_rows
from portico.store.open import is_postgres, sqlite_path
from portico.store.postgres_target import PostgresTarget, open_postgres_target
from portico.store.sqlite_target import SqliteTarget
from portico.testing import START, make_database
from tests.full_rows import ACCOUNTS, TABLES, add_row, fill, in_thread, row_values


@asynccontextmanager
async def opened(url):
    store = await open_store(url)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture(params=["sqlite", "postgres"])
async def goal(request, tmp_path):
    """The URL of another migrated, empty database, of either kind."""
    if request.param == "sqlite":
        make_database(tmp_path / "goal.db")
        yield f"sqlite:///{tmp_path / 'goal.db'}"
        return
    server = request.getfixturevalue("postgres")
    url = server.fresh()
    yield url
    server.drop(url)


async def copy(source, goal, **options: Any):
    to = await open_postgres_target(goal) if is_postgres(goal) else SqliteTarget(sqlite_path(goal))
    try:
        async with opened(source) as store:
            return await move(store, to, **{"tell": lambda *_: None} | options)
    finally:
        await to.close()


async def change(url, work):
    async with opened(url) as store:
        return await store.write(work)


async def look(url, work):
    async with opened(url) as store:
        return await store.survey(work)


async def cut_off(url):
    """End every connection to a database, as a server that stops does."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()


async def is_empty(url):
    return not any((await look(url, count_rows)).values())


async def test_copy_there_and_back_is_the_same_to_the_last_row(database, goal, tmp_path):
    await change(database, fill)
    back = tmp_path / "back.db"
    make_database(back)
    moved = await copy(database, goal)
    again = await copy(goal, f"sqlite:///{back}")

    rows = await look(database, row_values)
    assert await look(goal, row_values) == rows
    assert await look(f"sqlite:///{back}", row_values) == rows
    assert {each.table: each.rows for each in moved.tables} == {
        name: len(found) for name, found in rows.items()
    }
    assert [name for name, found in rows.items() if not found] == []
    assert moved == again
    assert not moved.left_behind


async def test_new_rows_after_the_copy_get_numbers_of_their_own(database, goal):
    await change(database, fill)
    await copy(database, goal)
    before = {row[0] for row in (await look(goal, row_values))["ledger_entries"]}

    def top_up(tx):
        return ledger.top_up(tx, ACCOUNTS[0], amount=1, reason="new", at=START)

    await change(goal, top_up)
    after = {row[0] for row in (await look(goal, row_values))["ledger_entries"]}
    assert after - before == {max(before) + 1}
    assert await look(goal, differences) == []


async def test_empty_database_is_copied_and_can_be_filled(database, goal):
    await copy(database, goal)
    await change(goal, fill)
    assert await look(goal, differences) == []


async def test_ledger_of_the_copy_still_refuses_changes(database, goal):
    await change(database, fill)
    await copy(database, goal)
    entries = TABLES["ledger_entries"]
    with pytest.raises(Exception, match="append-only"):
        await change(goal, lambda tx: tx.execute(Statement(update(entries).values(at=literal(1)))))


async def test_target_with_a_row_is_refused_and_left_alone(database, goal):
    await change(database, fill)
    await change(goal, lambda tx: add_row(tx, "accounts", **ACCOUNT))
    with pytest.raises(PorticoError, match="the target is not empty: there are rows in accounts"):
        await copy(database, goal)
    assert (await look(goal, row_values))["accounts"] == [tuple(ACCOUNT.values())]


async def test_source_whose_money_is_wrong_is_refused(database, goal):
    def spoil(tx):
        fill(tx)
        tx.execute(Statement(update(TABLES["balances"]).values(available=literal(1))))

    await change(database, spoil)
    with pytest.raises(PorticoError, match="the ledger of the source does not add up"):
        await copy(database, goal)
    assert await is_empty(goal)


async def test_copy_that_differs_is_not_kept(database, goal, monkeypatch):
    await change(database, fill)
    kind = PostgresTarget if is_postgres(goal) else SqliteTarget
    insert = kind.insert

    async def spoil(target, table, rows):
        if table.name == "requests":
            rows = [(*row[:-1], row[-1] + 1) for row in rows]
        await insert(target, table, rows)

    monkeypatch.setattr(kind, "insert", spoil)
    with pytest.raises(PorticoError, match="the copy is not the same in requests"):
        await copy(database, goal)
    assert await is_empty(goal)


async def test_source_that_changes_meanwhile_is_refused(database, goal):
    await change(database, fill)
    with pytest.raises(PorticoError, match="changed meanwhile"):
        await copy(database, goal, tell=_adding_to(database))
    assert await is_empty(goal)


async def test_what_comes_after_the_moment_stays_behind_when_that_is_asked_for(database, goal):
    await change(database, fill)
    rows = await look(database, row_values)
    moved = await copy(database, goal, tell=_adding_to(database), may_change=True)
    assert moved.left_behind
    assert await look(goal, row_values) == rows


@pytest.mark.parametrize("point", ["copy.after_batch", "copy.before_commit"])
async def test_failure_on_the_way_leaves_the_target_empty_and_a_second_try_works(
    database, goal, point
):
    await change(database, fill)

    def fail(reached):
        if reached == point:
            raise OSError(reached)

    faults.arm(fail)
    try:
        with pytest.raises((OSError, PorticoError)):
            await copy(database, goal)
    finally:
        faults.arm(None)
    assert await is_empty(goal)
    await copy(database, goal)
    assert await look(goal, row_values) == await look(database, row_values)


async def test_progress_goes_over_all_rows_twice(database, goal):
    await change(database, fill)
    told = []
    moved = await copy(database, goal, tell=lambda *step: told.append(step))
    rows = sum(each.rows for each in moved.tables)
    assert [step for step in told if step[1] == step[2]] == [
        ("copying", rows, rows),
        ("checking", rows, rows),
    ]


async def test_text_that_postgres_cannot_hold_is_refused_without_being_shown(tmp_path, postgres):
    make_database(tmp_path / "a.db")
    source, goal = f"sqlite:///{tmp_path / 'a.db'}", postgres.emptied()
    secret = {**ACCOUNT, "email": "secret\0"}
    await change(source, lambda tx: add_row(tx, "accounts", **secret))
    with pytest.raises(PorticoError, match=r"accounts cannot be written \(.*0x00\)") as refused:
        await copy(source, goal)
    assert "secret" not in str(refused.value)


async def test_value_of_another_type_is_refused_without_being_shown(tmp_path, postgres):
    make_database(tmp_path / "a.db")
    source, goal = f"sqlite:///{tmp_path / 'a.db'}", postgres.emptied()
    odd = {**ACCOUNT, "created_at": "secret"}  # SQLite keeps what it cannot convert
    await change(source, lambda tx: add_row(tx, "accounts", **odd))
    with pytest.raises(PorticoError, match="accounts cannot be written") as refused:
        await copy(source, goal)
    assert "secret" not in str(refused.value)


ACCOUNT = {
    "id": "acc_1",
    "email": "a@example.com",
    "status": "active",
    "is_operator": 0,
    "created_at": 1,
}


def _adding_to(url):
    """Return a listener that, once, adds an account to a database, as another process would."""
    left = [True]

    def tell(*_: object):
        if left and left.pop():
            in_thread(change(url, lambda tx: add_row(tx, "accounts", **ACCOUNT)))

    return tell


async def test_target_that_cuts_us_off_is_one_clear_refusal_and_stays_empty(database, postgres):
    await change(database, fill)
    goal = postgres.fresh()

    def tell(*_: object):
        in_thread(cut_off(goal))

    with pytest.raises(PorticoError, match="cannot be written"):
        await copy(database, goal, tell=tell)
    assert await is_empty(goal)
    postgres.drop(goal)


async def test_interrupted_copy_lets_go_and_leaves_the_target_empty(database, goal):
    await change(database, fill)
    loop = asyncio.get_running_loop()

    def tell(*_: object):
        loop.call_soon_threadsafe(copying.cancel)

    copying = asyncio.create_task(copy(database, goal, tell=tell))
    with pytest.raises((asyncio.CancelledError, PorticoError)):
        await copying
    assert await is_empty(goal)
