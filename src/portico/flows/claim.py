"""Say which process runs which task: join, take what waits, take over what the dead left.

Every process on a database is a runner. It counts up in its row every few seconds; one whose
count stands still is dead, and what it had waits for another. Whoever was taken for dead by
mistake finds its row gone, and every write it still makes for a task is refused by the task's
own row.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Iterable
from pathlib import Path

import structlog

from portico import tasks
from portico.core import faults
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import RunnerId, TaskId
from portico.engines import RENDER, Watch
from portico.engines import service as runners
from portico.flows import settle, signals
from portico.flows.gateway import Gateway
from portico.store import Tx

BEAT_S = 2.5
LOOK_FOR_LOST_EVERY = 10  # beats
STREAMS_END_WITHIN_S = 5.0
WATCHED_MAX = 10_000  # tasks at upstreams that one process looks after
_log = structlog.get_logger("portico.claim")


async def join(gateway: Gateway, dead: Iterable[RunnerId] = ()) -> int:
    """Register this process and take what waits; returns how many tasks it took. Once, at start.

    What those had of whose death this machine is certain is taken over at once: a killed process
    that is started again goes on without waiting for its own beat to be missed.

    Alone on its database it takes up everything a former process left open. A text cannot be
    continued: whatever its client received, the process that counted it has gone, so it is
    refunded. Pictures and videos go on where they stood.
    """
    await gateway.store.write(lambda tx: _register(gateway, tx))
    beats = await _see_who_leads(gateway)
    if certain := beats.keys() & set(dead):
        for each in certain:
            await _bury(gateway, each, beats[each])
        await _see_who_leads(gateway)
    await _give_up_lost(gateway)
    taken = await take(gateway)
    await asyncio.to_thread(_clear_work, gateway.work_folder, {str(each) for each in taken})
    return len(taken)


async def leave(gateway: Gateway) -> None:
    """Have another process take this one's tasks at once; for one that stops. Safe to repeat."""
    if not gateway.store.is_shared:
        return  # the next process takes everything up by itself

    def write(tx: Tx) -> None:
        runners.remove(tx, gateway.runner.id)
        _let_go(tx, gateway.runner.id)

    await gateway.store.write(write)


async def run_beats(gateway: Gateway) -> None:
    """Show that this process is alive, and look whether the others are, for ever."""
    watch, beats = Watch(), 0
    while True:
        await gateway.clock.sleep(BEAT_S)
        beats += 1
        await _logged(beat(gateway, watch))
        if beats % LOOK_FOR_LOST_EVERY == 0:
            await _logged(_give_up_lost(gateway))


async def run_taking(gateway: Gateway) -> None:
    """Take tasks that wait, whenever somebody says that there are any, for ever."""
    while True:
        await gateway.runner.work_waits.wait()
        gateway.runner.work_waits.clear()
        await _logged(take(gateway))


async def beat(gateway: Gateway, watch: Watch) -> None:
    """Count up once, and bury whoever has not for a while."""
    runner = gateway.runner
    if not await gateway.store.write(lambda tx: runners.beat(tx, runner.id)):
        await _begin_anew(gateway)
    beats = await _see_who_leads(gateway)
    for dead, seen in watch.look(beats).items():
        if dead != runner.id:
            await _bury(gateway, dead, seen)


async def take(gateway: Gateway) -> list[TaskId]:
    """Make tasks that wait this process's own, as many as it has room for; returns them."""
    taken: list[TaskId] = []
    if gateway.runner.is_leaving:
        return taken
    for queue in sorted(gateway.runner.queues):
        taken += await _take_from(gateway, queue)
    for task_id in taken:
        gateway.engine.wake(task_id)
    return taken


async def _take_from(gateway: Gateway, queue: str) -> list[TaskId]:
    runner = gateway.runner
    waiting = await gateway.store.read(lambda tx: tasks.count_waiting(tx, queue))
    if not waiting:
        return []
    room_max = gateway.limits.renders_max if queue == RENDER else WATCHED_MAX

    def write(tx: Tx) -> list[TaskId]:
        room = waiting
        if gateway.store.is_shared:
            room = min(room, room_max - tasks.count_of(tx, runner.id).get(queue, 0))
        return tasks.take(tx, runner.id, queue=queue, limit=max(0, room))

    faults.reach("take.before_commit")
    taken = await gateway.store.write(write)
    faults.reach("take.after_commit")
    if len(taken) < waiting:
        runner.left_some = True
    return taken


