"""The embedded engine: every task in its turn, one step at a time, whatever a step does."""

import asyncio

import pytest

from portico.engines import EmbeddedEngine, embedded
from portico.testing import FakeClock, let_run


class Steps:
    """Steps that note when they were called and answer from a script per task."""

    def __init__(self, clock) -> None:
        self.clock = clock
        self.begun_s = clock.monotonic()
        self.calls: list[tuple[int, float]] = []  # (task, seconds since the beginning)
        self.scripts: dict[int, list[float | Exception | None]] = {}
        self.gates: dict[int, asyncio.Event] = {}  # task -> event a step of it waits for
        self.under_way: set[int] = set()

    async def __call__(self, task_id) -> float | None:
        assert task_id not in self.under_way, "two steps of one task at once"
        self.under_way.add(task_id)
        try:
            self.calls.append((task_id, self.clock.monotonic() - self.begun_s))
            if task_id in self.gates:
                await self.gates[task_id].wait()
            script = self.scripts.get(task_id, [])
            answer = script.pop(0) if script else None
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            self.under_way.discard(task_id)

    def times(self, task_id):
        return [at for each, at in self.calls if each == task_id]


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def steps(clock):
    return Steps(clock)


@pytest.fixture
async def engine(steps, clock):
    running = EmbeddedEngine(steps, clock=clock)
    running.start()
    yield running
    for gate in steps.gates.values():
        gate.set()
    await running.stop(within_s=1)


async def test_woken_task_is_looked_at_at_once(engine, steps):
    engine.wake(1)
    await let_run()
    assert steps.calls == [(1, 0.0)]
    assert engine.waiting == 0


async def test_tasks_run_in_the_order_of_their_instants(engine, steps, clock):
    for task_id, after_s in ((1, 3.0), (2, 1.0), (3, 2.0)):
        engine.wake(task_id, after_s=after_s)
    await clock.advance(5)
    assert steps.calls == [(2, 1.0), (3, 2.0), (1, 3.0)]


async def test_task_is_looked_at_until_it_has_ended(engine, steps, clock):
    steps.scripts[1] = [2.0, 3.0, None]
    engine.wake(1)
    await clock.advance(60)
    assert steps.times(1) == [0.0, 2.0, 5.0]
    assert engine.waiting == 0


async def test_earlier_wake_brings_the_look_forward(engine, steps, clock):
    engine.wake(1, after_s=50)
    await clock.advance(1)
    engine.wake(1)
    await clock.advance(100)
    assert steps.times(1) == [1.0]


async def test_later_wake_changes_nothing(engine, steps, clock):
    engine.wake(1, after_s=1)
    engine.wake(1, after_s=50)
    await clock.advance(100)
    assert steps.times(1) == [1.0]


async def test_waking_twice_is_one_look(engine, steps):
    engine.wake(1)
    engine.wake(1)
    await let_run()
    assert steps.times(1) == [0.0]


async def test_wake_during_a_step_brings_one_more_look(engine, steps, clock):
    gate = steps.gates[1] = asyncio.Event()
    engine.wake(1)
    await clock.advance(1)
    for _ in range(5):
        engine.wake(1)
        await clock.advance(1)
    assert len(steps.calls) == 1
    del steps.gates[1]
    gate.set()
    await clock.advance(1)
    assert len(steps.calls) == 2
    assert engine.waiting == 0


async def test_wake_during_a_step_comes_before_the_steps_own_plan(engine, steps, clock):
    gate = steps.gates[1] = asyncio.Event()
    steps.scripts[1] = [100.0, None]
    engine.wake(1)
    await let_run()
    engine.wake(1)
    await let_run()
    del steps.gates[1]
    gate.set()
    await clock.advance(1)
    assert len(steps.calls) == 2


async def test_slow_step_holds_nobody_up(engine, steps, clock):
    steps.gates[1] = asyncio.Event()
    engine.wake(1)
    await let_run()
    engine.wake(1)
    for task_id in range(2, 20):
        engine.wake(task_id)
    await let_run()
    assert {task_id for task_id, _ in steps.calls} == set(range(1, 20))
    assert clock.monotonic() == steps.begun_s


async def test_failing_step_backs_off_while_others_go_on(engine, steps, clock):
    steps.scripts[1] = [ZeroDivisionError()] * 7 + [None]
    steps.scripts[2] = [10.0] * 20
    engine.wake(1)
    engine.wake(2)
    await clock.advance(200)
    assert steps.times(1) == [0, 2, 6, 14, 30, 62, 122, 182]  # doubling up to a minute
    assert len(steps.times(2)) == 21
    assert engine.waiting == 0


