"""Whose a task is, and what is stopped when it is nobody's here any more."""

import asyncio
import shutil

from portico import tasks
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import TaskId
from portico.core.views import TaskState
from portico.flows.gateway import Gateway
from portico.tasks import Task

_ENDED_FROM_OUTSIDE = (TaskState.CANCELLED, TaskState.EXPIRED)


async def own_open_task(gateway: Gateway, task_id: TaskId) -> Task | None:
    """Return a task of this process that has not ended; None also for one that never counted."""
    try:
        task = await gateway.store.read(lambda tx: tasks.get(tx, task_id))
    except PorticoError as error:
        if error.code is ErrorCode.TASK_NOT_FOUND:
            return None
        raise
    if task.runner != gateway.runner.id or task.state in _ENDED_FROM_OUTSIDE:
        await _stop_here(gateway, task)
        return None
    return None if task.is_final else task


async def stop_upstream(gateway: Gateway, task: Task) -> None:
    """Ask the upstream to stop; best effort, an upstream's refusal changes nothing."""
    attempt = await gateway.store.read(lambda tx: tasks.last_attempt(tx, task.id))
    if attempt is None or attempt.upstream_id is None:
        return
    one = gateway.providers.get(attempt.credential)
    if one is None or one.tasks is None:  # it has gone since (F36)
        return
    try:
        await one.tasks.cancel(attempt.upstream_id)
    except PorticoError:
        return


async def _stop_here(gateway: Gateway, task: Task) -> None:
    """Stop what this machine still makes for a task that was ended, or taken over, elsewhere.

    Whoever ended it had no files of it: those here go as well.
    """
    attempt = await gateway.store.read(lambda tx: tasks.last_attempt(tx, task.id))
    if attempt is not None:
        one = gateway.providers.get(attempt.credential)
        if one is not None and one.tasks is not None and one.tasks.restartable:
            await one.tasks.cancel(attempt.upstream_id or attempt.id)
    folder = gateway.work_folder / str(task.id)
    if folder.is_dir():
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