def _register(gateway: Gateway, tx: Tx) -> None:
    runner = gateway.runner
    if not gateway.store.is_shared:
        runners.remove_all(tx)
    runners.register(tx, runner.id, queues=runner.queues, now=gateway.clock.now())


async def _see_who_leads(gateway: Gateway) -> dict[RunnerId, int]:
    """Look at all that are alive: who came first does what only one may do."""
    runner = gateway.runner
    beats = await gateway.store.read(runners.beats)
    runner.is_alone = len(beats) <= 1
    if next(iter(beats), runner.id) == runner.id:
        runner.leads.set()
    else:
        runner.leads.clear()
    return beats


async def _begin_anew(gateway: Gateway) -> None:
    """Go on under another name: the others have given this process up, and all it had."""
    runner, lost = gateway.runner, gateway.runner.id
    _log.warning("given_up_by_others")
    gateway.engine.forget_all()
    runner.id = gateway.ids.opaque_id("run")

    def write(tx: Tx) -> None:
        _register(gateway, tx)
        _let_go(tx, lost)  # what came in before this was noticed

    await gateway.store.write(write)
    await gateway.live.end_streams(within_s=STREAMS_END_WITHIN_S)
    runner.work_waits.set()


async def _bury(gateway: Gateway, dead: RunnerId, seen: int) -> None:
    def write(tx: Tx) -> bool:
        if not runners.remove(tx, dead, seen=seen):
            return False  # it lives after all, or another process was faster
        _let_go(tx, dead)
        return True

    faults.reach("bury.before_commit")
    buried = await gateway.store.write(write)
    faults.reach("bury.after_commit")
    if buried:
        _log.warning("runner_lost", runner=dead)
        gateway.runner.work_waits.set()
        await _give_up_texts(gateway, dead)


async def _give_up_lost(gateway: Gateway) -> None:
    """Find tasks of runners that are no more: whoever buried them may have died over it."""

    def look(tx: Tx) -> list[RunnerId]:
        owners = tasks.runners_of_open(tx)  # before the list: a new runner must be on it
        alive = runners.beats(tx)
        return [each for each in owners if each not in alive]

    for lost in await gateway.store.read(look):
        await gateway.store.write(lambda tx: _let_go(tx, lost))  # noqa: B023 - awaited here
        gateway.runner.work_waits.set()
        await _give_up_texts(gateway, lost)


def _let_go(tx: Tx, runner: RunnerId) -> None:
    if tasks.let_go(tx, runner):
        tx.announce(signals.WAITING)


async def _give_up_texts(gateway: Gateway, runner: RunnerId) -> None:
    for task_id in await gateway.store.read(lambda tx: tasks.texts_of(tx, runner)):
        await _give_up_text(gateway, task_id)


async def _give_up_text(gateway: Gateway, task_id: TaskId) -> None:
    task = await gateway.store.read(lambda tx: tasks.get(tx, task_id))
    error = PorticoError(ErrorCode.UPSTREAM_FAILED, "Interrupted by a restart")
    await settle.fail(gateway, task, error, by_runner=False)
    await gateway.store.write(
        lambda tx: tasks.answer_request(tx, task.account_id, task.id, answer=None)
    )


async def _logged(work: Awaitable[object]) -> None:
    """Do something that is tried again soon, whatever comes of it."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 - edge: the database is away, or a surprise
        _log.warning("claim_failed", error=type(error).__name__, exc_info=error)


def _clear_work(folder: Path, keep: set[str]) -> None:
    """Remove work folders of tasks that are no longer this process's."""
    if folder.is_dir():
        for each in folder.iterdir():
            if each.name not in keep:
                shutil.rmtree(each, ignore_errors=True)
