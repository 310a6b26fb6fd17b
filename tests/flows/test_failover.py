"""Several routes: only a refusal leads to another one, and a task stays with its own."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from portico import tasks
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatUsage, Chunk, MediaAsk, RouteClass
from portico.core.money import MICRO
from portico.core.upstreams import OTHER_ROUTE_HELPS, Trouble
from portico.core.views import TaskState
from portico.flows import cancel, pauses
from portico.flows.capacity import TURN_AGAIN_S
from portico.flows.chat import ChatStream, complete, open_stream
from portico.flows.connected import Connected
from portico.flows.rooms import LOOK_AGAIN_S
from portico.providers.base import Pending
from portico.routes import RouteState, key_of
from portico.routes.breaker import FAILURES_MAX, State
from portico.tasks import AttemptState
from portico.testing import FakeProvider
from tests.flows.upstreams import connect, fake, trouble
from tests.flows.wiring import MADE, SCENE, UNDER_WAY, FailingStore, chat_ask

ASK = MediaAsk(dialect="portico", name="m", prompt="the sea")
OFFICIAL = MediaAsk(dialect="portico", name="m", prompt="the sea", route_class=RouteClass.OFFICIAL)
BUSY = trouble(Trouble.BUSY)
ONLY = ", weight = 0"  # taken only when there is no other


async def credentials(house, task_id):
    return [each.credential for each in await house.attempts(task_id)]


@pytest.mark.parametrize("refusal", sorted(OTHER_ROUTE_HELPS))
async def test_refusal_goes_on_at_another_route_at_once(house, refusal):
    first, second = fake(trouble(refusal)), fake(MADE)
    connect(house, {"first": first, "second": second}, second_route=ONLY)
    task_id = await house.submit(ASK)

    assert await house.step(task_id) == 0.0
    task = await house.run(task_id)

    assert task.state is TaskState.SUCCEEDED
    assert await credentials(house, task_id) == ["first", "second"]
    assert (len(first.started), len(second.started)) == (1, 1)
    await house.assert_charged(5 * MICRO)


async def test_option_that_one_upstream_lacks_goes_to_another_that_may_have_it(house):
    lacking = PorticoError(ErrorCode.UNSUPPORTED_OPTION, "It has no seed", param="seed")
    first, second = fake(lacking), fake(MADE)
    connect(house, {"first": first, "second": second}, second_route=ONLY)
    task_id = await house.submit(ASK)

    task = await house.run(task_id)

    assert task.state is TaskState.SUCCEEDED
    assert await credentials(house, task_id) == ["first", "second"]


async def test_option_that_every_upstream_lacks_is_named_and_costs_nothing(house):
    lacking = PorticoError(ErrorCode.UNSUPPORTED_OPTION, "It has no seed", param="seed")
    connect(house, {"first": fake(lacking), "second": fake(lacking)}, second_route=ONLY)
    task_id = await house.submit(ASK)

    task = await house.run(task_id)

    assert (task.state, task.failure_code) == (TaskState.FAILED, ErrorCode.UNSUPPORTED_OPTION)
    assert len(await credentials(house, task_id)) == 2
    await house.assert_charged(0)


@pytest.mark.parametrize("refusal", sorted(set(Trouble) - OTHER_ROUTE_HELPS))
async def test_anything_else_never_goes_on_at_another_route(house, refusal):
    first, second = fake(trouble(refusal)), fake(MADE)
    connect(house, {"first": first, "second": second}, second_route=ONLY)
    task_id = await house.submit(ASK)

    task = await house.run(task_id)

    assert task.state is TaskState.FAILED
    assert second.started == []
    await house.assert_charged(0)


async def test_all_busy_routes_are_tried_in_rounds_and_then_given_up(house):
    first, second = fake(BUSY), fake(BUSY)
    connect(house, {"first": first, "second": second})
    house.limited(provider_attempts_max=2)
    task_id = await house.submit(ASK)

    waits = []
    while (after_s := await house.step(task_id)) is not None:
        waits.append(after_s)
        await house.clock.advance(after_s)

    found = await credentials(house, task_id)
    assert (waits[0], waits[1] > 0) == (0.0, True)
    assert sorted(found[:2]) == sorted(found[2:]) == ["first", "second"]
    assert (await house.task(task_id)).failure_code is ErrorCode.UPSTREAM_FAILED
    await house.assert_charged(0)


async def test_route_whose_key_is_bad_is_not_tried_again_and_the_busy_one_is(house):
    first, second = fake(trouble(Trouble.CREDENTIAL)), fake(BUSY, MADE)
    connect(house, {"first": first, "second": second}, second_route=ONLY)
    task_id = await house.submit(ASK)

    assert (await house.run(task_id)).state is TaskState.SUCCEEDED
    assert await credentials(house, task_id) == ["first", "second", "second"]


async def test_only_routes_bad_key_is_told_to_nobody(house):
    connect(house, {"first": fake(trouble(Trouble.CREDENTIAL))})
    task = await house.run(await house.submit(ASK))

    assert (task.failure_code, task.failure_message) == (
        ErrorCode.UPSTREAM_FAILED,
        "Generation failed",
    )
    await house.assert_charged(0)


async def test_restart_between_two_routes_remembers_what_was_tried(house):
    connect(house, {"first": fake(BUSY), "second": fake(MADE)}, second_route=ONLY)
    task_id = await house.submit(ASK)
    await house.step(task_id)
    house.gateway = replace(house.gateway, routes=RouteState())
    await house.restart()

    await house.run(task_id)

    assert await credentials(house, task_id) == ["first", "second"]


async def test_task_stays_with_its_attempts_credential(house):
    first, second = fake(UNDER_WAY), fake(MADE)
    connect(house, {"first": first, "second": second}, second_route=ONLY)
    task_id = await house.submit(ASK)
    await house.step(task_id)
    house.gateway.providers.put(replace(house.gateway.providers.get("first"), is_enabled=False))

    await house.step(task_id)
    await cancel.cancel(house.gateway, house.caller, task_id)

    assert (first.checked, first.cancelled) == (["job-1"], ["job-1"])
    assert (second.started, second.checked) == ([], [])
    await house.assert_charged(0)


async def test_official_is_never_served_by_anybody_else(house):
    first, second = fake(BUSY), fake(MADE)
    connect(house, {"first": first, "second": second}, first_route=", first_party = true")
    house.limited(provider_attempts_max=2)

    task = await house.run(await house.submit(OFFICIAL))

    assert task.state is TaskState.FAILED
    assert (len(first.started), second.started) == (2, [])
    house.gateway.providers.drop("first")
    with pytest.raises(PorticoError) as caught:
        await house.submit(OFFICIAL)
    assert caught.value.code is ErrorCode.NO_ROUTE
    assert house.upstream.started == []
    await house.assert_charged(0)


async def test_renderer_stands_in_only_while_nothing_is_connected(house):
    connect(house, {"first": fake(BUSY)})
    first = house.gateway.providers.get("first")
    house.gateway.providers.drop("first")
    await house.run(await house.submit(ASK))
    assert len(house.upstream.started) == 1

    house.gateway.providers.put(Connected("elsewhere", "elsewhere", tasks=fake(MADE)))
    with pytest.raises(PorticoError) as caught:
        await house.submit(ASK)
    assert caught.value.code is ErrorCode.NO_ROUTE

    house.gateway.providers.put(first)
    await house.step(await house.submit(ASK))
    assert len(house.upstream.started) == 1


async def test_portico_s_own_models_go_to_the_renderer_whatever_is_connected(house):
    house.gateway.providers.put(Connected("first", "first", tasks=fake(BUSY)))
    task = await house.run(await house.submit(SCENE))
    assert (task.state, len(house.upstream.started)) == (TaskState.SUCCEEDED, 1)


async def test_later_stage_goes_to_the_renderer_where_no_upstream_serves_it(house):
    house.upstream.restartable = True
    first = fake(MADE)
    connect(house, {"first": first})
    task_id = await staged(house)

    await house.run(task_id)

    assert await credentials(house, task_id) == ["first", "local"]
    assert [each.stage for _, each in house.upstream.started] == ["enhance"]


async def test_later_stage_goes_to_the_route_that_serves_it(house):
    first, second = fake(MADE), fake(MADE)
    connect(house, {"first": first, "second": second}, second_route=', stages = ["enhance"]')
    task_id = await staged(house)

    await house.run(task_id)

    assert await credentials(house, task_id) == ["first", "second"]


async def staged(house):
    """Submit a job of two stages, as XiaoYang's enhanced options are."""
    real = house.gateway.catalogue

    class Enhancing:
        def resolve(self, ask):

            job = real.resolve(ask)
            return msgspec.structs.replace(job, stages=("generate", "enhance"))

        def __getattr__(self, name) -> Any:
            return getattr(real, name)

    house.gateway = replace(house.gateway, catalogue=Enhancing())
    return await house.submit(ASK)


