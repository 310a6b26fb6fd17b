"""The SQLite store: group commit without collective punishment, durable, honest when in trouble."""

import asyncio
import sqlite3
import stat
import time

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, bindparam, func, insert, select, update

from portico.core import faults
from portico.core.errors import ErrorCode, PorticoError
from portico.store import Statement, groups
from portico.store import sqlite as sqlite_store
from portico.store.sqlite import SqliteStore, SqliteTx, back_up, commit_group, connect

numbers = Table("numbers", MetaData(), Column("id", Integer, primary_key=True))
ADD = Statement(insert(numbers).values(id=bindparam("id")).inline())
DROP_TO = Statement(update(numbers).where(numbers.c.id == bindparam("old")).values(id=0))
ALL = Statement(select(numbers.c.id).order_by(numbers.c.id))
COUNT = Statement(select(func.count().label("number")).select_from(numbers))
NOWHERE = Statement(select(Table("nowhere", MetaData(), Column("id", Integer)).c.id))


class RefusedError(Exception):
    """What a work raises to be undone."""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "numbers.db"
    connection = connect(file)
    connection.execute("CREATE TABLE numbers (id INTEGER PRIMARY KEY CHECK (id < 1000000))")
    connection.close()
    return file


@pytest.fixture
async def store(path):
    opened = SqliteStore(path)
    yield opened
    await opened.close()


class HeldDisk:
    """A disk that takes its time: commits wait until `go_on` is set."""

    def __init__(self, store: SqliteStore) -> None:
        self.inside, self.go_on = asyncio.Event(), asyncio.Event()
        self._real = store._on_disk
        store._on_disk = self  # type: ignore[method-assign]

    async def __call__(self, statement: str) -> None:
        if statement == "COMMIT":
            self.inside.set()
            await self.go_on.wait()
        await self._real(statement)


@pytest.fixture
async def disk(store):
    return HeldDisk(store)


@pytest.fixture
def connection(path):
    opened = connect(path)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def disarmed():
    yield
    faults.arm(None)


def at_once(connection: sqlite3.Connection):
    """Return a way to the disk that waits for it on the spot."""

    async def on_disk(statement: str) -> None:
        connection.execute(statement)

    return on_disk


def adding(*ids: int):
    """Return a work that adds rows and returns the last of them."""

    def work(tx):
        for each in ids:
            tx.execute(ADD, id=each)
        return ids[-1]

    return work


def adding_then_refusing(*ids: int):
    def work(tx):
        adding(*ids)(tx)
        raise RefusedError

    return work


def counting(tx):
    return tx.one(COUNT)["number"]


def refusing(_):
    raise RefusedError


def present(connection):
    return [row["id"] for row in SqliteTx(connection).rows(ALL)]


async def present_in(store):
    return [row["id"] for row in await store.read(lambda tx: tx.rows(ALL))]


# --- one group -------------------------------------------------------------------------------


async def test_group_gives_everyone_their_own_result(connection):
    outcomes = await commit_group(connection, [adding(1), adding(2, 3)], at_once(connection))
    assert outcomes == [(True, 1), (True, 3)]
    assert present(connection) == [1, 2, 3]


async def test_work_that_fails_after_a_change_undoes_only_itself(connection):
    works = [adding(1), adding_then_refusing(2, 3), adding(4)]
    outcomes = await commit_group(connection, works, at_once(connection))
    assert [worked for worked, _ in outcomes] == [True, False, True]
    assert isinstance(outcomes[1][1], RefusedError)
    assert present(connection) == [1, 4]


async def test_several_failures_leave_only_the_good(connection):
    works = [adding_then_refusing(1), refusing, adding(2), adding_then_refusing(3), adding(4)]
    outcomes = await commit_group(connection, works, at_once(connection))
    assert [worked for worked, _ in outcomes] == [False, False, True, False, True]
    assert present(connection) == [2, 4]


async def test_refusal_without_a_change_does_not_run_the_neighbours_again(connection):
    runs = 0

    def counted(tx):
        nonlocal runs
        runs += 1
        adding(1)(tx)

    await commit_group(connection, [counted, refusing, adding(2)], at_once(connection))
    assert runs == 1
    assert present(connection) == [1, 2]


@pytest.mark.parametrize("taken", [1, 2])
async def test_constraint_stops_only_the_one_who_hit_it(connection, taken):
    outcomes = await commit_group(
        connection, [adding(1), adding(2), adding(taken), adding(3)], at_once(connection)
    )
    assert [worked for worked, _ in outcomes] == [True, True, False, True]
    assert isinstance(outcomes[2][1], sqlite3.IntegrityError)
    assert present(connection) == [1, 2, 3]


async def test_work_that_catches_its_own_constraint_keeps_what_it_did(connection):
    def work(tx):
        adding(5)(tx)
        with pytest.raises(sqlite3.IntegrityError):
            adding(5)(tx)
        return "kept"

    assert await commit_group(connection, [work, adding(6)], at_once(connection)) == [
        (True, "kept"),
        (True, 6),
    ]
    assert present(connection) == [5, 6]


