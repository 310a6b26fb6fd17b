"""What was used is counted once, on the day it ended, whether it is rolled up or not."""

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest

from portico import usage
from portico.core import faults
from portico.core.clock import DAY_MS, HOUR_MS
from portico.core.errors import ErrorCode, PorticoError
from portico.core.money import MICRO
from portico.core.usage import Tally, add_up, day_of, day_text, start_of
from portico.core.views import TaskState
from portico.engines import Runner
from portico.flows import cancel, settle
from portico.flows import usage as flow
from portico.flows.usage import FINISHED_AFTER_MS, UsageAsk, report, roll_up
from portico.testing import START
from portico.usage import Grouping
from tests.flows.test_chat import USAGE, WHOLE, begin, writes
from tests.flows.wiring import PICTURE_ASK, UNDER_WAY

PRICE = 5 * MICRO
TODAY = day_of(START)
OVER = start_of(TODAY + 1) + FINISHED_AFTER_MS - START  # from the start until today is finished


@pytest.fixture(autouse=True)
def disarmed():
    yield
    faults.arm(None)


async def told(house, **asked: Any):
    """Return what a report says, by label."""
    found = await report(house.desk, UsageAsk(**asked))
    assert found.total == add_up(line.tally for line in found.lines)
    return {line.label: line.tally for line in found.lines}


async def progress(house):
    return await house.gateway.store.read(usage.progress)


async def test_nothing_used_is_no_line(house):
    assert await told(house) == {}
    assert await roll_up(house.gateway) == 0


async def test_task_that_ended_just_now_is_reported_at_once(house):
    await house.run(await house.submit())
    house.answers(UNDER_WAY)
    await house.submit()  # and one under way is not
    assert await told(house) == {"2027-01-15": Tally(succeeded=1, charged=PRICE)}


async def test_day_is_rolled_up_an_hour_after_its_end(house):
    await house.run(await house.submit())
    before = await told(house)
    house.clock.jump(OVER - (house.clock.now() - START) - 1)
    assert (await roll_up(house.gateway), await progress(house)) == (0, None)
    house.clock.jump(1)

    assert await roll_up(house.gateway) == 1

    assert (await progress(house)).next_day == TODAY + 1
    assert await told(house) == before
    assert await roll_up(house.gateway) == 0


async def test_every_end_counts_as_what_it_is(house):
    await cancel.cancel(house.gateway, house.caller, await house.submit())
    for state in (TaskState.FAILED, TaskState.EXPIRED):
        error = PorticoError(ErrorCode.UPSTREAM_FAILED, "no")
        await settle.fail(house.gateway, await house.task(await house.submit()), error, state=state)
    wanted = Tally(failed=1, cancelled=1, expired=1, released=3 * PRICE)
    assert await told(house) == {day_text(TODAY): wanted}
    house.clock.jump(OVER)
    await roll_up(house.gateway)
    assert await told(house) == {day_text(TODAY): wanted}


async def test_text_counts_its_llm_tokens_and_what_it_did_not_need(house):
    writes(house, *WHOLE)
    stream = await begin(house)
    async for _ in stream:
        pass
    task = await house.task(stream.task_id)
    (tally,) = (await told(house, by=Grouping.MODEL)).values()
    assert (tally.succeeded, tally.charged) == (1, task.charged)
    assert tally.released == task.price - task.charged > 0
    assert (tally.input_tokens, tally.output_tokens) == (USAGE.input_tokens, USAGE.output_tokens)


async def test_task_open_over_midnight_counts_on_the_day_it_ended(house):
    await house.run(await house.submit())
    late = await house.submit()
    house.clock.jump(OVER)
    assert await roll_up(house.gateway) == 1
    await settle.succeed(house.gateway, await house.task(late), [], {})
    house.clock.jump(DAY_MS)

    assert await roll_up(house.gateway) == 1

    one = Tally(succeeded=1, charged=PRICE)
    assert await told(house) == {day_text(TODAY): one, day_text(TODAY + 1): one}


async def test_days_without_a_process_are_rolled_up_later(house):
    await house.run(await house.submit())
    house.clock.jump(5 * DAY_MS)
    await house.run(await house.submit())
    house.clock.jump(2 * DAY_MS)
    assert await roll_up(house.gateway) == 3  # the empty ones need no step
    assert (await progress(house)).next_day == TODAY + 7
    assert list(await told(house)) == [day_text(TODAY), day_text(TODAY + 5)]


async def test_more_days_than_are_counted_at_once_are_all_rolled_up(house, monkeypatch):
    monkeypatch.setattr(flow, "DAYS_AT_ONCE", 2)
    for _ in range(5):
        await house.run(await house.submit())
        house.clock.jump(DAY_MS)
    house.clock.jump(DAY_MS)
    before = await told(house)
    await roll_up(house.gateway)
    assert (await progress(house)).next_day == TODAY + 6
    assert (await told(house), len(before)) == (before, 5)


