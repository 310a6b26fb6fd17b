"""The Postgres store in trouble: cut off, kept waiting, crowded; it says so and recovers."""

import asyncio
import time

import asyncpg
import pytest
from sqlalchemy import text

from portico.core import faults
from portico.core.errors import ErrorCode, PorticoError
from portico.ledger import tables  # noqa: F401 - declares what the server has
from portico.store import Statement
from portico.store.postgres import READERS_MAX
from portico.store.postgres_writer import WRITERS_LOCK
from tests.kinds import on_postgres

pytestmark = on_postgres
WITHIN_S = 5.0
ADD = Statement(text("INSERT INTO accounts VALUES (:id, :id, 'active', 0, 0)"))
IDS = Statement(text("SELECT id FROM accounts ORDER BY id"))
CUT_ME_OFF = Statement(text("SELECT pg_terminate_backend(pg_backend_pid())"))
WAIT = Statement(text("SELECT pg_sleep(:seconds)"))
OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'portico' AND pid <> pg_backend_pid()"
)


@pytest.fixture(autouse=True)
def disarmed():
    yield
    faults.arm(None)


def add(name):
    return lambda tx: tx.execute(ADD, id=name)


async def ids(store):
    return [row["id"] for row in await store.read(lambda tx: tx.rows(IDS))]


async def refused_in_time(work):
    begun = time.monotonic()
    with pytest.raises(PorticoError) as caught:
        await work
    assert caught.value.code is ErrorCode.OVERLOADED
    assert caught.value.retry_after_s
    assert time.monotonic() - begun < WITHIN_S


async def test_group_cut_off_midway_is_written_once_on_a_new_connection(store):
    await store.write(add("a"))
    cuts = 1

    def cut_off_once(tx):
        nonlocal cuts
        if cuts:
            cuts -= 1
            tx.one(CUT_ME_OFF)
        return tx.execute(ADD, id="c")

    outcomes = await asyncio.gather(*map(store.write, [add("b"), cut_off_once, add("d")]))

    assert (outcomes, cuts) == ([1, 1, 1], 0)
    assert await ids(store) == ["a", "b", "c", "d"]


async def test_group_that_is_cut_off_again_leaves_nothing_and_the_next_is_written(store):
    await store.write(add("a"))

    outcomes = await asyncio.gather(
        *map(store.write, [add("b"), lambda tx: tx.one(CUT_ME_OFF), add("d")]),
        return_exceptions=True,
    )

    assert [getattr(each, "code", None) for each in outcomes] == [ErrorCode.OVERLOADED] * 3
    assert await ids(store) == ["a"]
    await store.write(add("e"))
    assert await ids(store) == ["a", "e"]


async def test_connection_lost_before_its_commit_is_told_and_not_repeated(store, postgres):
    await store.write(add("a"))
    runs = []

    def work(tx):
        runs.append(1)
        return tx.execute(ADD, id="b")

    def cut(point):
        if point == "writer.before_commit":
            faults.arm(None)
            postgres.command(OTHERS)

    faults.arm(cut)
    await refused_in_time(store.write(work))

    assert len(runs) == 1
    assert await ids(store) == ["a"]
    await store.write(add("b"))
    assert await ids(store) == ["a", "b"]


async def test_readers_that_were_cut_off_are_replaced_unnoticed(store, postgres):
    await store.write(add("a"))
    await asyncio.gather(*[ids(store) for _ in range(READERS_MAX)])
    await asyncio.to_thread(postgres.command, OTHERS)
    assert await asyncio.gather(*[ids(store) for _ in range(50)]) == [["a"]] * 50


async def test_statement_that_takes_too_long_is_given_up_in_time(store):
    await refused_in_time(store.read(lambda tx: tx.one(WAIT, seconds=30.0)))
    await store.write(add("a"))
    assert await ids(store) == ["a"]


async def test_write_that_waits_for_another_session_is_given_up_in_time(store, database):
    await store.write(add("a"))
    other = await asyncpg.connect(database)
    await other.execute(f"SELECT pg_advisory_lock({WRITERS_LOCK})")
    await refused_in_time(store.write(add("b")))
    assert await ids(store) == ["a"]  # reads wait for nobody
    await other.close()
    await store.write(add("b"))
    assert await ids(store) == ["a", "b"]


async def test_row_that_another_session_keeps_is_given_up_in_time(store, database):
    await store.write(add("a"))
    other = await asyncpg.connect(database)
    await other.execute("BEGIN; UPDATE accounts SET created_at = 1")
    rename = Statement(text("UPDATE accounts SET email = 'b'"))
    await refused_in_time(store.write(lambda tx: tx.execute(rename)))
    await other.close()
    assert await store.write(lambda tx: tx.execute(rename)) == 1


async def test_more_readers_than_connections_take_turns(store):
    begun = time.monotonic()
    await asyncio.gather(
        *[store.read(lambda tx: tx.one(WAIT, seconds=0.1)) for _ in range(3 * READERS_MAX)]
    )
    assert time.monotonic() - begun >= 0.3


async def test_reader_who_finds_every_connection_taken_is_served_in_time(store):
    slow = [
        asyncio.create_task(store.read(lambda tx: tx.one(WAIT, seconds=30.0)))
        for _ in range(READERS_MAX)
    ]
    await asyncio.sleep(0.5)
    async with asyncio.timeout(WITHIN_S):
        assert await ids(store) == []
    outcomes = await asyncio.gather(*slow, return_exceptions=True)
    assert {getattr(each, "code", None) for each in outcomes} == {ErrorCode.OVERLOADED}