async def test_later_work_sees_what_an_earlier_one_of_its_group_did(connection):
    outcomes = await commit_group(connection, [adding(1), counting], at_once(connection))
    assert outcomes[1] == (True, 1)


async def test_trouble_of_the_database_in_one_work_spares_the_others(connection):
    def broken(tx):
        tx.rows(NOWHERE)

    outcomes = await commit_group(connection, [adding(1), broken, adding(2)], at_once(connection))
    assert [worked for worked, _ in outcomes] == [True, False, True]
    assert outcomes[1][1].code is ErrorCode.OVERLOADED
    assert isinstance(outcomes[1][1].__cause__, sqlite3.OperationalError)
    assert present(connection) == [1, 2]


async def test_failed_commit_tries_each_alone(connection):
    _fail_at("writer.before_commit", times=1)
    outcomes = await commit_group(connection, [adding(1), adding(2)], at_once(connection))
    assert outcomes == [(True, 1), (True, 2)]
    assert present(connection) == [1, 2]


async def test_commit_that_keeps_failing_leaves_nothing(connection):
    _fail_at("writer.before_commit", times=100)
    outcomes = await commit_group(connection, [adding(1), adding(2)], at_once(connection))
    assert [error.code for _, error in outcomes] == [ErrorCode.OVERLOADED] * 2
    assert outcomes[0][1].retry_after_s is not None
    assert present(connection) == []


async def test_one_commit_serves_a_whole_group(connection):
    commits = 0

    def count(name):
        nonlocal commits
        commits += name == "writer.before_commit"

    faults.arm(count)
    await commit_group(connection, [adding(each) for each in range(100)], at_once(connection))
    assert commits == 1


async def test_full_disk_refuses_what_does_not_fit_and_keeps_the_rest(connection):
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages + 1}")
    outcomes = await commit_group(
        connection, [adding(1), adding(*range(10, 5_000)), adding(2)], at_once(connection)
    )
    assert [worked for worked, _ in outcomes] == [True, False, True]
    assert outcomes[1][1].code is ErrorCode.OVERLOADED
    assert present(connection) == [1, 2]


# --- the store -------------------------------------------------------------------------------


async def test_write_returns_what_the_work_returned(store):
    assert await store.write(adding(7)) == 7
    assert await present_in(store) == [7]


async def test_write_raises_what_the_work_raised(store):
    with pytest.raises(RefusedError):
        await store.write(adding_then_refusing(1))
    assert await present_in(store) == []


async def test_answered_write_is_in_the_file(store, connection):
    await store.write(adding(1))
    assert present(connection) == [1]


async def test_many_writers_each_get_their_own_answer(store):
    works = [adding(each) if each % 3 else adding_then_refusing(each) for each in range(300)]
    outcomes = await asyncio.gather(*map(store.write, works), return_exceptions=True)
    assert all(
        outcome == each if each % 3 else isinstance(outcome, RefusedError)
        for each, outcome in enumerate(outcomes)
    )
    assert await present_in(store) == [each for each in range(300) if each % 3]


async def test_reads_see_committed_rows_only(store, disk):
    writing = asyncio.create_task(store.write(adding(1)))
    await disk.inside.wait()
    assert await present_in(store) == []
    disk.go_on.set()
    await writing
    assert await present_in(store) == [1]


async def test_read_that_raises_does_not_spoil_the_next(store):
    with pytest.raises(RefusedError):
        await store.read(refusing)
    await store.write(adding(1))
    assert await present_in(store) == [1]


async def test_read_cannot_write(store):
    with pytest.raises(PorticoError) as caught:
        await store.read(adding(1))
    assert caught.value.code is ErrorCode.OVERLOADED


async def test_close_commits_what_is_waiting(path):
    store = SqliteStore(path)
    writing = [asyncio.create_task(store.write(adding(each))) for each in range(50)]
    await asyncio.sleep(0)
    await store.close()
    assert await asyncio.gather(*writing) == list(range(50))
    reopened = connect(path)
    assert present(reopened) == list(range(50))
    reopened.close()


async def test_closed_store_refuses_writes(path):
    store = SqliteStore(path)
    await store.close()
    with pytest.raises(PorticoError) as caught:
        await store.write(adding(1))
    assert caught.value.code is ErrorCode.OVERLOADED


