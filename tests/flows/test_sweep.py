"""What is over is put away, what a crash left open is taken up, and nothing else is touched."""

import asyncio
import os
from dataclasses import replace

import pytest

from portico.catalogue.catalogue import build
from portico.core import faults
from portico.core.clock import DAY_MS, HOUR_MS
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import MediaAsk
from portico.core.money import MICRO
from portico.core.views import TaskState
from portico.flows import chat, download, lookup, sweep
from portico.flows.submit import Repeat, Terms
from portico.flows.sweep import ORPHAN_AFTER_S, run_sweeps, sweep_files, sweep_orphans
from portico.testing import START, let_run
from tests.flows.test_chat import Gate, begin, writes
from tests.flows.wiring import MADE, UNDER_WAY, VIDEO, until

PRICE = 5 * MICRO
REPEAT = Repeat("chat", "key-1", "digest")
KEY = "a/b/ast_ab2345672345.mp4"


@pytest.fixture(autouse=True)
def disarmed():
    yield
    faults.arm(None)


async def test_result_goes_after_its_days_and_the_task_stays(house):
    task_id = await house.submit()
    await house.run(task_id)
    house.clock.jump(15 * DAY_MS - 1)
    assert await sweep_files(house.gateway) == 0
    house.clock.jump(1)

    assert await sweep_files(house.gateway) == 1

    assert house.stored == []
    assert (await house.task(task_id)).state is TaskState.SUCCEEDED
    with pytest.raises(PorticoError) as caught:
        await download.result_of(house.gateway, house.caller, task_id)
    assert caught.value.code is ErrorCode.RESULT_EXPIRED
    assert await sweep_files(house.gateway) == 0


async def test_more_results_than_one_round_takes_all_go(house, monkeypatch):
    monkeypatch.setattr(sweep, "BATCH", 2)
    ids = [await house.submit() for _ in range(5)]
    for task_id in ids:
        await house.run(task_id)
    house.clock.jump(15 * DAY_MS + 1)

    await sweep.sweep(house.gateway)

    assert house.stored == []
    assert {(await house.task(task_id)).job for task_id in ids} == {"{}"}


async def test_prompt_is_forgotten_with_the_result_not_before(house):
    task_id = await house.submit()
    await house.run(task_id)
    await sweep.sweep(house.gateway)
    assert "the sea" in (await house.task(task_id)).job
    house.clock.jump(15 * DAY_MS + 1)

    await sweep.sweep(house.gateway)

    view = await lookup.task(house.gateway, house.caller, task_id)
    assert "the sea" not in (await house.task(task_id)).job
    assert (view.state, view.charged, view.params) == (TaskState.SUCCEEDED, PRICE, {})


async def test_crash_between_file_and_row_only_repeats_the_deletion(house):
    await house.run(await house.submit())
    house.clock.jump(15 * DAY_MS)
    crash_at("writer.before_commit")
    with pytest.raises(PorticoError):
        await sweep_files(house.gateway)
    assert house.stored == []
    faults.arm(None)

    assert await sweep_files(house.gateway) == 1


async def test_open_task_is_never_swept(house):
    house.answers(UNDER_WAY)
    task_id = await house.submit()
    await house.step(task_id)
    house.clock.jump(40 * DAY_MS)

    await sweep.sweep(house.gateway)

    assert "the sea" in (await house.task(task_id)).job


def lay_orphan(house, *, age_ms):
    path = house.folder / "files" / KEY
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(VIDEO)
    written_s = (house.clock.now() - age_ms) / 1000
    os.utime(path, (written_s, written_s))
    return path


async def test_file_without_a_record_goes_after_an_hour_of_watching(house):
    path = lay_orphan(house, age_ms=2 * HOUR_MS)

    assert await sweep_orphans(house.gateway) == 0
    await house.clock.advance(ORPHAN_AFTER_S - 1)
    assert await sweep_orphans(house.gateway) == 0
    await house.clock.advance(1)
    assert await sweep_orphans(house.gateway) == 1

    assert not path.exists()
    assert house.gateway.live.suspects == {}


async def test_wall_clock_that_jumps_ahead_takes_no_fresh_file(house):
    path = lay_orphan(house, age_ms=0)
    house.clock.jump(30 * DAY_MS)
    for _ in range(3):
        assert await sweep_orphans(house.gateway) == 0
        await house.clock.advance(60)
    assert path.exists()


async def test_recorded_file_is_no_orphan(house):
    await house.run(await house.submit())
    for _ in range(3):
        await sweep_orphans(house.gateway)
        await house.clock.advance(ORPHAN_AFTER_S)
    assert len(house.stored) == 1


