"""Admission at library level: group commit against one by one, on the same disk in the same run."""

import asyncio
import time
from pathlib import Path

import pytest

from portico import ledger, settings, tasks
from portico.app import open_desk
from portico.core.jobs import Kind, Mode
from portico.core.money import MICRO
from portico.core.views import TaskState
from portico.flows import administer
from portico.flows.administer import Desk
from portico.store import Tx
from portico.tasks import NewTask

pytestmark = pytest.mark.bench
EMAIL = "bench@example.com"


async def admit(desk: Desk, account_id: str, key_id: str) -> None:
    """Hold and record one task, as a submit does."""
    now = desk.clock.now()
    task = NewTask(
        id=desk.ids.task_id(),
        account_id=account_id,
        key_id=key_id,
        dialect="xpilot",
        offered_name="m",
        kind=Kind.VIDEO,
        mode=Mode.TEXT,
        model="m",
        offering="xpilot:m",
        state=TaskState.QUEUED,
        job="{}" * 150,
        quote="{}" * 50,
        price=1,
        created_at=now,
        deadline_at=now,
    )

    def write(tx: Tx) -> None:
        ledger.hold(tx, account_id, amount=1, task_id=task.id, at=now)
        tasks.create(tx, task)

    await desk.store.write(write)


async def measure(desk: Desk, account_id: str, key_id: str) -> tuple[float, float]:
    one_by_one, together = 1_000, 30_000
    began_at = time.perf_counter()
    for _ in range(one_by_one):
        await admit(desk, account_id, key_id)
    single = one_by_one / (time.perf_counter() - began_at)
    left = iter(range(together))

    async def worker() -> None:
        while next(left, None) is not None:
            await admit(desk, account_id, key_id)

    began_at = time.perf_counter()
    await asyncio.gather(*[worker() for _ in range(400)])
    return single, together / (time.perf_counter() - began_at)


def test_group_commit_against_one_by_one(tmp_path: Path) -> None:
    async def main() -> tuple[float, float]:
        desk = await open_desk(settings.load({}, data=str(tmp_path)))
        account = await administer.create_account(desk, EMAIL, amount=10_000 * MICRO)
        key = await administer.create_key(desk, EMAIL)
        result = await measure(desk, account.id, key.key_id)
        await desk.store.close()
        return result

    single, grouped = asyncio.run(main())
    print(
        f"\nadmissions: {grouped:,.0f}/s in groups (floor 10,000), {single:,.0f}/s one by one, "
        f"{grouped / single:.1f} times (floor 4)"
    )
