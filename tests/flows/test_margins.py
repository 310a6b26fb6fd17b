"""What upstreams take is noted once they say it, and adds up whatever way it is looked at."""

from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from portico import tasks
from portico.core.clock import DAY_MS
from portico.core.errors import PorticoError
from portico.core.jobs import ChatUsage, Chunk, MediaAsk, RouteClass
from portico.core.money import MICRO
from portico.core.upstreams import Trouble
from portico.core.views import TaskState
from portico.flows import cancel
from portico.flows.chat import complete
from portico.flows.margins import losses_lately, report
from portico.providers.base import Finished, OutputFile
from portico.tasks.margins import BY
from portico.testing import START
from tests.flows.upstreams import connect, fake, trouble
from tests.flows.wiring import MADE, SAMPLES, UNDER_WAY, chat_ask

ASK = MediaAsk(dialect="portico", name="m", prompt="the sea")
ONLY = ", weight = 0"
COSTS = ', upstream_cost = "2"'  # of five credits charged
DEAR = ', upstream_cost = "7"'
MEASURED = Finished(
    outputs=(OutputFile("output", path=SAMPLES / "simulated.mp4"),), usage={"seconds": 3}
)
WHOLE = (
    Chunk(text="One"),
    Chunk(finish="stop", usage=ChatUsage(input_tokens=1_000_000, output_tokens=1_000_000)),
)
CHAT = chat_ask(name="m")
PER_SECOND = '[costs.timed]\nrule = "per_second"\namount = "0.5"\n'
PER_TOKEN = '[costs.texts]\nrule = "per_llm_token"\ninput = "0.25"\noutput = "0.25"\n'


async def costs(house, task_id):
    return [each.cost for each in await house.attempts(task_id)]


async def found(house, by="task", **given: Any):
    return await report(house.desk, by, since=START, until=START + 99 * DAY_MS, **given)


async def test_measured_cost_is_noted_with_its_attempt(house):
    connect(
        house,
        {"first": fake(MEASURED)},
        first_route=', upstream_cost = "timed"',
        costs=PER_SECOND,
    )
    task_id = await house.submit(ASK)
    await house.run(task_id)

    assert await costs(house, task_id) == [1_500_000]
    total = (await found(house)).total
    assert (total.revenue, total.cost, total.margin) == (5 * MICRO, 1_500_000, 3_500_000)
    assert (total.unknown_tasks, total.negative_tasks) == (0, 0)


async def test_what_nobody_knows_is_counted_apart_and_never_as_profit(house):
    connect(house, {"first": fake(MADE)})
    task_id = await house.submit(ASK)
    await house.run(task_id)

    assert await costs(house, task_id) == [None]
    total = (await found(house)).total
    assert (total.unknown_tasks, total.unknown_revenue) == (1, 5 * MICRO)
    assert (total.cost, total.margin) == (0, 0)


async def test_what_is_built_in_costs_nothing(house):
    task_id = await house.submit()
    await house.run(task_id)
    assert await costs(house, task_id) == [0]


async def test_refused_attempt_costs_nothing_and_is_not_unknown(house):
    connect(
        house,
        {"first": fake(trouble(Trouble.BUSY)), "second": fake(MADE)},
        first_route=COSTS,
        second_route=COSTS + ONLY,
    )
    task_id = await house.submit(ASK)
    await house.run(task_id)

    assert await costs(house, task_id) == [None, 2 * MICRO]
    rows = {row.key: row for row in (await found(house, "credential")).rows}
    assert (rows["second"].margin, rows["second"].unknown_tasks) == (3 * MICRO, 0)
    assert (rows["first"].margin, rows["first"].unknown_tasks) == (0, 0)


async def test_failure_that_its_upstream_measured_costs_without_a_charge(house):
    failed = trouble(Trouble.FAILED, usage={"seconds": 2})
    connect(
        house,
        {"first": fake(UNDER_WAY, failed)},
        first_route=', upstream_cost = "timed"',
        costs=PER_SECOND,
    )
    task_id = await house.submit(ASK)
    with capture_logs() as logs:
        task = await house.run(task_id)

    assert task.state is TaskState.FAILED
    assert await costs(house, task_id) == [MICRO]
    assert (await found(house)).total.margin == -MICRO
    (warning,) = [each for each in logs if each["event"] == "negative_margin"]
    assert warning == {"event": "negative_margin", "log_level": "warning", "task_id": task_id}
    await house.assert_charged(0)


async def test_failure_of_which_nothing_was_measured_is_not_charged_for(house):
    connect(house, {"first": fake(UNDER_WAY, trouble(Trouble.FAILED))}, first_route=COSTS)
    task_id = await house.submit(ASK)
    await house.run(task_id)
    assert (await found(house)).total.cost == 0


async def test_result_that_cannot_be_used_was_paid_for_all_the_same(house):
    connect(house, {"first": fake(UNDER_WAY, Finished(outputs=()))}, first_route=COSTS)
    task_id = await house.submit(ASK)

    task = await house.run(task_id)

    assert task.state is TaskState.FAILED
    assert await costs(house, task_id) == [2 * MICRO]


async def test_cancelled_task_that_never_was_made_costs_nothing(house):
    connect(house, {"first": fake(UNDER_WAY)}, first_route=COSTS)
    task_id = await house.submit(ASK)
    await house.step(task_id)
    await cancel.cancel(house.gateway, house.caller, task_id)
    total = (await found(house)).total
    assert (total.cost, total.unknown_tasks) == (0, 0)


