"""On Postgres works run side by side; money must not notice.

The same random groups go through SQLite, which runs works one after the other, and through
Postgres. Within a group nobody was answered yet, so any order would be right; where the order
cannot matter, every answer must be the same, and elsewhere every credit must be accounted for.
"""

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portico import accounts, ledger, tasks
from portico.accounts import KeyLimits
from portico.core.errors import ErrorCode, PorticoError
from portico.core.money import MICRO
from portico.core.views import Caller, TaskState
from portico.flows import settle
from portico.flows.gateway import Gateway
from portico.flows.submit import Repeat, Terms, hold_and_record, lane_of, was_used
from portico.ledger import Balance
from portico.store import Lane, Tx
from portico.store.groups import Laned, Outcome
from portico.store.postgres import open_postgres
from portico.store.postgres_writer import Writer
from portico.store.sqlite import commit_group, connect
from portico.tasks import NewTask, RouteTaken, Verdict
from portico.testing import START, FakeClock, add_account, make_database, new_task, seeded_ids

PURSES = {"rich": (10_000, None), "poor": (60, None), "capped": (300, 200)}
HELD = (7, 20, 5)  # the prices of the tasks each account begins with
names = st.sampled_from(sorted(PURSES))
prices = st.sampled_from([0, 1, 7, 30, 55, 170])
old_tasks = st.integers(0, len(HELD) - 1)
shares = st.sampled_from([1.0, 0.3, 0.0])
takes = st.tuples(st.just("submit"), names, prices, st.sampled_from(["", "", "", "k1", "k2"]))
gives = st.one_of(
    st.tuples(st.just("succeed"), names, old_tasks, shares),
    st.tuples(st.just("fail"), names, old_tasks),
)
others = st.one_of(
    st.tuples(st.just("repeat"), names, old_tasks),
    st.tuples(st.just("begin"), names, old_tasks),
    st.tuples(st.just("top_up"), names, st.sampled_from([-1, 5, 40])),
    st.tuples(st.just("adjust"), names, st.sampled_from([-30, -1, 9])),
)
events = st.one_of(takes, takes, gives, others)
Happening = tuple[Any, ...]


@dataclass(frozen=True)
class Case:
    """One example's own accounts and tasks, among those of the examples before."""

    number: int
    gateway: Gateway
    callers: dict[str, Caller]
    held: dict[tuple[str, int], NewTask]

    def planned(self, place: int, event: Happening) -> Laned:
        name, who, *details = event
        work: Callable[[Tx], Any]
        lane: Lane | None
        work, lane = getattr(self, f"_{name}")(place, self.callers[who], who, *details)
        return Laned(work, lane)

    def _submit(self, place, caller, _, price, key):
        task = new_task(self.number * 1_000 + 100 + place, caller, price=price)
        terms = Terms(repeat=Repeat("/tasks", key, "") if key else None)

        def work(tx):
            if was_used(tx, caller, terms):
                raise PorticoError(ErrorCode.IDEMPOTENCY_CONFLICT, "")
            return hold_and_record(tx, caller, task, terms)

        return work, lane_of(caller, task, terms)

    def _repeat(self, _, caller, who, age):
        task = self.held[who, age]

        def work(tx):  # a hold that is there already takes nothing
            ledger.hold(tx, caller.account_id, amount=task.price, task_id=task.id, at=START)

        return work, task.id

    def _begin(self, place, _, who, age):
        task = self.held[who, age]

        def work(tx):
            return tasks.start_attempt(
                tx,
                tasks.get(tx, task.id),
                attempt_id=f"att_{self.number}_{place}",
                route=RouteTaken("p", "p", "m"),
                now=START,
            )

        return work, task.id

    def _succeed(self, _, _caller, who, age, share):
        charged = round(self.held[who, age].price * share)
        return self._ending(who, age, Verdict(state=TaskState.SUCCEEDED, charged=charged))

    def _fail(self, _, _caller, who, age):
        return self._ending(who, age, Verdict(state=TaskState.FAILED))

    def _ending(self, who, age, verdict):
        task = self.held[who, age]
        return lambda tx: settle.end_task(self.gateway, tx, task, verdict), task.id

    def _top_up(self, _, caller, _who, amount):
        def work(tx):
            return ledger.top_up(tx, caller.account_id, amount=amount, reason="", at=START)

        return work, None

    def _adjust(self, _, caller, _who, amount):
        def work(tx):
            return ledger.adjust(tx, caller.account_id, amount=amount, reason="", at=START)

        return work, None


