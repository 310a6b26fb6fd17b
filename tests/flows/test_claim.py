"""Which process runs which task: each has one runner, the dead lose theirs, nobody runs two."""

import asyncio
from dataclasses import replace
from itertools import chain

import pytest

from portico import tasks
from portico.core.errors import ErrorCode, PorticoError
from portico.core.money import MICRO
from portico.core.views import TaskState
from portico.engines import Runner, Watch
from portico.engines import service as runners
from portico.engines.runner import LOOKS_MAX
from portico.flows import chat, claim, lookup, settle, signals
from portico.flows.cancel import cancel
from portico.flows.live import LiveTasks
from portico.flows.notices import Notices, Sender
from portico.flows.submit import Terms
from portico.store import open_store
from portico.tasks import RouteTaken
from tests.flows.test_chat import REPEAT, Gate, begin, read, writes
from tests.flows.wiring import MADE, UNDER_WAY, FakeEngine, build, until

PRICE = 5 * MICRO


@pytest.fixture
def url(postgres):
    """A database that several processes may use."""
    return postgres.emptied()


@pytest.fixture
async def shared(url, tmp_path):
    """A gateway that has joined such a database."""
    store = await open_store(url)
    house = await build(store, tmp_path)
    await house.restart()
    yield house
    await house.storage.real.close()
    await store.close()


async def neighbour(house, queues=("render", "upstream"), dead=()):
    """Another process on the same database."""
    runner = Runner(house.gateway.ids.opaque_id("run"), queues)
    other = replace(house.gateway, runner=runner, engine=FakeEngine(), live=LiveTasks())
    await claim.join(other, dead)
    await claim._see_who_leads(house.gateway)
    return other


async def owner(house, task_id):
    return (await house.task(task_id)).runner


async def die(house, dead, watch):
    """Let a process fall silent: the others look as often as it takes."""
    for _ in range(LOOKS_MAX + 2):
        await claim.beat(house.gateway, watch)
    assert dead.runner.id not in await house.gateway.store.read(runners.beats)


async def test_task_belongs_to_the_process_that_took_it_in(house):
    task_id = await house.submit()
    assert await owner(house, task_id) == house.gateway.runner.id
    assert house.engine.woken == [task_id]


async def test_next_process_on_a_file_takes_up_everything_at_once(house):
    house.answers(UNDER_WAY, MADE)
    task_id = await house.submit()
    await house.step(task_id)
    assert await house.restart() == 1
    assert await owner(house, task_id) == house.gateway.runner.id
    assert (await house.run(task_id)).state is TaskState.SUCCEEDED
    await house.assert_charged(PRICE)


async def test_process_without_queues_leaves_its_tasks_to_others(shared):
    api = await neighbour(shared, queues=())
    shared.gateway, worker = api, shared.gateway
    task_id = await shared.submit()
    assert await owner(shared, task_id) is None
    assert api.engine.woken == []

    assert await claim.take(api) == []
    assert await claim.take(worker) == [task_id]
    assert worker.engine.woken == [task_id]
    assert await owner(shared, task_id) == worker.runner.id


async def test_two_that_take_at_once_never_take_the_same(shared):
    others = [await neighbour(shared) for _ in range(3)]
    shared.limited(renders_max=50)
    others = [replace(each, limits=shared.gateway.limits) for each in others]
    ids = [await shared.submit() for _ in range(20)]
    taken = await asyncio.gather(*(claim.take(each) for each in [shared.gateway, *others]))
    assert sorted(chain(*taken)) == sorted(ids)


async def test_renders_go_to_whoever_has_room(shared):
    other = await neighbour(shared)
    shared.limited(renders_max=2)
    ids = [await shared.submit() for _ in range(5)]
    assert await claim.take(shared.gateway) == ids[:2]
    assert shared.gateway.runner.left_some
    assert await claim.take(other) == ids[2:]  # it has room for four

    shared.gateway.runner.work_waits.clear()
    await house_end(shared, ids[0])
    assert shared.gateway.runner.work_waits.is_set()  # there may be more to take


async def house_end(house, task_id):
    house.answers(MADE)
    assert (await house.run(task_id)).state is TaskState.SUCCEEDED


async def test_what_the_dead_had_is_taken_over_and_charged_once(shared):
    dead = await neighbour(shared)
    living, shared.gateway = shared.gateway, dead
    shared.answers(UNDER_WAY, MADE)
    task_id = await shared.submit()
    await claim.take(dead)
    await shared.step(task_id)
    shared.gateway = living

    await die(shared, dead, Watch())
    assert await claim.take(living) == [task_id]

    assert (await shared.run(task_id)).state is TaskState.SUCCEEDED
    await shared.assert_charged(PRICE)


