"""`portico margins`: what was charged and what it cost, for people and for programs."""

import asyncio
import os

import pytest

from portico import ledger, tasks
from portico.core.clock import SystemClock
from portico.core.money import MICRO
from portico.core.views import TaskState
from portico.settings import load
from portico.store import Tx, open_store
from portico.tasks import RouteTaken, Verdict
from portico.testing import add_account, admit, new_task

pytestmark = pytest.mark.usefixtures("either")
NOW = SystemClock().now()


@pytest.fixture
def sold(portico, either):
    """A video sold at a profit, one at a loss, and one of which nobody knows."""
    assert portico("migrate").code == 0

    def write(tx: Tx) -> None:
        caller = add_account(tx, amount=100 * MICRO)
        for task_id, cost in ((1, 1 * MICRO), (2, 7 * MICRO), (3, None)):
            admit(tx, new_task(task_id, caller, price=5 * MICRO, model="m"))
            tasks.start_attempt(
                tx,
                tasks.get(tx, task_id),
                attempt_id=f"att_{task_id}",
                route=RouteTaken("ark", "main", "u"),
                now=NOW,
                cost=cost,
            )
            ledger.capture(tx, task_id, amount=5 * MICRO, at=NOW)
            tasks.end(tx, task_id, Verdict(state=TaskState.SUCCEEDED, charged=5 * MICRO), now=NOW)
            tasks.end_attempt(tx, task_id, state=tasks.AttemptState.SUCCEEDED, now=NOW)

    async def run():
        store = await open_store(load({**os.environ}).database)
        await store.write(write)
        await store.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("model", ["m"]),
        ("customer", ["acc_a@example.com"]),
        ("credential", ["main"]),
        ("task", ["3", "2", "1"]),
    ],
)
def test_margin_is_shown_by_what_is_asked(portico, sold, by, keys):
    found = portico("margins", "--by", by, "--json").result

    assert [row["key"] for row in found["rows"]] == keys
    assert found["total"] == {
        "key": "total",
        "tasks": 3,
        "charged": "15",
        "cost": "8",
        "margin": "2",
        "negative_tasks": 1,
        "unknown_tasks": 1,
        "charged_for_unknown": "5",
    }


def test_days_are_dates(portico, sold):
    (row,) = portico("margins", "--by", "day", "--json").result["rows"]
    assert len(row["key"].split("-")) == 3


def test_losses_are_listed(portico, sold):
    ran = portico("margins", "--negative")
    assert ran.out.splitlines()[1].split()[:5] == ["2", "1", "5", "7", "-2"]
    assert "lists them" in portico("doctor").out


def test_time_can_be_chosen(portico, sold):
    assert portico("margins", "--since", "2099-01-01", "--json").result["rows"] == []
    assert portico("margins", "--until", "2020-01-01", "--json").result["rows"] == []
    assert portico("margins", "--since", "yesterday").code == 1


def test_task_that_is_removed_takes_its_costs_along(portico, sold):
    def write(tx: Tx) -> bool:
        tasks.note_text_cost(tx, 1, RouteTaken("ark", "main", "u"), cost=1)
        return tasks.remove(tx, 1)

    async def run():
        store = await open_store(load({**os.environ}).database)
        removed = await store.write(write)
        await store.close()
        return removed

    assert asyncio.run(run())
    assert portico("margins", "--json").result["total"]["tasks"] == 2
