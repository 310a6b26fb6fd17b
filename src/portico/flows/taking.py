"""Go on from what an upstream says of a job: write it down, wait for more, or collect."""

from portico import tasks
from portico.core import faults
from portico.core.clock import SECOND_MS
from portico.flows import collect
from portico.flows.gateway import Gateway
from portico.flows.owning import own_open_task, stop_upstream
from portico.providers.base import Finished, Missing, Pending
from portico.store import Tx
from portico.tasks import Task


async def take_answer(
    gateway: Gateway,
    task: Task,
    attempt_id: str,
    outcome: Pending | Finished,
    *,
    credential: str,
) -> float | None:
    """Go on from what the upstream said to a start; safe to repeat while it is not recorded."""
    note_progress(gateway, task, outcome)
    if isinstance(outcome, Pending) and not await _note_running(
        gateway, task, attempt_id, outcome.upstream_id
    ):
        gateway.live.ended(task.id)
        await stop_upstream(gateway, task)
        return None
    return await take_outcome(gateway, task, attempt_id, outcome, credential=credential)


async def take_outcome(
    gateway: Gateway,
    task: Task,
    attempt_id: str,
    outcome: Pending | Finished,
    *,
    credential: str,
) -> float | None:
    """Return when to look again, or collect what was made; None: the task has ended."""
    if isinstance(outcome, Pending):
        left_s = (task.deadline_at - gateway.clock.now()) / SECOND_MS
        wait_s = gateway.live.trust.interval_s(credential, outcome.check_after_s)
        return max(0.0, min(wait_s, left_s))
    await collect.collect(gateway, task, attempt_id, outcome)
    return None if await own_open_task(gateway, task.id) is None else 0.0


def note_progress(gateway: Gateway, task: Task, outcome: Pending | Finished | Missing) -> None:
    """Let readers know how far it is: before the row says that it runs, so that none sees less."""
    if isinstance(outcome, Pending):
        gateway.live.report(task.id, done=outcome.progress, begun=outcome.running)


async def _note_running(gateway: Gateway, task: Task, attempt_id: str, upstream_id: str) -> bool:
    """Write down that the upstream took the job; False: the task has ended meanwhile."""

    def write(tx: Tx) -> bool:
        tasks.mark_running(
            tx, task.id, attempt_id=attempt_id, upstream_id=upstream_id, runner=task.runner
        )
        return not tasks.get(tx, task.id).is_final

    faults.reach("started.before_commit")
    is_open = await gateway.store.write(write, lane=task.id)
    faults.reach("started.after_commit")
    return is_open
