"""One asyncio runner inside the process: a heap of instants, at most one step a task at once.

A waiting task costs one heap entry of about 200 bytes. The database is asked nothing while
tasks wait; at a start, the caller wakes every task that has not ended.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

from portico.core.clock import Clock
from portico.core.ids import TaskId

STEPS_AT_ONCE = 1_000  # most of them wait: for an upstream, for a file, for a child to look at it
NEW_AT_ONCE = 32  # so few that a burst of submits is answered first and worked off after
BURST_MAX = 32  # steps begun in one turn of the event loop
TICK_S = 0.01  # what is due within it is begun together
NUDGED_S = -3_600.0  # before everything that is due: somebody says that there is news
RETRY_MAX_S = 60.0
_log = structlog.get_logger("portico.engine")

# does the next thing for one task; returns seconds until the next look, or None when it ended
Step = Callable[[TaskId], Awaitable[float | None]]


class EmbeddedEngine:
    """Calls `step` for every task when it is due, until the step says the task has ended."""

    def __init__(self, step: Step, *, clock: Clock) -> None:
        self._step = step
        self._clock = clock
        self._heap: list[tuple[float, TaskId]] = []
        self._new: deque[tuple[float, TaskId]] = deque()  # woken from outside, for now
        self._due_at: dict[TaskId, float] = {}  # the one entry that counts
        self._running: dict[TaskId, asyncio.Task[None]] = {}
        self._beginning: set[TaskId] = set()  # those of them that were new
        self._again: set[TaskId] = set()  # woken while their step was under way
        self._failures: dict[TaskId, int] = {}
        self._changed = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to run steps; call once, inside the event loop."""
        self._runner = asyncio.create_task(self._run(), name="portico-engine")

    def wake(self, task_id: TaskId, *, after_s: float = 0.0) -> None:
        """Look at a task after a while; an earlier look already planned stays. Safe to repeat.

        Of those to be looked at now only a few are at once, whatever else is due.
        """
        if after_s > 0:
            self._plan(task_id, after_s)
        elif (entry := self._entry(task_id, after_s)) is not None:
            self._new.append(entry)
            self._changed.set()

    def nudge(self, task_id: TaskId) -> None:
        """Look at a task now, if it is planned or under way here at all."""
        if task_id in self._due_at or task_id in self._running:
            self._plan(task_id, NUDGED_S)

    def forget_all(self) -> None:
        """Plan nothing any more; steps under way find out by themselves that it was not theirs."""
        self._due_at.clear()
        self._heap.clear()
        self._new.clear()
        self._again.clear()

    @property
    def waiting(self) -> int:
        """How many tasks are planned or under way."""
        return len(self._due_at) + len(self._running)

    async def stop(self, *, within_s: float = 20.0) -> None:
        """Start nothing more, let steps under way finish for a while, then cancel them."""
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
        steps = list(self._running.values())
        if steps:
            _, unfinished = await asyncio.wait(steps, timeout=within_s)
            for step in unfinished:
                step.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            wait_s = self._launch_due()
            if wait_s == 0.0:
                await asyncio.sleep(0)
            else:
                await self._change_within(wait_s)

    async def _change_within(self, wait_s: float | None) -> None:
        """Wait until something changes, at most for a while; None: for ever."""
        alarm = None if wait_s is None else asyncio.create_task(self._ring(wait_s))
        try:
            await self._changed.wait()
        finally:
            if alarm is not None:
                alarm.cancel()

    async def _ring(self, wait_s: float) -> None:
        await self._clock.sleep(wait_s)
        self._changed.set()

    def _entry(self, task_id: TaskId, after_s: float) -> tuple[float, TaskId] | None:
        due_at = self._clock.monotonic() + after_s
        planned = self._due_at.get(task_id)
        if planned is not None and planned <= due_at:
            return None
        self._due_at[task_id] = due_at
        return (due_at, task_id)

    def _plan(self, task_id: TaskId, after_s: float) -> None:
        if (entry := self._entry(task_id, after_s)) is not None:
            heapq.heappush(self._heap, entry)
            if self._heap[0] == entry:
                self._changed.set()

    def _launch_due(self) -> float | None:
        """Start some of what is due; returns seconds until there is more, None for never."""
        now = self._clock.monotonic()
        most = min(STEPS_AT_ONCE, len(self._running) + BURST_MAX)
        while self._new and len(self._running) < most and len(self._beginning) < NEW_AT_ONCE:
            self._launch(self._new.popleft(), is_new=True)  # first: they can never take it all
        wait_s = None
        while self._heap and len(self._running) < most:
            entry = self._heap[0]
            if self._due_at.get(entry[1]) == entry[0] > now:
                wait_s = max(entry[0] - now, TICK_S)
                break
            self._launch(heapq.heappop(self._heap))
        return 0.0 if len(self._running) >= most < STEPS_AT_ONCE else wait_s

    def _launch(self, entry: tuple[float, TaskId], *, is_new: bool = False) -> None:
        due_at, task_id = entry
        if self._due_at.get(task_id) != due_at:
            return  # replanned since
        del self._due_at[task_id]
        if task_id in self._running:
            self._again.add(task_id)  # one step at a time: a second look once this one is over
            return
        if is_new:
            self._beginning.add(task_id)
        self._running[task_id] = asyncio.create_task(self._one(task_id))

    async def _one(self, task_id: TaskId) -> None:
        try:
            after_s = await self._step(task_id)
            self._failures.pop(task_id, None)
        except Exception as error:  # noqa: BLE001 - edge: a bug in one step must not stop the rest
            after_s = self._back_off(task_id)
            _log.error("step_failed", task_id=task_id, error=type(error).__name__, exc_info=error)
        finally:
            if len(self._running) >= STEPS_AT_ONCE or task_id in self._beginning:
                self._changed.set()  # there is room again
            self._running.pop(task_id, None)
            self._beginning.discard(task_id)
        if task_id in self._again:
            self._again.discard(task_id)
            after_s = 0.0
        if after_s is not None:
            self._plan(task_id, after_s)

    def _back_off(self, task_id: TaskId) -> float:
        count = self._failures[task_id] = self._failures.get(task_id, 0) + 1
        return float(min(RETRY_MAX_S, 2 ** min(count, 6)))