async def test_file_that_is_recorded_meanwhile_is_spared(house):
    lay_orphan(house, age_ms=2 * HOUR_MS)
    await sweep_orphans(house.gateway)
    assert set(house.gateway.live.suspects) == {KEY}
    (house.folder / "files" / KEY).unlink()
    await house.clock.advance(ORPHAN_AFTER_S)

    assert await sweep_orphans(house.gateway) == 0
    assert house.gateway.live.suspects == {}


def crash_at(point):
    """Fail whatever passes a fault point."""

    def act(reached):
        if reached == point:
            raise OSError(point)

    faults.arm(act)


@pytest.mark.parametrize(
    "point",
    [
        "attempt.before_commit",
        "start.before_call",
        "start.after_call",
        "attempt.after_commit",
        "check.after_call",
        "storing.after_commit",
        "collect.after_store",
        "settle.before_commit",
    ],
)
async def test_task_a_crash_left_open_is_taken_up_and_charged_once(house, point):
    house.upstream.restartable = True
    house.answers(UNDER_WAY, MADE)
    task_id = await house.submit()
    crash_at(point)
    with pytest.raises(OSError, match=point):
        await house.run(task_id)
    faults.arm(None)
    house.engine.woken.clear()

    assert await house.restart() == 1
    assert house.engine.woken == [task_id]
    house.answers(UNDER_WAY, MADE)
    task = await house.run(task_id)

    assert (task.state, task.charged) == (TaskState.SUCCEEDED, PRICE)
    await house.assert_charged(PRICE)


@pytest.mark.parametrize(
    "point", ["attempt.after_commit", "storing.after_commit", "collect.after_store"]
)
async def test_result_that_came_at_once_and_was_lost_is_asked_for_under_its_key(house, point):
    house.upstream.restartable = True
    task_id = await house.submit()
    crash_at(point)
    with pytest.raises(OSError, match=point):
        await house.run(task_id)
    faults.arm(None)

    assert (await house.run(task_id)).state is TaskState.SUCCEEDED
    assert house.upstream.checked == []  # the upstream never gave an id to ask by
    assert len({attempt_id for attempt_id, _ in house.upstream.started}) == 1
    await house.assert_charged(PRICE)


async def test_crash_after_the_settlement_leaves_nothing_to_do(house):
    task_id = await house.submit()
    crash_at("settle.after_commit")
    assert (await house.run(task_id)).state is TaskState.SUCCEEDED
    faults.arm(None)

    assert await house.restart() == 0
    assert house.work == []
    await house.assert_charged(PRICE)


async def test_text_a_crash_left_open_is_refunded_and_its_key_is_free(house):
    gate = Gate()
    writes(house, gate)
    stream = await begin(house, Terms(repeat=REPEAT))
    await gate.reached.wait()
    stream._pump.cancel()
    await asyncio.gather(stream._pump, return_exceptions=True)

    await house.restart()

    assert (await house.task(stream.task_id)).failure_code is ErrorCode.UPSTREAM_FAILED
    assert await chat.replayed(house.gateway, house.caller, REPEAT) is None
    await house.assert_charged(0)


async def test_work_folders_of_open_tasks_alone_survive_a_restart(house):
    house.answers(UNDER_WAY)
    task_id = await house.submit()
    await house.step(task_id)
    (house.gateway.work_folder / "ast_forgotten").mkdir()

    await house.restart()

    assert house.work == [str(task_id)]


async def test_first_start_has_nothing_to_recover(house):
    assert await house.restart() == 0
    assert house.work == []


async def test_sweeps_go_on_after_one_that_failed(house):
    await house.run(await house.submit())
    house.clock.jump(15 * DAY_MS + 1)
    crash_at("sweep.before_delete")
    sweeping = asyncio.create_task(run_sweeps(house.gateway))
    await until(lambda: house.clock.sleepers)
    assert len(house.stored) == 1
    faults.arm(None)

    await house.clock.advance(sweep.EVERY_S)
    await until(lambda: house.clock.sleepers)
    await let_run()
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)

    assert house.stored == []


async def test_model_that_is_no_longer_sold_goes_on_at_the_stored_price(house):
    house.answers(UNDER_WAY, MADE)
    task_id = await house.submit(MediaAsk(dialect="portico", name="portico/scene", prompt="sea"))
    waiting = await house.submit()
    await house.step(task_id)
    house.gateway = replace(house.gateway, catalogue=build([]))

    task = await house.run(task_id)
    view = await lookup.task(house.gateway, house.caller, task_id)
    never_begun = await house.run(waiting)

    assert (task.state, task.charged, view.provider_label) == (TaskState.SUCCEEDED, PRICE, "")
    assert never_begun.failure_code is ErrorCode.UNKNOWN_MODEL
    assert house.clock.now() >= START
    await house.assert_charged(PRICE)