async def test_who_starts_on_the_same_machine_takes_over_what_is_certainly_dead(shared):
    dead, living = await neighbour(shared), await neighbour(shared)
    task_id = await shared.submit()
    await claim.take(dead)

    again = await neighbour(shared, dead=[dead.runner.id, "run_gone_before"])

    assert await owner(shared, task_id) == again.runner.id
    alive = await shared.gateway.store.read(runners.beats)
    assert set(alive) == {shared.gateway.runner.id, living.runner.id, again.runner.id}


async def test_whoever_counts_on_lives(shared):
    other, watch = await neighbour(shared), Watch()
    for _ in range(3 * LOOKS_MAX):
        await claim.beat(shared.gateway, watch)
        await claim.beat(other, Watch())
    assert len(await shared.gateway.store.read(runners.beats)) == 2


async def test_database_that_was_away_makes_nobody_dead():
    watch = Watch()
    for _ in range(LOOKS_MAX):
        assert watch.look({"run_a": 7}) == {}
    # nobody could look for a while; the first look afterwards sees a fresh count
    assert watch.look({"run_a": 8}) == {}


async def test_who_was_taken_for_dead_can_write_nothing_more(shared):
    shared.upstream.restartable = True
    slow, living = await neighbour(shared), shared.gateway
    shared.gateway = slow
    shared.answers(UNDER_WAY, MADE)
    task_id = await shared.submit()
    await claim.take(slow)
    await shared.step(task_id)
    seen = await shared.task(task_id)
    shared.gateway = living
    await die(shared, slow, Watch())
    await claim.take(living)
    before = await shared.task(task_id)

    assert not await settle.succeed(slow, seen, [], {})
    await settle.retry_later(slow, seen, PorticoError(ErrorCode.OVERLOADED, "Busy"))
    assert not await slow.store.write(
        lambda tx: tasks.mark_storing(tx, seen.id, runner=seen.runner)
    )
    assert not await slow.store.write(
        lambda tx: tasks.start_attempt(
            tx, seen, attempt_id="att_x", route=RouteTaken("local", "local", "m"), now=0
        )
    )
    shared.gateway = slow
    assert await shared.step(task_id) is None
    shared.gateway = living

    assert await shared.task(task_id) == before
    assert (await shared.run(task_id)).state is TaskState.SUCCEEDED
    await shared.assert_charged(PRICE)


async def test_who_was_taken_for_dead_goes_on_under_another_name(shared):
    slow, living = await neighbour(shared), shared.gateway
    before = slow.runner.id
    await die(shared, slow, Watch())
    shared.gateway = slow
    late = await shared.submit()  # before it noticed
    shared.gateway = living

    await claim.beat(slow, Watch())

    assert slow.runner.id != before
    assert slow.runner.id in await living.store.read(runners.beats)
    assert late in await claim.take(slow) + await claim.take(living)


async def test_texts_of_the_dead_are_refunded_and_their_keys_are_free(shared):
    dead, living = await neighbour(shared), shared.gateway
    gate = Gate()
    writes(shared, gate)
    shared.gateway = replace(dead, providers=shared.gateway.providers)
    stream = await begin(shared, Terms(repeat=REPEAT))
    await gate.reached.wait()
    shared.gateway = living

    await die(shared, dead, Watch())

    assert (await shared.task(stream.task_id)).failure_code is ErrorCode.UPSTREAM_FAILED
    assert await chat.replayed(living, shared.caller, REPEAT) is None
    await shared.assert_charged(0)
    gate.open.set()
    await read(stream)
    await shared.assert_charged(0)


async def test_tasks_of_one_that_died_over_a_burial_are_found(shared):
    dead, living = await neighbour(shared), shared.gateway
    shared.gateway = dead
    task_id = await shared.submit()
    await claim.take(dead)
    shared.gateway = living
    await living.store.write(lambda tx: runners.remove(tx, dead.runner.id))  # and no more

    await claim._give_up_lost(living)

    assert await claim.take(living) == [task_id]


async def test_one_that_stops_hands_its_tasks_on_at_once(shared):
    leaving, living = await neighbour(shared), shared.gateway
    shared.gateway = leaving
    shared.answers(UNDER_WAY, MADE)
    task_id = await shared.submit()
    await claim.take(leaving)
    await shared.step(task_id)

    await claim.leave(leaving)
    await claim.leave(leaving)
    shared.gateway = living

    assert await claim.take(living) == [task_id]
    assert (await shared.run(task_id)).state is TaskState.SUCCEEDED


async def test_one_leads_and_the_next_follows_it(shared):
    second = await neighbour(shared)
    assert shared.gateway.runner.leads.is_set()
    assert not second.runner.leads.is_set()
    await claim.leave(shared.gateway)
    await claim.beat(second, Watch())
    assert second.runner.leads.is_set()