async def test_queue_that_is_full_refuses_and_then_recovers(store, disk, monkeypatch):
    monkeypatch.setattr(groups, "WAITING_MAX", 3)
    first = asyncio.create_task(store.write(adding(50)))
    await disk.inside.wait()
    waiting = [asyncio.create_task(store.write(adding(each))) for each in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(PorticoError) as caught:
        await store.write(adding(99))
    assert caught.value.code is ErrorCode.OVERLOADED
    disk.go_on.set()
    await asyncio.gather(first, *waiting)
    assert await store.write(adding(99)) == 99


async def test_caller_who_left_does_not_undo_the_write(store, disk):
    leaving = asyncio.create_task(store.write(adding(1)))
    await disk.inside.wait()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    disk.go_on.set()
    assert await store.write(adding(2)) == 2
    assert await present_in(store) == [1, 2]


async def test_writer_survives_any_surprise(store):
    def burst(name):
        if name == "writer.before_commit":
            raise ZeroDivisionError

    faults.arm(burst)
    with pytest.raises(PorticoError) as caught:
        await store.write(adding(1))
    faults.arm(None)
    assert caught.value.code is ErrorCode.OVERLOADED
    assert await store.write(adding(2)) == 2
    assert await present_in(store) == [2]


async def test_error_after_the_commit_does_not_repeat_the_work(store):
    _fail_at("writer.after_commit", times=1)
    with pytest.raises(PorticoError):
        await store.write(adding(1))
    assert await present_in(store) == [1]


async def test_locked_database_refuses_all_who_wait_at_once(path, connection, monkeypatch):
    monkeypatch.setattr(sqlite_store, "BUSY_TIMEOUT_MS", 300)
    store = SqliteStore(path)
    connection.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    first = asyncio.create_task(store.write(adding(1)))
    await asyncio.sleep(0.05)  # the writer has taken the first and waits for the lock
    others = [asyncio.create_task(store.write(adding(each))) for each in range(2, 20)]
    outcomes = await asyncio.gather(first, *others, return_exceptions=True)
    took_s = time.monotonic() - begun
    connection.execute("ROLLBACK")
    assert {getattr(outcome, "code", None) for outcome in outcomes} == {ErrorCode.OVERLOADED}
    assert took_s < 0.6  # the others do not wait for a lock of their own
    assert await store.write(adding(1)) == 1
    await store.close()


async def test_two_stores_on_one_file_both_write(store, path):
    other = SqliteStore(path)
    await asyncio.gather(
        *(each.write(adding(number)) for number in range(50) for each in (store, other)
          if (number % 2 == 0) == (each is store))
    )  # fmt: skip
    await other.close()
    assert await present_in(store) == list(range(50))


def test_file_is_opened_so_that_commits_are_durable(connection):
    def pragma(name):
        return connection.execute(f"PRAGMA {name}").fetchone()[0]

    assert pragma("journal_mode") == "wal"
    assert pragma("synchronous") == 2  # FULL
    assert pragma("foreign_keys") == 1
    assert pragma("busy_timeout") == 5_000


# --- statements ------------------------------------------------------------------------------


def test_value_that_is_part_of_a_statement_is_sent_along(connection):
    tx = SqliteTx(connection)
    tx.execute(ADD, id=9)
    assert tx.execute(DROP_TO, old=9) == 1
    assert present(connection) == [0]


def test_one_of_no_rows_is_none(connection):
    assert SqliteTx(connection).one(ALL) is None


def test_null_that_is_part_of_a_statement_is_sent_along(connection):
    connection.execute("CREATE TABLE names (id INTEGER, name TEXT DEFAULT 'x')")
    names = Table("names", MetaData(), Column("id", Integer), Column("name", Integer))
    clear = Statement(insert(names).values(id=bindparam("id"), name=None))
    SqliteTx(connection).execute(clear, id=1)
    assert connection.execute("SELECT name FROM names").fetchone()[0] is None


# --- back-up ---------------------------------------------------------------------------------


async def test_copy_taken_while_writing_is_whole(store, tmp_path):
    await store.write(adding(*range(1_000)))
    target = tmp_path / "copy.db"
    writing = [
        asyncio.create_task(store.write(adding(*range(base, base + 100))))
        for base in range(10_000, 12_000, 100)
    ]
    await asyncio.to_thread(back_up, store._path, target)
    await asyncio.gather(*writing)
    copy = sqlite3.connect(target)
    assert copy.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    count = copy.execute("SELECT count(*) FROM numbers").fetchone()[0]
    copy.close()
    assert count % 100 == 0
    assert 1_000 <= count <= 3_000


async def test_copy_can_be_read_by_its_owner_only(store, tmp_path):
    target = tmp_path / "copy.db"
    await asyncio.to_thread(back_up, store._path, target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


async def test_copy_replaces_an_older_one_and_leaves_nothing_beside_it(store, tmp_path):
    target = tmp_path / "copies" / "copy.db"
    target.parent.mkdir()
    target.write_bytes(b"older")
    (target.parent / "copy.db.partial").write_bytes(b"left over")
    await store.write(adding(1))
    await asyncio.to_thread(back_up, store._path, target)
    copy = connect(target)
    assert present(copy) == [1]
    copy.close()
    assert [each.name for each in target.parent.iterdir()] == ["copy.db"]


def _fail_at(point, *, times):
    left = times

    def act(name):
        nonlocal left
        if name == point and left > 0:
            left -= 1
            message = "No space left on device"
            raise OSError(message)

    faults.arm(act)