class Both:
    """The two databases, and the loop the Postgres connection lives in."""

    def __init__(self, folder: Path, url: str) -> None:
        make_database(folder / "both.db")
        self.connection = connect(folder / "both.db")
        self.connection.execute("PRAGMA synchronous=OFF")
        self.runner = asyncio.Runner()
        self.writer = Writer(url)
        self.numbers = itertools.count(1)
        clock = FakeClock()
        self.gateway = cast("Gateway", SimpleNamespace(clock=clock, ids=seeded_ids(clock)))

    def on_sqlite(self, group: list[Laned]) -> list[Outcome]:
        async def on_disk(statement: str) -> None:
            self.connection.execute(statement)

        works = [each.work for each in group]
        return self.runner.run(commit_group(self.connection, works, on_disk))

    def on_postgres(self, group: list[Laned]) -> list[Outcome]:
        return self.runner.run(self.writer.commit_group(group))

    def case(self) -> Case:
        number = next(self.numbers)
        callers: dict[str, Caller] = {}
        held: dict[tuple[str, int], NewTask] = {}

        def begin(tx: Tx) -> None:
            for place, (name, (amount, ceiling)) in enumerate(PURSES.items()):
                account_id = f"acc_{name}_{number}"
                caller = callers[name] = add_account(
                    tx, account_id, amount=amount, limits=KeyLimits(credits_max=ceiling)
                )
                for age, price in enumerate(HELD):
                    task_id = number * 1_000 + place * 10 + age
                    task = held[name, age] = new_task(task_id, caller, price=price)
                    hold_and_record(tx, caller, task, Terms())

        for commit in (self.on_sqlite, self.on_postgres):
            assert commit([Laned(begin, None)]) == [(True, None)]
        return Case(number, self.gateway, callers, held)

    def close(self) -> None:
        self.runner.run(self.writer.close())
        self.runner.close()
        self.connection.close()


@pytest.fixture(scope="module")
def both(postgres):
    folder = Path(tempfile.mkdtemp())
    url = postgres.fresh()
    opened = Both(folder, url)
    yield opened
    for commit in (opened.on_sqlite, opened.on_postgres):
        assert commit([Laned(ledger.verify, None), Laned(tasks.unsound, None)]) == [(True, [])] * 2
    opened.close()
    postgres.drop(url)
    shutil.rmtree(folder)


def said(outcomes: list[Outcome]) -> list[object]:
    return [
        result if worked else getattr(result, "code", type(result)) for worked, result in outcomes
    ]


def books_of(case: Case) -> Laned:
    """Read everything an example can have changed."""

    def work(tx: Tx) -> object:
        return [
            (
                ledger.balance(tx, caller.account_id),
                [key.spent for key in accounts.keys_of(tx, caller.account_id)],
                sorted(
                    (each.kind, each.task_id, each.available_delta, each.held_delta)
                    for each in ledger.entries_of(tx, caller.account_id)
                    if each.task_id
                ),
                [
                    (each.id, each.state, each.charged)
                    for each in tasks.listing(tx, caller.account_id)
                ],
                [
                    [(att.number, att.state) for att in tasks.attempts_of(tx, each.id)]
                    for each in tasks.listing(tx, caller.account_id)
                ],
            )
            for caller in case.callers.values()
        ]

    return Laned(work, None)


