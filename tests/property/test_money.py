"""No credit is lost and none appears, whatever happens in whatever order and grouping.

Random steps gather in a group; the group is committed together, or after a failed commit one by
one, or lost with a crash. After each, the database must agree with a model kept in dictionaries.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from portico import accounts, ledger, tasks
from portico.accounts import KeyLimits
from portico.core import faults
from portico.core.errors import PorticoError
from portico.core.money import CREDITS_MAX
from portico.core.views import Caller, TaskState
from portico.flows import settle
from portico.flows.gateway import Gateway
from portico.ledger import Balance
from portico.store import Tx
from portico.store.sqlite import SqliteTx, commit_group, connect
from portico.tasks import AttemptState, Verdict
from portico.testing import (
    START,
    FakeClock,
    add_account,
    admit,
    make_database,
    new_task,
    seeded_ids,
)
from tests.property.money_model import ALREADY_ENDED, Books, Expected, Purse, charge

PURSES = {  # what each begins with, and what its key may spend in all
    "acc_a": Purse(1_000),
    "acc_b": Purse(1_000),
    "acc_capped": Purse(300, ceiling=500),
}
UNFINISHED = (TaskState.QUEUED, TaskState.SUBMITTING, TaskState.RUNNING, TaskState.STORING)
Planned = tuple[Callable[[Tx], Any], Callable[[Books], tuple[Books, Expected]]]

STEPS = ("start", "note_running", "note_storing", "retry", "hold_again")
FATES = ("commit", "commit", "commit", "fail_once", "crash")

account_ids = st.sampled_from(sorted(PURSES))
prices = st.one_of(st.integers(0, 200), st.just(1_000))
ages = st.integers(0, 4)  # how many tasks ago
amounts = st.one_of(st.integers(-500, 500), st.just(CREDITS_MAX), st.just(-CREDITS_MAX))
ends = st.sampled_from(
    [TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED, TaskState.EXPIRED]
)


class Money(RuleBasedStateMachine):
    """The parts and `settle.end_task` on a real database, beside the model."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "money.db"
        make_database(self.path)
        self.connection = self._connect()
        self.callers: dict[str, Caller] = {}
        self.books = Books()
        self.group: list[Planned] = []
        self.next_task = 1
        self.next_attempt = 1
        clock = FakeClock()
        parts = SimpleNamespace(clock=clock, ids=seeded_ids(clock))
        self.gateway = cast("Gateway", parts)

    @initialize()
    def open_accounts(self):
        def work(tx):
            for account_id, purse in PURSES.items():
                limits = KeyLimits(credits_max=purse.ceiling)
                self.callers[account_id] = add_account(
                    tx, account_id, amount=purse.available, limits=limits
                )

        self._commit([work])
        self.books = Books(dict(PURSES))

    # --- what may happen, in any order -------------------------------------------------------

    @rule(account_id=account_ids, price=prices)
    def submit(self, account_id, price):
        caller = self.callers[account_id]
        task = new_task(self.next_task, caller, price=price)
        self.next_task += 1

        def work(tx):
            accounts.commit_spend(tx, caller, price)
            admit(tx, task)
            return True

        self.plan(work, lambda books: books.submit(task.id, account_id, price))

    @rule(age=ages, kind=st.sampled_from(STEPS))
    def step(self, age, kind):
        getattr(self, f"_{kind}")(self.next_task - 1 - age)

    def _hold_again(self, task_id):
        def work(tx):
            task = tasks.get(tx, task_id)
            ledger.hold(tx, task.account_id, amount=task.price + 1, task_id=task_id, at=START)
            return True

        self.plan(work, lambda books: books.hold_again(task_id))

    def _start(self, task_id):
        attempt_id = f"att_{self.next_attempt}"
        self.next_attempt += 1

        def work(tx):
            return tasks.start_attempt(
                tx,
                tasks.get(tx, task_id),
                attempt_id=attempt_id,
                provider="fake",
                upstream_model="m",
                now=START,
            )

        self.plan_step(work, task_id, TaskState.SUBMITTING, TaskState.QUEUED)

    def _note_running(self, task_id):
        def work(tx):
            before = tasks.get(tx, task_id).state
            attempt = tasks.last_attempt(tx, task_id)
            if attempt is not None:
                tasks.mark_running(tx, task_id, attempt_id=attempt.id, upstream_id="up")
            return tasks.get(tx, task_id).state is not before

        self.plan_step(work, task_id, TaskState.RUNNING, TaskState.SUBMITTING)

    def _note_storing(self, task_id):
        def work(tx):
            is_open = not tasks.get(tx, task_id).is_final
            tasks.mark_storing(tx, task_id)
            return is_open

        self.plan_step(work, task_id, TaskState.STORING, *UNFINISHED)

    def _retry(self, task_id):
        def work(tx):
            is_open = not tasks.get(tx, task_id).is_final
            tasks.end_attempt(tx, task_id, state=AttemptState.FAILED, now=START)
            tasks.requeue(tx, task_id)
            return is_open

        self.plan_step(work, task_id, TaskState.QUEUED, *UNFINISHED)

    @rule(age=ages, state=ends, share=st.sampled_from([0.0, 0.3, 1.0]))
    def end(self, age, state, share):
        task_id = self.next_task - 1 - age

        def work(tx):
            task = tasks.get(tx, task_id)
            charged = charge(task.price, share) if state is TaskState.SUCCEEDED else 0
            settle.end_task(self.gateway, tx, task, Verdict(state=state, charged=charged))
            return True

        self.plan(work, lambda books: books.end(task_id, state, share))

    @rule(account_id=account_ids, amount=amounts)
    def top_up(self, account_id, amount):
        def work(tx):
            ledger.top_up(tx, account_id, amount=amount, reason="", at=START)
            return True

        self.plan(work, lambda books: books.top_up(account_id, amount))

    @rule(account_id=account_ids, amount=amounts)
    def adjust(self, account_id, amount):
        def work(tx):
            ledger.adjust(tx, account_id, amount=amount, reason="", at=START)
            return True

        self.plan(work, lambda books: books.adjust(account_id, amount))

    # --- how it reaches the disk -------------------------------------------------------------

    @precondition(lambda self: self.group)
    @rule(fate=st.sampled_from(FATES))
    def commit(self, fate):
        works = [work for work, _ in self.group]
        if fate == "crash":
            self._crash(works)
            self.group.clear()
            return
        faults.arm(_fail_once() if fate == "fail_once" else None)
        outcomes = self._commit(works)
        faults.arm(None)
        if fate == "fail_once" and len(works) == 1:  # a single one is not tried again
            assert [worked for worked, _ in outcomes] == [False]
            self.group.clear()
        self.check_outcomes(outcomes[: len(self.group)])

    def _commit(self, works):
        """Commit a group with a disk that never makes it wait, so without an event loop."""

        async def on_disk(statement):
            self.connection.execute(statement)

        try:
            commit_group(self.connection, works, on_disk).send(None)
        except StopIteration as done:
            return done.value
        raise AssertionError

    def _crash(self, works):
        """Lose the process between the works and their commit."""
        faults.arm(_die)
        with pytest.raises(_KilledError):
            self._commit(works)
        faults.arm(None)
        self.connection.close()
        self.connection = self._connect()

    # --- what must hold whenever one looks -----------------------------------------------------

    @invariant()
    def ledger_is_sound(self):
        tx = SqliteTx(self.connection)
        assert ledger.verify(tx) == []
        assert tasks.unsound(tx) == []

    @invariant()
    def all_entries_sum_to_zero(self):
        assert self._one("SELECT sum(available_delta + held_delta + house_delta)"
                         " FROM ledger_entries") in {0, None}  # fmt: skip

    @invariant()
    def credits_are_where_the_model_says(self):
        tx = SqliteTx(self.connection)
        for account_id, purse in self.books.purses.items():
            assert ledger.balance(tx, account_id) == Balance(purse.available, purse.held)
            (key,) = accounts.keys_of(tx, account_id)
            assert key.spent == purse.spent

    @invariant()
    def tasks_are_as_the_model_says(self):
        tx = SqliteTx(self.connection)
        assert self._one("SELECT count(*) FROM tasks") == len(self.books.jobs)
        for task_id, job in self.books.jobs.items():
            task = tasks.get(tx, task_id)
            assert (task.state, task.price, task.charged) == (job.state, job.price, job.charged)

    @invariant()
    def no_ended_task_has_an_open_hold(self):
        assert not self._one(
            "SELECT count(*) FROM tasks JOIN holds ON holds.task_id = tasks.id"
            " WHERE (holds.state = 'open') <> "
            "(tasks.state IN ('queued', 'submitting', 'running', 'storing'))"
        )

    @invariant()
    def revenue_is_what_successes_cost(self):
        revenue = self._one("SELECT sum(house_delta) FROM ledger_entries WHERE book = 'revenue'")
        assert (revenue or 0) == sum(job.charged for job in self.books.jobs.values())

    # --- leaves ------------------------------------------------------------------------------

    def plan(self, work, expect):
        self.group.append((work, expect))

    def plan_step(self, work, task_id, state, *may_come_from: TaskState):
        self.plan(work, lambda books: books.step(task_id, state, may_come_from.__contains__))

    def check_outcomes(self, outcomes):
        for (_, expect), (worked, result) in zip(self.group, outcomes, strict=True):
            self.books, expected = expect(self.books)
            assert (result if worked else _code(result)) == expected
        self.group.clear()

    def teardown(self):
        self.connection.close()
        shutil.rmtree(self.folder)

    def _connect(self):
        connection = connect(self.path)
        connection.execute("PRAGMA synchronous=OFF")  # no power is lost here
        return connection

    def _one(self, query):
        return self.connection.execute(query).fetchone()[0]


class _KilledError(BaseException):
    """Stands for the end of the process: no handler of the store may catch it."""


def _die(name):
    if name == "writer.before_commit":
        raise _KilledError


def _fail_once():
    left = 1

    def act(name):
        nonlocal left
        if name == "writer.before_commit" and left:
            left -= 1
            raise OSError

    return act


def _code(error):
    if isinstance(error, settle.AlreadyEndedError):
        return ALREADY_ENDED
    assert isinstance(error, PorticoError), error
    return error.code


TestMoney = Money.TestCase
TestMoney.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