async def test_task_for_a_route_of_another_kind_is_handed_over(shared):
    worker = await neighbour(shared, queues=("upstream",))
    task_id = await shared.submit()
    await shared.gateway.store.write(lambda tx: tasks.let_go(tx, shared.gateway.runner.id))
    task = await shared.task(task_id)
    await worker.store.write(lambda tx: tasks.hand_over(tx, task, queue="upstream"))
    assert await claim.take(worker) == [task_id]

    renderer, shared.gateway = shared.gateway, worker
    assert await shared.step(task_id) is None  # its route is made on machines that render

    assert (await shared.task(task_id)).queue == "render"
    assert await claim.take(renderer) == [task_id]


async def hearing(gateway):
    """Have a gateway hear what others announce; returns the task that does."""
    task = asyncio.create_task(signals.run_hearing(gateway))
    gateway.runner.work_waits.clear()
    async with asyncio.timeout(5):
        await gateway.runner.work_waits.wait()  # it hears from now on
    gateway.runner.work_waits.clear()
    return task


@pytest.fixture
async def distant(shared, url):
    """Another process, with a connection of its own."""
    store = await open_store(url)
    other = await neighbour(shared)
    other = replace(other, store=store)
    heard = await hearing(other)
    yield other
    heard.cancel()
    await asyncio.gather(heard, return_exceptions=True)
    await store.close()


async def test_cancelled_elsewhere_is_stopped_here(shared, distant):
    shared.upstream.restartable = True
    shared.answers(UNDER_WAY)
    here, shared.gateway = shared.gateway, distant
    task_id = await shared.submit()
    await claim.take(distant)
    await shared.step(task_id)

    await cancel(here, shared.caller, task_id)
    await until(lambda: task_id in distant.engine.nudged)
    shared.upstream.cancelled.clear()
    assert await shared.step(task_id) is None

    assert shared.upstream.cancelled == ["job-1"]
    await shared.assert_charged(0)


async def test_end_elsewhere_lets_go_who_waits_here(shared, distant):
    shared.answers(MADE)
    task_id = await shared.submit()
    waiting = asyncio.create_task(distant.live.wait(task_id, within_s=5))
    await asyncio.sleep(0)
    await claim.take(shared.gateway)
    await shared.run(task_id)
    assert await waiting


async def test_progress_elsewhere_is_shown_here(shared, distant):
    shared.answers(UNDER_WAY)
    shared.gateway.live.keep_news()
    telling = asyncio.create_task(signals.run_telling(shared.gateway))
    await asyncio.sleep(0)
    task_id = await shared.submit()
    await claim.take(shared.gateway)
    await shared.step(task_id)
    await shared.clock.advance(signals.PROGRESS_EVERY_S)
    await until(lambda: distant.live.progress(task_id))
    view = await lookup.task(distant, shared.caller, task_id)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    assert view.progress == 0.5
    assert view.upstream_started


async def test_what_did_not_count_is_not_told(shared, distant):
    def undone(tx):
        tx.announce(signals.WAITING)
        raise PorticoError(ErrorCode.INVALID_REQUEST, "No")

    with pytest.raises(PorticoError):
        await shared.gateway.store.write(undone)
    await shared.gateway.store.write(lambda tx: tx.announce(signals.OWED))
    async with asyncio.timeout(5):
        await distant.live.delivery_due.wait()
    assert not distant.runner.work_waits.is_set()


async def test_many_lines_fit_into_messages(shared, distant):
    def write(tx):
        for number in range(2_000):
            tx.announce(signals.ended(10**18 + number))

    for number in range(2_000):
        distant.live.hear(10**18 + number, 0.5, begun=True)
    await shared.gateway.store.write(write)
    await until(lambda: not distant.live._heard)


async def test_who_lost_the_line_looks_for_itself(shared, distant, postgres):
    distant.live.hear(7, 0.5, begun=True)
    postgres.command(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE query LIKE 'LISTEN%' AND state = 'idle'"
    )
    async with asyncio.timeout(5):
        await distant.runner.work_waits.wait()
    assert distant.live.progress(7) is None


class Reader:
    """Reads a notice as an upstream's that speaks of `job-1`."""

    def parse_callback(self, _: bytes) -> str | None:
        return "job-1"


async def test_notice_reaches_the_process_that_runs_its_task(shared, distant):
    shared.answers(UNDER_WAY)
    task_id = await shared.submit()
    await claim.take(shared.gateway)
    await shared.step(task_id)
    heard = await hearing(shared.gateway)
    nudged = len(shared.engine.nudged)
    (attempt,) = await shared.attempts(task_id)
    sender = Sender(attempt.id, attempt.credential, Reader())
    assert await Notices(distant).take(sender, b"{}")
    await until(lambda: len(shared.engine.nudged) > nudged)
    assert set(shared.engine.nudged) == {task_id}
    assert distant.engine.nudged == []
    heard.cancel()
    await asyncio.gather(heard, return_exceptions=True)