def one_way(group: list[Happening]) -> list[Happening]:
    """Leave out what would make the answers depend on the order within a group.

    Between two works that run alone an account only gives or only takes. Under a ceiling a
    submit can fail after a change, and is then run last.
    """
    kept: list[Happening] = []
    ways: dict[str, str] = {}
    for event in group:
        name, who = event[:2]
        if name in {"top_up", "adjust"}:
            ways.clear()
        elif who == "capped":
            continue
        elif name in {"submit", "succeed", "fail"}:
            way = "take" if name == "submit" else "give"
            if ways.setdefault(who, way) != way:
                continue
        kept.append(event)
    return kept


@settings(max_examples=60)
@given(groups=st.lists(st.lists(events, min_size=1, max_size=40), min_size=1, max_size=3))
def test_groups_come_out_as_one_after_the_other(both, groups):
    case = both.case()
    places = itertools.count()
    for group in groups:
        planned = [case.planned(next(places), event) for event in one_way(group)]
        assert said(both.on_postgres(planned)) == said(both.on_sqlite(planned))
        assert both.on_postgres([books_of(case)]) == both.on_sqlite([books_of(case)])


@settings(max_examples=60)
@given(group=st.lists(events, min_size=1, max_size=60))
def test_whatever_happens_at_once_every_credit_is_accounted_for(both, group):
    case = both.case()
    planned = [case.planned(place, event) for place, event in enumerate(group)]
    outcomes = both.on_postgres(planned)
    # what was accepted is accepted one after the other as well, what gives before what takes
    order = sorted(range(len(group)), key=lambda place: takes_credits(group[place]))
    accepted = [place for place in order if outcomes[place][0]]
    again = both.on_sqlite([planned[place] for place in accepted])
    assert [worked for worked, _ in again] == [True] * len(accepted)
    mine, theirs = (commit([books_of(case)]) for commit in (both.on_postgres, both.on_sqlite))
    assert [balance for balance, *_ in mine[0][1]] == [balance for balance, *_ in theirs[0][1]]
    assert [each[1:4] for each in mine[0][1]] == [each[1:4] for each in theirs[0][1]]
    for event, (worked, error) in zip(group, outcomes, strict=True):
        if event[0] == "submit" and not worked and error.code is ErrorCode.INSUFFICIENT_CREDITS:
            assert is_short(group, event[1])


def takes_credits(event: Happening) -> bool:
    return event[0] == "submit" or (event[0] == "adjust" and event[2] < 0)


def is_short(group: list[Happening], who: str) -> bool:
    """Whether an account cannot pay, or its key not spend, all that a group asks of it."""
    amount, ceiling = PURSES[who]
    submits = sum(event[2] for event in group if event[:2] == ("submit", who))
    taken = sum(-event[2] for event in group if event[:2] == ("adjust", who) and event[2] < 0)
    over = ceiling is not None and sum(HELD) + submits > ceiling
    return over or submits + taken > amount - sum(HELD)


# --- thousands at once -----------------------------------------------------------------------


async def test_ten_thousand_submits_against_credit_for_a_thousand_accept_a_thousand(postgres):
    store = await open_postgres(postgres.emptied())
    caller = await store.write(lambda tx: add_account(tx, amount=1_000 * MICRO))

    async def submit(task_id: int) -> object:
        task = new_task(task_id, caller, price=MICRO)
        return await store.write(
            lambda tx: hold_and_record(tx, caller, task, Terms()),
            lane=lane_of(caller, task, Terms()),
        )

    outcomes = await asyncio.gather(*map(submit, range(1, 10_001)), return_exceptions=True)
    refused = [each.code for each in outcomes if isinstance(each, PorticoError)]
    assert refused == [ErrorCode.INSUFFICIENT_CREDITS] * 9_000
    left = sorted(each for each in outcomes if isinstance(each, int))
    assert left == [n * MICRO for n in range(1_000)]
    assert await store.read(lambda tx: ledger.balance(tx, "acc_a")) == Balance(0, 1_000 * MICRO)
    assert await store.read(lambda tx: tasks.count_open(tx, "acc_a")) == 1_000
    assert await store.survey(ledger.verify) == []
    await store.close()