class Watched(FakeProvider):
    """Lets a test do something while the next start is under way."""

    before_start: Callable[[str], Awaitable[None]] | None = None

    async def start(self, assignment, *, attempt_id):
        before, self.before_start = self.before_start, None
        if before is not None:
            await before(attempt_id)
        return await super().start(assignment, attempt_id=attempt_id)


async def test_failures_in_a_row_pause_a_route_and_one_probe_brings_it_back(house):
    upstream = Watched([*[BUSY] * FAILURES_MAX, UNDER_WAY])
    connect(house, {"first": upstream})
    one, other, third = [await house.submit(ASK) for _ in range(3)]
    for _ in range(FAILURES_MAX):
        assert await house.step(one) > 0
    assert house.gateway.routes.breakers.state(
        key_of("first", "first-model"), house.clock.now()
    ) is (State.OPEN)

    wait_s = await house.step(other)
    assert wait_s == 5
    assert len(upstream.started) == FAILURES_MAX
    assert await house.attempts(other) == []
    await house.clock.advance(wait_s)
    seen: list[bool] = []

    async def looked_at_meanwhile(_):
        seen.append((await house.step(third)) > 0)

    upstream.before_start = looked_at_meanwhile

    assert await house.step(other) == 5

    assert seen == [True]  # the third waited while the second looked
    assert len(await house.attempts(third)) == 0
    assert await house.step(third) == 5
    assert house.gateway.routes.breakers.pauses == ()
    assert house.gateway.routes.health.standing(key_of("first", "first-model")).success == 1.0