async def test_loss_is_said_and_listed(house):
    connect(house, {"first": fake(MADE)}, first_route=DEAR)
    task_id = await house.submit(ASK)
    with capture_logs() as logs:
        await house.run(task_id)

    assert [each["task_id"] for each in logs if each["event"] == "negative_margin"] == [task_id]
    (row,) = (await found(house, only_negative=True)).rows
    assert (row.key, row.margin) == (str(task_id), -2 * MICRO)
    assert await losses_lately(house.desk) == 1


async def test_profit_is_no_loss(house):
    connect(house, {"first": fake(MADE)}, first_route=COSTS)
    with capture_logs() as logs:
        await house.run(await house.submit(ASK))
    assert "negative_margin" not in [each["event"] for each in logs]
    assert (await found(house, only_negative=True)).rows == ()
    assert await losses_lately(house.desk) == 0


async def test_sums_agree_whatever_they_are_made_by(house):
    connect(
        house,
        {"first": fake(MADE), "second": fake(MADE)},
        first_route=COSTS,
        second_route=DEAR,
    )
    for _ in range(6):
        await house.run(await house.submit(ASK))
        house.clock.jump(DAY_MS)
    totals = [(await found(house, by)).total for by in BY]

    assert {(each.revenue, each.cost, each.margin) for each in totals} == {
        (totals[0].revenue, totals[0].cost, totals[0].margin)
    }
    assert totals[0].revenue == 30 * MICRO
    rows = (await found(house, "customer")).rows
    assert [row.key for row in rows] == ["acc_a@example.com"]
    assert len((await found(house, "day")).rows) == 6
    assert len((await found(house, limit=2)).rows) == 2


async def test_other_times_are_left_out(house):
    connect(house, {"first": fake(MADE)}, first_route=COSTS)
    await house.run(await house.submit(ASK))
    now = house.clock.now()
    before = await report(house.desk, "model", since=START - DAY_MS, until=now)
    after = await report(house.desk, "model", since=now + 1, until=now + DAY_MS)
    assert (before.rows, after.rows) == ((), ())


async def test_text_s_cost_is_noted_with_who_wrote_it(house):
    connect(
        house,
        {"first": fake(pieces=[trouble(Trouble.BUSY)]), "second": fake(pieces=WHOLE)},
        first_route=', upstream_cost = "texts"',
        second_route=', upstream_cost = "texts"' + ONLY,
        text=True,
        costs=PER_TOKEN,
    )
    answer = await complete(house.gateway, house.caller, CHAT)

    (row,) = (await found(house, "credential")).rows
    assert (row.key, row.cost, row.revenue) == ("second", 500_000, answer.cost)


async def test_text_that_costs_more_than_it_brought_is_said(house):
    connect(house, {"first": fake(pieces=WHOLE)}, first_route=DEAR, text=True)
    with capture_logs() as logs:
        answer = await complete(house.gateway, house.caller, CHAT)
    assert [each["task_id"] for each in logs if each["event"] == "negative_margin"] == [
        answer.task_id
    ]
    assert await losses_lately(house.desk) == 1


async def test_whole_text_that_was_cut_is_not_charged_and_costs_all_the_same(house):
    pieces = [Chunk(text="One"), trouble(Trouble.UNREACHED)]
    connect(house, {"first": fake(pieces=pieces)}, first_route=COSTS, text=True)
    with pytest.raises(PorticoError):
        await complete(house.gateway, house.caller, CHAT)
    total = (await found(house)).total
    assert (total.revenue, total.cost, total.tasks) == (0, 2 * MICRO, 1)


async def test_text_of_unknown_cost_writes_nothing_and_is_counted_apart(house):
    connect(house, {"first": fake(pieces=WHOLE)}, text=True)
    answer = await complete(house.gateway, house.caller, CHAT)
    total = (await found(house)).total
    assert (total.unknown_tasks, total.unknown_revenue) == (1, answer.cost)


async def test_cheapest_for_the_job_at_hand_is_taken(house):
    table = (
        '[costs.short]\nmatrix = [{ duration = 5, amount = "1" }, { amount = "9" }]\n'
        '[costs.long]\namount = "3"\n'
    )
    first, second = fake(MADE), fake(MADE)
    connect(
        house,
        {"first": first, "second": second},
        first_route=', upstream_cost = "short"',
        second_route=', upstream_cost = "long"',
        costs=table,
        params="[shapes.s.params]\nduration = { values = [5, 10], default = 5 }\n",
    )
    for seconds in (5, 10):
        ask = MediaAsk(
            dialect="portico",
            name="m",
            prompt="the sea",
            given={"duration": seconds},
            route_class=RouteClass.VALUE,
        )
        await house.run(await house.submit(ask))
    taken = [assignment.job.params["duration"] for _, assignment in first.started]
    assert (taken, len(second.started)) == ([5], 1)


async def test_costs_survive_a_catalogue_without_the_model(house):
    connect(house, {"first": fake(UNDER_WAY, MADE)}, first_route=COSTS)
    task_id = await house.submit(ASK)
    await house.step(task_id)
    house.gateway = replace(house.gateway, catalogue=type(house.gateway.catalogue)((), ()))
    await house.step(task_id)
    assert await costs(house, task_id) == [None]


async def test_noted_cost_is_that_of_the_attempt_alone(house):
    connect(house, {"first": fake(UNDER_WAY)})
    one, other = [await house.submit(ASK) for _ in range(2)]
    for each in (one, other):
        await house.step(each)
    attempt = (await house.attempts(one))[0]
    await house.gateway.store.write(lambda tx: tasks.note_cost(tx, attempt.id, cost=7))
    assert [await costs(house, each) for each in (one, other)] == [[7], [None]]
