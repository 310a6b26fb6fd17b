"""Old tasks go, a few at a time; what they cost, and what they counted, stays."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from portico import delivery, ledger
from portico.core import faults
from portico.core.clock import DAY_MS, MINUTE_MS
from portico.core.errors import ErrorCode, PorticoError
from portico.core.money import MICRO
from portico.delivery import DeliveryState
from portico.engines import Runner
from portico.flows import lookup, retention, settle
from portico.flows.retention import remove_old, run_retention
from portico.flows.submit import Repeat
from portico.flows.sweep import sweep, sweep_files
from portico.flows.usage import UsageAsk, report, roll_up
from portico.store import Statement
from tests.flows.wiring import UNDER_WAY, until
from tests.full_rows import TABLES

PRICE = 5 * MICRO
KEPT = 20 * DAY_MS
CALLBACK = "https://example.com/hook"
GONE = {"tasks": 0, "attempts": 0, "assets": 0, "deliveries": 0, "requests": 0}


@pytest.fixture(autouse=True)
def disarmed():
    yield
    faults.arm(None)


@pytest.fixture
def house(house):
    house.limited(task_kept_ms=KEPT)
    return house


@pytest.fixture
def at_once(monkeypatch):
    """Take no pauses between batches."""
    monkeypatch.setattr(retention, "PAUSE_S", 0.0)


async def counts(house, names=tuple(GONE)):
    def look(tx):
        found = {}
        for name in names:
            count = select(func.count().label("number")).select_from(TABLES[name])
            found[name] = tx.one(Statement(count))["number"]
        return found

    return await house.gateway.store.read(look)


async def used(house):
    return await report(house.desk, UsageAsk())


async def delivered(house, task_id):
    owed = await house.owed(task_id)
    await house.gateway.store.write(
        lambda tx: delivery.record_attempt(
            tx, owed.id, state=DeliveryState.DELIVERED, next_at=0, status=200
        )
    )


async def grow_old(house, by=KEPT + MINUTE_MS):
    """Let days pass, as a server would that sweeps at their end."""
    house.clock.jump(by)
    await sweep(house.gateway)
    await roll_up(house.gateway)


async def test_old_task_goes_with_all_that_was_its_own(house, at_once):
    repeat = Repeat("submit", "key-1", "digest")
    task_id = await house.submit(callback_url=CALLBACK, repeat=repeat)
    await house.run(task_id)
    await delivered(house, task_id)
    before = await used(house)
    await grow_old(house)

    assert await remove_old(house.gateway) == 1

    assert await counts(house) == GONE
    assert await used(house) == before
    await house.assert_charged(PRICE)
    entries = await house.gateway.store.read(
        lambda tx: ledger.entries_of(tx, house.caller.account_id)
    )
    assert [each.task_id for each in entries] == [task_id, task_id, None]
    with pytest.raises(PorticoError) as caught:
        await lookup.task(house.gateway, house.caller, task_id)
    assert caught.value.code is ErrorCode.TASK_NOT_FOUND
    assert await remove_old(house.gateway) == 0


async def test_task_stays_as_many_days_as_it_should(house, at_once):
    await house.run(await house.submit())
    await grow_old(house, KEPT - MINUTE_MS)
    assert await remove_old(house.gateway) == 0
    await grow_old(house, 2 * MINUTE_MS)
    assert await remove_old(house.gateway) == 1


async def test_task_stays_until_its_day_is_rolled_up(house, at_once):
    await house.run(await house.submit())
    house.clock.jump(KEPT + MINUTE_MS)
    await sweep(house.gateway)
    assert await remove_old(house.gateway) == 0
    await roll_up(house.gateway)
    assert await remove_old(house.gateway) == 1


async def test_tasks_stay_for_ever_where_the_operator_says_so(house, at_once):
    house.limited(task_kept_ms=None)
    await house.run(await house.submit())
    await grow_old(house, 2 * KEPT)
    assert await remove_old(house.gateway) == 0


async def test_task_whose_result_can_still_be_fetched_stays(house, at_once):
    house.limited(result_kept_ms=2 * KEPT)
    await house.run(await house.submit())
    await grow_old(house)
    assert await remove_old(house.gateway) == 0


async def test_task_whose_file_is_not_swept_yet_stays(house, at_once):
    await house.run(await house.submit())
    house.clock.jump(KEPT + MINUTE_MS)
    await roll_up(house.gateway)
    assert await remove_old(house.gateway) == 0
    await sweep(house.gateway)
    assert await remove_old(house.gateway) == 1


async def test_task_whose_event_is_still_owed_stays(house, at_once):
    task_id = await house.submit(callback_url=CALLBACK)
    await house.run(task_id)
    await grow_old(house)
    assert await remove_old(house.gateway) == 0
    await delivered(house, task_id)
    assert await remove_old(house.gateway) == 1


async def test_open_task_is_never_removed_and_holds_up_nobody(house, at_once):
    house.answers(UNDER_WAY)
    waiting = await house.submit()
    await house.step(waiting)
    ended = await house.task(await house.submit())
    await settle.fail(house.gateway, ended, PorticoError(ErrorCode.UPSTREAM_FAILED, "no"))
    await grow_old(house)
    assert await remove_old(house.gateway) == 1
    assert (await house.task(waiting)).id == waiting


async def test_key_of_a_removed_task_makes_a_new_one(house, at_once):
    repeat = Repeat("submit", "key-1", "digest")
    first = await house.submit(repeat=repeat)
    await house.run(first)
    house.clock.jump(KEPT + MINUTE_MS)
    await sweep_files(house.gateway)  # and not what the sweep does after it
    await roll_up(house.gateway)
    assert await remove_old(house.gateway) == 1
    assert await house.submit(repeat=repeat) != first


async def test_task_is_kept_as_long_as_its_idempotency_key(house, at_once):
    house.limited(task_kept_ms=DAY_MS, result_kept_ms=0, idempotency_kept_ms=5 * DAY_MS)
    repeat = Repeat("submit", "key-1", "digest")
    first = await house.submit(repeat=repeat)
    await house.run(first)
    await grow_old(house, 4 * DAY_MS)
    assert await remove_old(house.gateway) == 0
    assert await house.submit(repeat=repeat) == first


async def test_number_of_a_removed_task_takes_no_second_hold(house, at_once):
    task_id = await house.submit()
    await house.run(task_id)
    await grow_old(house)
    await remove_old(house.gateway)
    before = await house.balance()
    await house.gateway.store.write(
        lambda tx: ledger.hold(
            tx, house.caller.account_id, amount=PRICE, task_id=task_id, at=house.clock.now()
        )
    )
    assert await house.balance() == before
    await house.assert_sound()


async def test_admissions_come_between_two_batches(house, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    for _ in range(5):
        await house.run(await house.submit())
    await grow_old(house)
    removing = asyncio.create_task(remove_old(house.gateway))
    left = []
    while not removing.done():
        await until(lambda: house.clock.sleepers or removing.done())
        if not removing.done():
            left.append((await counts(house))["tasks"])
            await house.submit()
            await house.clock.advance(retention.PAUSE_S)
    assert (await removing, left) == (5, [3, 2, 2])


async def test_crash_in_a_batch_removes_nothing_by_half(house, at_once):
    for _ in range(3):
        await house.run(await house.submit())
    before = await used(house)
    await grow_old(house)
    everything = await counts(house)

    def act(reached):
        if reached == "writer.before_commit":
            raise OSError

    faults.arm(act)
    with pytest.raises(PorticoError):
        await remove_old(house.gateway)
    faults.arm(None)

    assert await counts(house, ("tasks", "attempts", "assets")) == {
        name: everything[name] for name in ("tasks", "attempts", "assets")
    }
    assert await remove_old(house.gateway) == 3
    assert await used(house) == before
    await house.assert_charged(3 * PRICE)


async def test_process_that_does_not_lead_removes_nothing(house, at_once):
    await house.run(await house.submit())
    await grow_old(house)
    follower = Runner("run_b")
    follower.leads.clear()
    assert await remove_old(replace(house.gateway, runner=follower)) == 0


async def test_rounds_go_on_after_one_that_failed(house, at_once):
    await house.run(await house.submit())
    house.clock.jump(KEPT + MINUTE_MS)
    await sweep(house.gateway)

    def act(reached):
        if reached == "roll_up.before_commit":
            raise OSError

    faults.arm(act)
    running = asyncio.create_task(run_retention(house.gateway))
    await until(lambda: house.clock.sleepers)
    assert (await counts(house))["tasks"] == 1
    faults.arm(None)
    await house.clock.advance(retention.EVERY_S)
    await until(lambda: house.clock.sleepers)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await counts(house) == GONE