async def test_pauses_are_known_to_other_processes_and_after_a_restart(house):
    connect(
        house,
        {"first": fake(trouble(Trouble.CREDIT)), "second": fake(UNDER_WAY)},
        second_route=ONLY,
    )
    await house.step(await house.submit(ASK))
    house.gateway = replace(house.gateway, routes=RouteState())
    await pauses.load(house.gateway)

    task_id = await house.submit(ASK)
    await house.step(task_id)

    assert await credentials(house, task_id) == ["second"]


async def test_probe_of_one_process_keeps_the_others_from_theirs(house):
    connect(house, {"first": fake(trouble(Trouble.CREDIT))})
    await house.step(await house.submit(ASK))
    other = replace(house.gateway, routes=RouteState())
    await pauses.load(other)
    house.clock.jump(61_000)
    key = key_of("first", "first-model")

    assert await pauses.take_turn(house.gateway, key)
    assert not await pauses.take_turn(other, key)
    assert not await pauses.take_turn(house.gateway, key)


async def test_no_more_attempts_than_a_credential_may_have_are_open(house):
    upstream = fake(Pending("job-1", check_after_s=3_600))
    connect(house, {"first": upstream}, first={"attempts_max": 3})
    many = [await house.submit(ASK) for _ in range(12)]

    waits = await asyncio.gather(*(house.step(each) for each in many))

    assert len(upstream.started) == 3
    assert sorted(waits)[:9] == [LOOK_AGAIN_S] * 9
    counted = await house.gateway.store.read(lambda tx: tasks.open_attempts(tx, "first"))
    assert counted == 3
    waiting = [each for each, after_s in zip(many, waits, strict=True) if after_s == LOOK_AGAIN_S]
    assert await house.attempts(waiting[0]) == []

    begun = next(each for each in many if each not in waiting)
    await cancel.cancel(house.gateway, house.caller, begun)
    assert set(house.engine.nudged) < set(waiting)  # one of those who wait is called
    await asyncio.gather(*(house.step(each) for each in waiting))
    assert len(upstream.started) == 4


