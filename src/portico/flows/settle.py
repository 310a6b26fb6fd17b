"""End tasks: the only caller of the ledger's capture and release.

Money, state, assets and the webhook's delivery row are one transaction. A task that has already
ended stays as it is, and the transaction leaves no trace.
"""

import asyncio
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from portico import accounts, delivery, ledger, tasks
from portico.core import faults
from portico.core.errors import PorticoError
from portico.core.jobs import Kind
from portico.core.views import TaskState
from portico.delivery import NewDelivery
from portico.flows import costing, signals
from portico.flows.gateway import Gateway
from portico.media import service as media
from portico.media.model import NewAsset
from portico.store import Tx
from portico.tasks import AttemptState, NewTask, Task, Verdict


class AlreadyEndedError(Exception):
    """The task had ended before, or was lost to another runner; nothing was written."""


async def succeed(
    gateway: Gateway, task: Task, assets: Sequence[NewAsset], usage: Mapping[str, object]
) -> bool:
    """Charge a task and call it succeeded; False when it had ended, or is another runner's now."""
    now = gateway.clock.now()
    verdict = Verdict(
        state=TaskState.SUCCEEDED,
        charged=task.price,
        usage=usage,
        expires_at=now + gateway.limits.result_kept_ms,
    )

    def write(tx: Tx) -> None:
        for asset in assets:
            media.record(tx, asset)
        end_task(gateway, tx, task, verdict)
        faults.reach("settle.before_commit")

    is_ours = await _finish(gateway, task, write, point="settle.after_commit")
    if is_ours:
        await costing.watch_margin(gateway, task, charged=verdict.charged)
    return is_ours


async def fail(
    gateway: Gateway,
    task: Task,
    error: PorticoError,
    *,
    state: TaskState = TaskState.FAILED,
    by_runner: bool = True,
) -> bool:
    """Give everything back and end the task with an error; False when it had already ended.

    By its runner only as long as it is its runner; whoever ends it from outside is not.
    """
    verdict = Verdict(
        state=state,
        failure_code=error.code,
        failure_message=error.message,
        expires_at=gateway.clock.now() + gateway.limits.result_kept_ms,
    )

    def write(tx: Tx) -> None:
        end_task(gateway, tx, task, verdict, by_runner=by_runner)
        faults.reach("fail.before_commit")

    is_ours = await _finish(gateway, task, write, point="fail.after_commit")
    if is_ours:
        await costing.watch_margin(gateway, task, charged=0)
    return is_ours


async def retry_later(gateway: Gateway, task: Task, error: PorticoError) -> None:
    """Close the failed attempt, keep the hold, and queue the task for another attempt.

    A task that has ended or is another runner's by now stays as it is.
    """
    now = gateway.clock.now()

    def write(tx: Tx) -> None:
        tasks.end_attempt(tx, task.id, state=AttemptState.FAILED, now=now, failure_code=error.code)
        if not tasks.requeue(tx, task.id, runner=task.runner):
            raise AlreadyEndedError

    with suppress(AlreadyEndedError):
        await gateway.store.write(write, lane=task.id)
    leave_room(gateway, task)


def leave_room(gateway: Gateway, task: Task) -> None:
    """Let the next task know, if one waits for the room an attempt had at its credential."""
    following = gateway.live.rooms.leave(task.id)
    if following is not None:
        gateway.engine.nudge(following)


def end_task(
    gateway: Gateway, tx: Tx, task: NewTask, verdict: Verdict, *, by_runner: bool = True
) -> None:
    """Close the hold and write the final state; for use inside one transaction.

    Raises:
        AlreadyEndedError: the task has ended before, or is another runner's by now; the
            transaction must be given up.
    """
    now = gateway.clock.now()
    succeeded = verdict.state is TaskState.SUCCEEDED
    if succeeded:
        ledger.capture(tx, task.id, amount=verdict.charged, at=now)
    else:
        ledger.release(tx, task.id, at=now)
    accounts.give_back_spend(tx, task.key_id, task.price - verdict.charged)
    runner = task.runner if by_runner else None
    if not tasks.end(tx, task.id, verdict, now=now, runner=runner):
        raise AlreadyEndedError
    if task.kind is not Kind.TEXT:  # a text has no attempts
        tasks.end_attempt(
            tx,
            task.id,
            state=AttemptState.SUCCEEDED if succeeded else AttemptState.FAILED,
            now=now,
            failure_code=verdict.failure_code,
        )
    if task.callback_url:
        delivery.enqueue(
            tx,
            NewDelivery(
                id=gateway.ids.opaque_id("msg"),
                account_id=task.account_id,
                task_id=task.id,
                url=task.callback_url,
                created_at=now,
            ),
        )
        tx.announce(signals.OWED)
    tx.announce(signals.ended(task.id))


async def _finish(gateway: Gateway, task: Task, write: Callable[[Tx], None], *, point: str) -> bool:
    try:
        await gateway.store.write(write, lane=task.id)
    except AlreadyEndedError:
        return False
    faults.reach(point)
    leave_room(gateway, task)
    gateway.live.ended(task.id)
    gateway.runner.ended_one()
    if task.callback_url:
        gateway.live.delivery_due.set()
    await asyncio.to_thread(shutil.rmtree, gateway.work_folder / str(task.id), True)  # noqa: FBT003
    return True