async def test_success_forgets_earlier_failures(engine, steps, clock):
    steps.scripts[1] = [ZeroDivisionError(), ZeroDivisionError(), 1.0, ZeroDivisionError(), None]
    engine.wake(1)
    await clock.advance(60)
    assert steps.times(1) == [0, 2, 6, 7, 9]


async def test_only_so_many_steps_run_at_once(engine, steps, monkeypatch):
    monkeypatch.setattr(embedded, "STEPS_AT_ONCE", 3)
    gates = {task_id: asyncio.Event() for task_id in range(10)}
    steps.gates.update(gates)
    for task_id in gates:
        engine.wake(task_id)
    await let_run()
    assert len(steps.under_way) == 3
    assert engine.waiting == 10
    for gate in gates.values():
        gate.set()
        await let_run()
    assert len(steps.calls) == 10


async def test_burst_is_begun_in_pieces_so_that_others_have_a_turn(engine, steps, monkeypatch):
    monkeypatch.setattr(embedded, "BURST_MAX", 3)
    for task_id in range(10):
        steps.gates[task_id] = asyncio.Event()
        engine.wake(task_id)
    seen: list[int] = []
    for _ in range(12):
        await asyncio.sleep(0)
        seen.append(len(steps.under_way))
    assert 3 in seen
    assert seen[-1] == 10
    for gate in steps.gates.values():
        gate.set()
    await let_run()


async def test_new_tasks_keep_nobody_from_a_second_look(engine, steps, clock, monkeypatch):
    monkeypatch.setattr(embedded, "NEW_AT_ONCE", 2)
    steps.scripts[1] = [5.0, None]
    engine.wake(1)
    await let_run()
    for task_id in (2, 3, 4):
        steps.gates[task_id] = asyncio.Event()
        engine.wake(task_id)
    await clock.advance(5)
    assert steps.times(1) == [0, 5]
    assert steps.under_way == {2, 3}
    steps.gates[2].set()
    await let_run()
    assert steps.under_way == {3, 4}
    for gate in steps.gates.values():
        gate.set()
    await let_run()


async def test_nudged_task_is_looked_at_before_all_that_is_due(engine, steps, clock, monkeypatch):
    monkeypatch.setattr(embedded, "STEPS_AT_ONCE", 1)
    for task_id in (1, 2, 3):
        steps.scripts[task_id] = [5.0, None]
        engine.wake(task_id)
    await clock.advance(1)
    gate = steps.gates[4] = asyncio.Event()
    engine.wake(4)
    await clock.advance(5)  # the others are due, and there is no room
    engine.nudge(3)
    steps.calls.clear()
    gate.set()
    await let_run()
    assert [each[0] for each in steps.calls] == [3, 1, 2]


async def test_wall_clock_jump_plans_nothing_anew(engine, steps, clock):
    engine.wake(1, after_s=10)
    clock.jump(3_600_000)
    await clock.advance(1)
    assert steps.calls == []
    clock.jump(-2 * 3_600_000)
    await clock.advance(9)
    assert steps.times(1) == [10.0]


async def test_stop_lets_a_step_finish(steps, clock):
    engine = EmbeddedEngine(steps, clock=clock)
    engine.start()
    gate = steps.gates[1] = asyncio.Event()
    engine.wake(1)
    await let_run()
    stopping = asyncio.create_task(engine.stop(within_s=10))
    await let_run()
    assert not stopping.done()
    gate.set()
    await stopping
    assert steps.under_way == set()


async def test_stop_starts_nothing_more(steps, clock):
    engine = EmbeddedEngine(steps, clock=clock)
    engine.start()
    await let_run()
    await engine.stop()
    engine.wake(1)
    await clock.advance(10)
    assert steps.calls == []


async def test_stop_cancels_a_step_that_never_ends(steps, clock):
    engine = EmbeddedEngine(steps, clock=clock)
    engine.start()
    steps.gates[1] = asyncio.Event()
    engine.wake(1)
    await let_run()
    await engine.stop(within_s=0.01)
    assert steps.under_way == set()


async def test_engine_that_never_started_can_be_stopped(steps, clock):
    await EmbeddedEngine(steps, clock=clock).stop()


async def test_thousands_of_waiting_tasks_all_get_their_turn(engine, steps, clock):
    for task_id in range(5_000):
        engine.wake(task_id, after_s=task_id % 10)
    await clock.advance(30)
    async with asyncio.timeout(20):
        while engine.waiting:  # only so many have their turn at once
            await let_run()
    assert sorted(task_id for task_id, _ in steps.calls) == list(range(5_000))