async def test_full_credential_gives_way_to_another_route(house):
    first, second = fake(UNDER_WAY), fake(UNDER_WAY)
    connect(house, {"first": first, "second": second}, first={"attempts_max": 1}, second_route=ONLY)

    for _ in range(3):
        await house.step(await house.submit(ASK))

    assert (len(first.started), len(second.started)) == (1, 2)


async def test_busy_route_is_not_asked_at_once_again_because_the_other_is_full(house):
    first, second = fake(BUSY), fake(UNDER_WAY)
    connect(
        house, {"first": first, "second": second}, second={"attempts_max": 0}, second_route=ONLY
    )
    task_id = await house.submit(ASK)

    assert await house.step(task_id) == 0.0
    assert await house.step(task_id) == TURN_AGAIN_S
    assert len(first.started) == 1


async def test_starts_a_minute_are_kept_without_burning_attempts(house):
    upstream = fake(UNDER_WAY)
    connect(house, {"first": upstream}, first={"starts_per_minute": 2})
    many = [await house.submit(ASK) for _ in range(3)]

    waits = [await house.step(each) for each in many]

    assert waits[:2] == [5, 5]
    assert 0 < waits[2] <= 60
    assert len(upstream.started) == 2
    assert await house.attempts(many[2]) == []


async def test_success_closes_the_attempt_for_the_count(house):
    connect(house, {"first": fake(MADE)}, first={"attempts_max": 1})
    for _ in range(3):
        task_id = await house.submit(ASK)
        await house.run(task_id)
        assert (await house.attempts(task_id))[0].state is AttemptState.SUCCEEDED


WHOLE = (
    Chunk(text="One"),
    Chunk(finish="stop", usage=ChatUsage(input_tokens=10, output_tokens=5)),
)
CHAT = chat_ask(name="m")


@pytest.mark.parametrize("refusal", sorted(OTHER_ROUTE_HELPS))
async def test_text_refused_before_its_first_piece_is_written_elsewhere(house, refusal):
    first, second = fake(pieces=[trouble(refusal)]), fake(pieces=WHOLE)
    connect(house, {"first": first, "second": second}, second_route=ONLY, text=True)

    answer = await complete(house.gateway, house.caller, CHAT)

    assert (answer.text, len(first.streamed), len(second.streamed)) == ("One", 1, 1)
    await house.assert_charged(answer.cost)


@pytest.mark.parametrize("refusal", sorted(set(Trouble) - OTHER_ROUTE_HELPS))
async def test_text_that_may_have_begun_is_never_written_twice(house, refusal):
    second = fake(pieces=WHOLE)
    first = fake(pieces=[trouble(refusal)])
    connect(house, {"first": first, "second": second}, second_route=ONLY, text=True)

    with pytest.raises(PorticoError):
        await complete(house.gateway, house.caller, CHAT)
    assert second.streamed == []
    await house.assert_charged(0)


async def test_text_cut_after_a_piece_is_not_begun_again(house):
    first, second = fake(pieces=[WHOLE[0], trouble(Trouble.UNREACHED)]), fake(pieces=WHOLE)
    connect(house, {"first": first, "second": second}, second_route=ONLY, text=True)
    stream = await open_stream(house.gateway, house.caller, chat_ask(name="m", stream=True))
    assert isinstance(stream, ChatStream)

    with pytest.raises(PorticoError):
        [each async for each in stream]

    await stream.settled()
    assert second.streamed == []


