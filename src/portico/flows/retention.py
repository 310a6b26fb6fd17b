"""Remove tasks that ended long ago, a few at a time, once they are counted in the roll-ups.

What they cost stays in the ledger for ever, entries and holds alike. Of several processes only
the one that leads does this.
"""

import asyncio
from functools import partial

import structlog

from portico import delivery, tasks, usage
from portico.core import faults
from portico.core.clock import Instant
from portico.core.ids import TaskId, lowest_task_id
from portico.core.usage import start_of
from portico.flows.gateway import Gateway
from portico.flows.usage import roll_up
from portico.media import service as media
from portico.store import Tx

EVERY_S = 300.0
BATCH = 256  # some milliseconds of statements; the database shares them among groups
PAUSE_S = 0.2  # in which everybody else has the writer to themselves
_log = structlog.get_logger("portico.retention")


async def run_retention(gateway: Gateway) -> None:
    """Roll up and remove every few minutes, for ever."""
    while True:
        await gateway.runner.leads.wait()
        try:
            days = await roll_up(gateway)
            removed = await remove_old(gateway)
        except Exception as error:  # noqa: BLE001 - edge: the next round tries again
            _log.error("retention_failed", exc_info=error)
        else:
            if days or removed:
                _log.info("retention", days=days, removed=removed)
        await gateway.clock.sleep(EVERY_S)


async def remove_old(gateway: Gateway) -> int:
    """Remove the tasks whose time is over; returns how many. Safe to repeat.

    A task stays while a file of it is stored, an event of it is owed, or its day is not rolled up.
    """
    limits, now = gateway.limits, gateway.clock.now()
    rolled = await gateway.store.read(usage.progress)
    if limits.task_kept_ms is None or rolled is None:
        return 0
    # nobody may find a task by its idempotency key that is not there any more
    forgotten_before = now - limits.idempotency_kept_ms
    await gateway.store.write(lambda tx: tasks.forget_requests(tx, before=forgotten_before))
    ended_before = min(now - limits.task_kept_ms, forgotten_before, start_of(rolled.next_day))
    removed, last_id = 0, 0
    while gateway.runner.leads.is_set():
        due = await _due(gateway, ended_before, after_id=last_id)
        if not due:
            break
        last_id = due[-1]
        removed += await _remove_all(gateway, due)
        await gateway.clock.sleep(PAUSE_S)
    return removed


async def _due(gateway: Gateway, ended_before: Instant, *, after_id: TaskId) -> list[TaskId]:
    now = gateway.clock.now()
    return await gateway.store.read(
        lambda tx: tasks.over(
            tx,
            ended_before=ended_before,
            now=now,
            after_id=after_id,
            end_id=lowest_task_id(ended_before),
            limit=BATCH,
        )
    )


async def _remove_all(gateway: Gateway, due: list[TaskId]) -> int:
    """Remove each task in a work of its own: what comes meanwhile is written between them."""
    removing = (gateway.store.write(partial(_remove, task_id=each), lane=each) for each in due)
    gone = await asyncio.gather(*removing)
    faults.reach("remove.after_commit")
    return sum(gone)


def _remove(tx: Tx, task_id: TaskId) -> bool:
    """Remove one task with all that points at it; False: it has to stay, or is gone already."""
    if media.is_any_stored(tx, task_id) or delivery.is_any_owed(tx, task_id):
        return False
    media.remove(tx, task_id)
    delivery.remove(tx, task_id)
    removed = tasks.remove(tx, task_id)
    faults.reach("remove.before_commit")
    return removed