async def test_report_tells_models_keys_and_accounts_apart(house):
    other = await house.other_caller("acc_b")
    await house.run(await house.submit())
    await house.run(await house.submit(PICTURE_ASK))
    mine, house.caller = house.caller, other
    await house.run(await house.submit())
    for _ in range(2):  # from tasks, then from roll-ups
        models = await told(house, by=Grouping.MODEL, email=mine.email)
        assert [tally.tasks for tally in models.values()] == [1, 1]
        keys = await told(house, by=Grouping.KEY)
        assert {key: tally.tasks for key, tally in keys.items()} == {
            mine.key_id: 2,
            other.key_id: 1,
        }
        house.clock.jump(OVER)
        await roll_up(house.gateway)


async def test_report_keeps_to_the_days_asked_for(house):
    for _ in range(3):
        await house.run(await house.submit())
        house.clock.jump(DAY_MS)
    await roll_up(house.gateway)
    names = [day_text(TODAY + n) for n in range(3)]
    assert list(await told(house)) == names
    assert list(await told(house, since=TODAY + 1)) == names[1:]
    assert list(await told(house, until=TODAY + 1)) == names[:2]
    assert list(await told(house, since=TODAY + 2, until=TODAY + 2)) == names[2:]
    assert await told(house, since=TODAY + 3) == {}


async def test_report_on_an_unknown_account_is_refused(house):
    with pytest.raises(PorticoError, match="No account"):
        await told(house, email="nobody@example.com")


async def test_crash_before_the_commit_leaves_the_day_to_the_next_round(house):
    await house.run(await house.submit())
    before = await told(house)
    house.clock.jump(OVER)

    def act(reached):
        if reached == "roll_up.before_commit":
            raise OSError

    faults.arm(act)
    with pytest.raises(OSError):
        await roll_up(house.gateway)
    faults.arm(None)

    assert (await told(house), await progress(house)) == (before, None)
    assert (await roll_up(house.gateway), await told(house)) == (1, before)


async def test_two_processes_at_once_count_nothing_twice(house):
    for _ in range(3):
        await house.run(await house.submit())
        house.clock.jump(DAY_MS)
        await asyncio.gather(*(roll_up(house.gateway) for _ in range(4)), return_exceptions=True)
    assert (await progress(house)).next_day == TODAY + 3
    assert {tally.tasks for tally in (await told(house)).values()} == {1}


async def test_process_that_does_not_lead_rolls_nothing_up(house):
    await house.run(await house.submit())
    house.clock.jump(OVER)
    follower = Runner("run_b")
    follower.leads.clear()
    assert await roll_up(replace(house.gateway, runner=follower)) == 0


async def test_clock_that_was_days_ahead_costs_no_task_its_place(house):
    await house.run(await house.submit())
    house.clock.jump(10 * DAY_MS)
    await house.run(await house.submit())
    await roll_up(house.gateway)
    house.clock.jump(-9 * DAY_MS)
    await roll_up(house.gateway)
    await house.run(await house.submit())

    one = Tally(succeeded=1, charged=PRICE)
    wanted = {day_text(TODAY + n): one for n in (0, 1, 10)}
    assert await told(house) == wanted
    for _ in range(12):
        house.clock.jump(DAY_MS)
        await roll_up(house.gateway)
        assert await told(house) == wanted


async def test_clock_that_steps_back_over_the_hour_undoes_nothing(house):
    await house.run(await house.submit())
    house.clock.jump(OVER)
    await roll_up(house.gateway)
    house.clock.jump(-HOUR_MS)
    assert await roll_up(house.gateway) == 0
    assert (await progress(house)).next_day == TODAY + 1


async def test_whatever_happens_when_the_report_agrees_with_the_tasks(house):
    chance = random.Random(3)  # noqa: S311 - repeatable on purpose
    open_ids: list[int] = []
    wanted: dict[str, int] = {}
    for _ in range(60):
        house.clock.jump(chance.randrange(5 * HOUR_MS))
        open_ids += [await house.submit() for _ in range(chance.randrange(3))]
        for task_id in chance.sample(open_ids, chance.randrange(len(open_ids) + 1) // 2):
            open_ids.remove(task_id)
            await settle.succeed(house.gateway, await house.task(task_id), [], {})
            day = day_text(day_of(house.clock.now()))
            wanted[day] = wanted.get(day, 0) + 1
        if chance.random() < 0.5:
            await roll_up(house.gateway)
        assert {day: tally.succeeded for day, tally in (await told(house)).items()} == wanted
    assert (await progress(house)).next_day > TODAY + 3
