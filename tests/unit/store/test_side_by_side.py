"""Works side by side on Postgres: what each gets is what it would have got alone."""

import asyncio
from collections import Counter

import asyncpg
import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    MetaData,
    Table,
    Text,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from portico.accounts import queries as accounts
from portico.ledger import queries as ledger
from portico.media import queries as media
from portico.store import Lane, Statement
from portico.store.asking import COPY_FROM
from portico.store.groups import Laned, Outcome, Work
from portico.store.postgres_writer import Writer
from portico.store.sets import set_form
from portico.store.side_by_side import waves
from portico.tasks import queries as tasks

boxes = Table(
    "boxes",
    MetaData(),
    Column("id", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("key", Text),
)
CREATE = """
CREATE TABLE boxes (id text PRIMARY KEY, number bigint NOT NULL CHECK (number >= 0), key text)
"""

ADD = Statement(
    insert(boxes).values(id=bindparam("id"), number=bindparam("number"), key=bindparam("key"))
)
ADD_RED = Statement(insert(boxes).values(id=bindparam("id"), number=7, key="red"))
BY_ID = Statement(select(boxes).where(boxes.c.id == bindparam("box")))
BY_KEY = Statement(
    select(boxes.c.id).where(boxes.c.key == bindparam("of")).order_by(boxes.c.id.desc())
)
COUNT = Statement(select(func.count().label("found")).where(boxes.c.key == bindparam("of")))
FIRST = Statement(
    select(boxes.c.id).where(boxes.c.number > bindparam("above", type_=BigInteger))
    .order_by(boxes.c.number).limit(1)
)  # fmt: skip
ALL = Statement(select(boxes.c.id, boxes.c.number).order_by(boxes.c.id))
DOUBLE = Statement(
    update(boxes)
    .where(boxes.c.id == bindparam("box"), boxes.c.number < bindparam("below"))
    .values(number=boxes.c.number * 2)
    .returning(boxes.c.number, boxes.c.key)
)
NAME = Statement(
    update(boxes)
    .where(boxes.c.id == bindparam("box"), or_(boxes.c.key.is_(None), boxes.c.key == "old"))
    .values(key=case((boxes.c.number > 5, bindparam("name")), else_="small"))
)
PUT_IN = Statement(
    update(boxes).where(boxes.c.id == bindparam("box"))
    .values(number=boxes.c.number + bindparam("more")),
    adds=("more",),
)  # fmt: skip
DROP = Statement(delete(boxes).where(boxes.c.id == bindparam("box")))
RENAME = Statement(
    update(boxes).where(boxes.c.id == bindparam("old")).values(id=bindparam("new"))
)  # fmt: skip
EITHER = Statement(
    delete(boxes).where((boxes.c.id == bindparam("box")) | (boxes.c.key == bindparam("of")))
)
FREE_NUMBER = Statement(
    insert(boxes).values(
        id=bindparam("id"),
        number=select(func.count()).select_from(boxes).scalar_subquery(),
    )
)


class RefusedError(Exception):
    """What a work raises to be undone."""


@pytest.fixture(scope="module")
def url(postgres):
    made = postgres.fresh()
    yield made
    postgres.drop(made)


@pytest.fixture
async def writer(url):
    opened = Writer(url)
    connection = await opened._connected()
    await connection.execute(f"DROP TABLE IF EXISTS boxes; {CREATE}")
    yield opened
    await opened.close()


@pytest.fixture
async def asked(writer):
    """How often each statement went to the server, by its first words."""
    count: Counter[str] = Counter()
    connection = await writer._connected()
    connection.add_query_logger(lambda query: count.update([" ".join(query.query.split()[:2])]))
    return count


async def run(writer: Writer, *works: Work) -> list[Outcome]:
    """Commit works as one group, each in a lane of its own."""
    return await in_lanes(writer, *((work, number) for number, work in enumerate(works)))


async def in_lanes(writer: Writer, *works: tuple[Work, Lane | None]) -> list[Outcome]:
    return await writer.commit_group([Laned(work, lane) for work, lane in works])


async def present(writer):
    outcomes = await run(writer, lambda tx: [tuple(row) for row in tx.rows(ALL)])
    return outcomes[0][1]


async def fill(writer: Writer, **numbers: int) -> None:
    def work(tx):
        for box, number in numbers.items():
            tx.execute(ADD, id=box, number=number, key=None)

    await run(writer, work)


def adding(box, number=1, key=None):
    return lambda tx: tx.execute(ADD, id=box, number=number, key=key)


def doubling(box, below=100):
    def work(tx):
        row = tx.one(DOUBLE, box=box, below=below)
        return row and row["number"]

    return work


def putting(box, more):
    return lambda tx: tx.execute(PUT_IN, box=box, more=more)


# --- who runs beside whom --------------------------------------------------------------------


def sorted_into_waves(*lanes: Lane | None) -> list[list[int]]:
    return [*waves([Laned(print, lane) for lane in lanes])]


def test_different_lanes_make_one_wave():
    assert sorted_into_waves("a", "b", 1) == [[0, 1, 2]]


def test_works_of_one_lane_follow_one_another_in_their_order():
    assert sorted_into_waves("a", "b", "a", "c", "a", "b") == [[0, 1, 3], [2, 5], [4]]


def test_work_without_a_lane_is_alone_and_nobody_overtakes_it():
    assert sorted_into_waves("a", None, "a", "b", None, None, "a") == [
        [0],
        [1],
        [2, 3],
        [4],
        [5],
        [6],
    ]


def test_nothing_makes_no_wave():
    assert sorted_into_waves() == []


# --- one statement for many ------------------------------------------------------------------


@pytest.mark.parametrize("number", [2, COPY_FROM, COPY_FROM + 30])
async def test_inserts_go_together_and_each_counts_one(writer, number):
    works = [adding(f"b{n:02}", n, key='a "quoted" \\ {key}\n') for n in range(number)]
    assert await run(writer, *works) == [(True, 1)] * number
    assert await present(writer) == [(f"b{n:02}", n) for n in range(number)]


@pytest.mark.parametrize("number", [2, COPY_FROM])
async def test_inserts_keep_the_values_of_the_statement_itself(writer, number):
    await run(writer, *(lambda tx, n=n: tx.execute(ADD_RED, id=f"b{n:02}") for n in range(number)))
    assert await present(writer) == [(f"b{n:02}", 7) for n in range(number)]


async def test_reads_find_each_their_own_rows_in_their_order(writer):
    await run(writer, adding("a", key="red"), adding("b", key="red"), adding("c", key="blue"))

    def reading(of):
        return lambda tx: [row["id"] for row in tx.rows(BY_KEY, of=of)]

    outcomes = await run(writer, *map(reading, ["red", "green", "blue", "red"]))
    assert outcomes == [(True, ["b", "a"]), (True, []), (True, ["c"]), (True, ["b", "a"])]


async def test_rows_show_nothing_of_the_set_they_came_in(writer):
    await fill(writer, a=1, b=2)

    def whole(box):
        def work(tx):
            row = tx.one(BY_ID, box=box)
            return tuple(row), [*row.keys()], dict(row), row["number"]

        return work

    _, (_, found) = await run(writer, whole("a"), whole("b"))
    assert found == (("b", 2, None), ["id", "number", "key"], dict(id="b", number=2, key=None), 2)  # noqa: C408


async def test_counts_and_first_rows_are_each_callers_own(writer):
    await run(writer, adding("a", 5, "red"), adding("b", 9, "red"), adding("c", 7, "blue"))

    def looking(of, above):
        def work(tx):
            first = tx.one(FIRST, above=above)
            return tx.one(COUNT, of=of)["found"], first and first["id"]

        return work

    outcomes = await run(writer, looking("red", 6), looking("blue", 0), looking("none", 9))
    assert outcomes == [(True, (2, "c")), (True, (1, "a")), (True, (0, None))]


async def test_updates_tell_everyone_what_became_of_their_row(writer):
    await fill(writer, a=1, b=2, c=70)
    outcomes = await run(writer, doubling("a"), doubling("none"), doubling("c", 60), doubling("b"))
    assert outcomes == [(True, 2), (True, None), (True, None), (True, 4)]
    assert await present(writer) == [("a", 2), ("b", 4), ("c", 70)]


async def test_updates_of_one_row_happen_one_after_the_other(writer, asked):
    await fill(writer, a=1, b=1)
    outcomes = await run(writer, *[doubling("a", 8)] * 5, doubling("b"))
    assert [result for _, result in outcomes] == [2, 4, 8, None, None, 2]
    assert asked["UPDATE boxes"] == 5


async def test_update_takes_values_and_conditions_of_every_kind(writer):
    await run(writer, adding("a", 9, "old"), adding("b", 1), adding("c", 9, "new"), adding("d", 9))

    def naming(box):
        return lambda tx: (tx.execute(NAME, box=box, name=f"{box}!"), tx.one(BY_ID, box=box)["key"])

    outcomes = await run(writer, *map(naming, "abcd"))
    assert [each for _, each in outcomes] == [(1, "a!"), (1, "small"), (0, "new"), (1, "d!")]


async def test_additions_to_one_row_are_one_statement(writer, asked):
    await fill(writer, a=0, b=10)
    works = [putting("a", n) for n in range(100)]
    outcomes = await run(writer, *works, putting("b", -4), putting("none", 1))
    assert [result for _, result in outcomes] == [1] * 101 + [0]
    assert await present(writer) == [("a", 4950), ("b", 6)]
    assert asked["UPDATE boxes"] == 1


async def test_deletions_count_each_their_own(writer):
    await fill(writer, a=1, b=2, c=3)
    outcomes = await run(
        writer, *(lambda tx, b=b: tx.execute(DROP, box=b) for b in ["a", "x", "c"])
    )
    assert [result for _, result in outcomes] == [1, 0, 1]
    assert await present(writer) == [("b", 2)]


@pytest.mark.parametrize("statement", [RENAME, EITHER, FREE_NUMBER, ALL])
def test_statement_that_could_meet_its_neighbours_rows_is_run_one_by_one(statement):
    assert set_form(statement) is None


@pytest.mark.parametrize(
    "statement",
    [
        ledger.INSERT_HOLD, ledger.HOLD_OF, ledger.CLOSE_HOLD, ledger.MOVE, ledger.INSERT_ENTRY,
        ledger.BALANCE, accounts.GIVE_BACK_SPEND, tasks.COUNT_OPEN, tasks.INSERT_TASK, tasks.END,
        tasks.INSERT_ATTEMPT, tasks.END_ATTEMPT, tasks.MARK_STARTED, tasks.MARK_RUNNING,
        tasks.ATTEMPT_RUNNING, tasks.MARK_STORING, tasks.TASK_BY_ID, tasks.RECALL_REQUEST,
        tasks.REMEMBER_REQUEST, tasks.ANSWER_REQUEST, tasks.REQUEUE, media.BY_ID, media.INSERT,
        media.ATTACH,
    ],
)  # fmt: skip
def test_statements_of_the_busy_paths_have_a_set_form(statement):
    assert set_form(statement) is not None


async def test_works_that_differ_share_what_they_have_in_common(writer, asked):
    await fill(writer, a=1, b=1, c=1, d=1)

    def long(box):
        def work(tx):
            tx.one(BY_ID, box=box)
            tx.execute(PUT_IN, box=box, more=1)
            return doubling(box)(tx)

        return work

    asked.clear()
    outcomes = await run(writer, long("a"), doubling("b"), long("c"), doubling("d"))
    assert [result for _, result in outcomes] == [4, 2, 4, 2]
    assert (asked["SELECT own.*,"], asked["UPDATE boxes"]) == (1, 2)


# --- refusals --------------------------------------------------------------------------------


async def test_work_that_fails_after_a_change_undoes_only_itself(writer):
    runs: Counter[str] = Counter()

    def counted(name, then=None):
        def work(tx):
            runs[name] += 1
            adding(name)(tx)
            if then:
                raise then
            return name

        return work

    outcomes = await run(writer, counted("a"), counted("b", RefusedError()), counted("c"))
    assert [worked for worked, _ in outcomes] == [True, False, True]
    assert isinstance(outcomes[1][1], RefusedError)
    assert await present(writer) == [("a", 1), ("c", 1)]
    assert runs == {"a": 2, "b": 2, "c": 2}


async def test_refusal_without_a_change_does_not_run_the_neighbours_again(writer):
    runs = 0

    def counted(tx):
        nonlocal runs
        runs += 1
        return adding("a")(tx)

    def refusing(tx):
        if tx.one(BY_ID, box="nowhere") is None:
            raise RefusedError

    outcomes = await run(writer, refusing, counted, refusing)
    assert [worked for worked, _ in outcomes] == [False, True, False]
    assert runs == 1


async def test_failures_in_later_waves_leave_only_the_good(writer):
    def spoiling(box):
        def work(tx):
            adding(box)(tx)
            raise RefusedError

        return work

    outcomes = await in_lanes(
        writer,
        (adding("a"), 1),
        (spoiling("b"), 2),
        (adding("c"), 1),
        (spoiling("d"), 1),
        (spoiling("e"), None),
        (adding("f"), 2),
    )
    assert [worked for worked, _ in outcomes] == [True, False, True, False, False, True]
    assert await present(writer) == [("a", 1), ("c", 1), ("f", 1)]


@pytest.mark.parametrize("number", [0, COPY_FROM])
async def test_row_the_database_refuses_is_refused_to_one_work_only(writer, number):
    others = [adding(f"b{n:02}") for n in range(number)]
    outcomes = await run(writer, adding("a"), adding("a"), adding("c", -1), adding("d"), *others)
    assert [worked for worked, _ in outcomes] == [True, False, False, True] + [True] * number
    assert isinstance(outcomes[1][1], asyncpg.UniqueViolationError)
    assert isinstance(outcomes[2][1], asyncpg.CheckViolationError)
    assert len(await present(writer)) == 2 + number


async def test_sum_that_would_break_a_rule_is_taken_apart(writer):
    await fill(writer, a=10)
    outcomes = await run(writer, putting("a", -6), putting("a", -6), putting("a", -4))
    assert [worked for worked, _ in outcomes] == [True, False, True]
    assert await present(writer) == [("a", 0)]


async def test_work_that_lets_a_refusal_pass_is_refused_all_the_same(writer):
    def stubborn(tx):
        try:
            adding("a")(tx)
        except asyncpg.UniqueViolationError:
            return "whatever"

    await fill(writer, a=1)
    outcomes = await run(writer, stubborn, adding("b"))
    assert isinstance(outcomes[0][1], asyncpg.UniqueViolationError)
    assert outcomes[1] == (True, 1)
    assert await present(writer) == [("a", 1), ("b", 1)]


async def test_work_may_say_in_its_own_words_that_it_was_refused(writer):
    def polite(tx):
        try:
            adding("a")(tx)
        except asyncpg.UniqueViolationError as error:
            raise RefusedError from error

    await fill(writer, a=1)
    outcomes = await run(writer, polite, adding("b"))
    assert isinstance(outcomes[0][1], RefusedError)
    assert outcomes[1] == (True, 1)


async def test_call_that_is_wrong_in_itself_fails_its_own_work_only(writer):
    works = [adding("a"), lambda tx: tx.execute(ADD, id="b"), adding("c", "many"), adding("d")]
    outcomes = await run(writer, *works)
    assert [worked for worked, _ in outcomes] == [True, False, False, True]
    assert isinstance(outcomes[1][1], KeyError)
    assert isinstance(outcomes[2][1], asyncpg.DataError)


async def test_end_of_the_process_in_one_work_leaves_nothing_of_any(writer):
    left = []

    class KilledError(BaseException):
        """No handler of the store may catch it."""

    def dying(tx):
        adding("a")(tx)
        raise KilledError

    def waiting(tx):
        try:
            adding("b")(tx)
            adding("c")(tx)
        finally:
            left.append("b")

    with pytest.raises(KilledError):
        await run(writer, waiting, dying)
    assert left == ["b"]
    assert await present(writer) == []


# --- what a work sees ------------------------------------------------------------------------


async def test_works_of_one_lane_see_what_those_before_them_did(writer):
    def adding_if_new(box):
        def work(tx):
            if tx.one(BY_ID, box=box) is None:
                return tx.execute(ADD, id=box, number=1, key=None)
            return 0

        return work

    outcomes = await in_lanes(writer, *[(adding_if_new("a"), "a"), (adding_if_new("b"), "b")] * 3)
    assert [result for _, result in outcomes] == [1, 1, 0, 0, 0, 0]


async def test_work_without_a_lane_sees_nothing_change_under_it(writer):
    await fill(writer, a=1)

    def twice(tx):
        seen = tx.one(BY_ID, box="a")["number"]
        return seen, tx.one(BY_ID, box="a")["number"]

    outcomes = await in_lanes(
        writer, (putting("a", 1), 1), (twice, None), (putting("a", 1), 2), (twice, None)
    )
    assert [result for _, result in outcomes] == [1, (2, 2), 1, (3, 3)]


async def test_many_groups_at_once_keep_every_addition(url, writer):
    await fill(writer, a=0)
    other = Writer(url)
    groups = [run(each, *[putting("a", 1)] * 20) for each in (writer, other)]
    await asyncio.gather(*groups)
    await other.close()
    assert await present(writer) == [("a", 40)]