async def test_text_all_routes_refuse_is_refunded_and_refused_while_they_are_paused(house):
    first = fake(pieces=[trouble(Trouble.CREDENTIAL)])
    connect(house, {"first": first}, text=True)

    with pytest.raises(PorticoError) as caught:
        await complete(house.gateway, house.caller, CHAT)
    assert caught.value.code is ErrorCode.UPSTREAM_FAILED
    with pytest.raises(PorticoError) as caught:
        await complete(house.gateway, house.caller, CHAT)

    assert caught.value.code is ErrorCode.OVERLOADED
    assert (caught.value.retry_after_s or 0) > 0
    assert len(first.streamed) == 1
    await house.assert_charged(0)


async def test_texts_a_minute_are_kept(house):
    first = fake(pieces=WHOLE)
    connect(house, {"first": first}, first={"starts_per_minute": 1}, text=True)
    await complete(house.gateway, house.caller, CHAT)

    with pytest.raises(PorticoError) as caught:
        await complete(house.gateway, house.caller, CHAT)
    assert caught.value.code is ErrorCode.UPSTREAM_FAILED
    assert len(first.streamed) == 1


async def test_route_to_one_credential_goes_to_no_other_of_its_provider(house):
    first, other = fake(UNDER_WAY), fake(UNDER_WAY)
    connect(house, {"first": first}, first_route=', credential = "first"')
    house.gateway.providers.put(Connected("aside", "first", tasks=other))

    for _ in range(4):
        await house.step(await house.submit(ASK))

    assert (len(first.started), other.started) == (4, [])


async def test_credential_elsewhere_or_without_the_model_is_left_out(house):
    near, far, bare = fake(UNDER_WAY), fake(UNDER_WAY), fake(UNDER_WAY)
    connect(
        house,
        {"near": near, "far": far, "bare": bare},
        far={"region": "eu"},
        near={"region": "cn"},
        bare={"models": frozenset({"other"})},
        near_route=', region = "cn"',
        far_route=', region = "cn"',
    )

    for _ in range(6):
        await house.step(await house.submit(ASK))

    assert (len(near.started), far.started, bare.started) == (6, [], [])


async def test_key_that_turns_bad_is_noticed_by_questions_too(house):
    first = fake(UNDER_WAY, trouble(Trouble.CREDENTIAL).of_read(), MADE)
    connect(house, {"first": first})
    task_id = await house.submit(ASK)
    await house.step(task_id)

    assert await house.step(task_id) == 2
    assert (
        house.gateway.routes.breakers.state(key_of("first", "x"), house.clock.now()) is State.OPEN
    )
    assert (await house.run(task_id)).state is TaskState.SUCCEEDED
    await house.assert_charged(5 * MICRO)


async def test_jobs_that_fail_count_against_their_route_and_results_for_it(house):
    first = fake(UNDER_WAY, trouble(Trouble.FAILED), UNDER_WAY, MADE)
    connect(house, {"first": first})
    health, key = house.gateway.routes.health, key_of("first", "first-model")
    await house.run(await house.submit(ASK))
    failed = health.standing(key)
    await house.run(await house.submit(ASK))

    assert failed.success < health.standing(key).success < 1.0
    assert health.standing(key).latency_s == 5.0


async def test_pause_holds_here_while_the_database_is_away(house):
    connect(house, {"first": fake(trouble(Trouble.CREDIT))})
    store = FailingStore(house.gateway.store)
    gateway = replace(house.gateway, store=store)
    key = key_of("first", "first-model")
    store.failures = 1

    await pauses.note_refusal(gateway, key, trouble(Trouble.CREDIT))

    assert gateway.routes.breakers.state(key, house.clock.now()) is State.OPEN
    await pauses.load(gateway)  # nobody else knows of it
    assert gateway.routes.breakers.state(key, house.clock.now()) is State.CLOSED
