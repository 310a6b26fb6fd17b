"""A process killed while it rolls up or removes loses no count and no credit."""

import subprocess
import time
from pathlib import Path

import pytest

from portico import accounts, ledger, tasks
from portico.core.clock import DAY_MS, MINUTE_MS, SystemClock
from portico.core.ids import TaskId, lowest_task_id
from portico.core.money import MICRO
from portico.core.usage import Tally
from portico.core.views import Caller, TaskState
from portico.flows.administer import Desk
from portico.flows.usage import UsageAsk, UsageReport, report
from portico.store import Tx
from portico.tasks import RouteTaken, Verdict
from portico.testing import admit, new_task
from tests.e2e.running import EMAIL, make_account, start, until, verify, with_desk
from tests.e2e.test_kill import ONLY_WITH_OLD_TASKS

pytestmark = pytest.mark.e2e
OLD, YOUNG = 6, 4
KILLS_MAX = 30
PRICE = 5 * MICRO


def add_tasks(data: Path) -> None:
    """Add tasks that ended ten days ago, and some that ended three days ago."""
    now = SystemClock().now()
    begun = [(now - 10 * DAY_MS, n) for n in range(OLD)] + [
        (now - 3 * DAY_MS, n) for n in range(YOUNG)
    ]

    def write(tx: Tx) -> None:
        account = accounts.by_email(tx, EMAIL)
        (key,) = accounts.keys_of(tx, account.id)
        caller = Caller(account.id, key.id, account.email, account.status)
        for at, number in begun:
            _one(tx, caller, lowest_task_id(at) + number, at)

    async def work(desk: Desk) -> None:
        await desk.store.write(write)

    with_desk(data, work)


def _one(tx: Tx, caller: Caller, task_id: TaskId, at: int) -> None:
    admit(tx, new_task(task_id, caller, price=PRICE, created_at=at))
    tasks.start_attempt(
        tx,
        tasks.get(tx, task_id),
        attempt_id=f"att_{task_id}",
        route=RouteTaken("local", "local", "scene"),
        now=at,
    )
    ledger.capture(tx, task_id, amount=PRICE, at=at + MINUTE_MS)
    verdict = Verdict(state=TaskState.SUCCEEDED, charged=PRICE, expires_at=at + DAY_MS)
    assert tasks.end(tx, task_id, verdict, now=at + MINUTE_MS)


def used(data: Path) -> UsageReport:
    async def work(desk: Desk) -> UsageReport:
        return await report(desk, UsageAsk())

    found = with_desk(data, work)
    assert isinstance(found, UsageReport)
    return found


def left(data: Path) -> int:
    """Return how many tasks there are."""

    async def work(desk: Desk) -> int:
        account = await desk.store.read(lambda tx: accounts.by_email(tx, EMAIL))
        return len(await desk.store.read(lambda tx: tasks.listing(tx, account.id)))

    found = with_desk(data, work)
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize("point", sorted(ONLY_WITH_OLD_TASKS))
def test_killed_at_a_point_counts_and_credits_stay_exact(point: str, data: Path) -> None:
    key = make_account(data, balance=100)
    add_tasks(data)
    before = used(data)
    assert before.total == Tally(succeeded=OLD + YOUNG, charged=(OLD + YOUNG) * PRICE)

    kills, died = 0, True
    while died and kills < KILLS_MAX:  # later and later, until a run meets the point no more
        fault = f"{point}:kill:{kills + 1}"
        server = start(data, key, PORTICO_TASK_DAYS="7", PORTICO_FAULT=fault)
        died = not _came_through(server.process, data)
        server.kill()
        kills += died
        assert used(data) == before
        assert verify(data) == []

    assert 0 < kills < KILLS_MAX
    assert left(data) == YOUNG


def _came_through(process: subprocess.Popen[bytes], data: Path) -> bool:
    """Wait until the old tasks are gone, or the process has died at its point."""
    for _ in until(30):
        if process.poll() is not None:
            return False
        if left(data) == YOUNG:
            time.sleep(0.3)  # the point may lie just behind
            return process.poll() is None
    message = "the old tasks are still there"
    raise AssertionError(message)
