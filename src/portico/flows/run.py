"""The background life of a task, one step at a time; every step may safely run twice.

`step` looks at the row, does the next thing, and says when to look again. The engine calls it;
it never knows which engine.
"""

from portico import tasks
from portico.core import faults
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import TaskId
from portico.core.views import TaskState
from portico.flows import begin, collect, failing, pauses, settle, taking
from portico.flows.gateway import Gateway
from portico.flows.inputs import assignment_of, stage_inputs
from portico.flows.owning import own_open_task, stop_upstream
from portico.flows.retry import RETRYABLE
from portico.providers.base import Finder, Finished, Lost, Missing, Pending, TaskProvider
from portico.tasks import Attempt, Task

LOST_RETRY_S = 20.0
LOST_CHECKS_MAX = 3


async def step(gateway: Gateway, task_id: TaskId) -> float | None:
    """Do the next thing for one task; returns seconds until the next look, None once it ended."""
    task = await own_open_task(gateway, task_id)
    if task is None:
        gateway.live.ended(task_id)
        return None
    try:
        if gateway.clock.now() >= task.deadline_at:
            await _expire(gateway, task)
            return None
        if task.state is TaskState.QUEUED:
            return await begin.begin(gateway, task)
        return await _continue(gateway, task)
    except PorticoError as error:
        return await failing.failed(gateway, task, error)
    except OSError:
        if await own_open_task(gateway, task_id) is not None:
            raise
        gateway.live.ended(task_id)  # it ended during this step, and its work folder went with it
        return None


async def _continue(gateway: Gateway, task: Task) -> float | None:
    """Go on with an attempt: ask how far it is, or find out what became of its start."""
    attempt = await gateway.store.read(lambda tx: tasks.last_attempt(tx, task.id))
    if attempt is None:
        message = "a started task has no attempt"
        raise AssertionError(message)
    provider = begin.provider_of(gateway, attempt.credential)
    if attempt.upstream_id is None:
        return await _resume_start(gateway, task, attempt, provider)
    outcome = await _check(gateway, task, attempt, provider, attempt.upstream_id)
    if isinstance(outcome, Finished) and collect.is_gone(outcome):
        await provider.cancel(attempt.upstream_id)  # it was stored once, but never recorded
        outcome = Missing()
    if isinstance(outcome, Missing):
        if provider.restartable:
            return await _resume_start(gateway, task, attempt, provider)
        return _wait_for_lost(gateway, task)
    return await taking.take_outcome(
        gateway, task, attempt.id, outcome, credential=attempt.credential
    )


async def _check(
    gateway: Gateway, task: Task, attempt: Attempt, provider: TaskProvider, upstream_id: str
) -> Pending | Finished | Missing:
    """Ask the upstream, with the credential of the attempt, and note what that says of its route.

    Raises:
        PorticoError: as `TaskProvider.check` does.
    """
    faults.reach("check.before_call")
    try:
        outcome = await provider.check(upstream_id)
    except PorticoError as error:
        if error.code not in RETRYABLE:
            gateway.live.trust.note_end(task.id, attempt.credential)
        await pauses.note_check(gateway, attempt, error)
        raise
    faults.reach("check.after_call")
    taking.note_progress(gateway, task, outcome)
    if isinstance(outcome, Finished):
        gateway.live.trust.note_end(task.id, attempt.credential)
        pauses.note_result(gateway, attempt)
    return outcome


async def _resume_start(
    gateway: Gateway, task: Task, attempt: Attempt, provider: TaskProvider
) -> float | None:
    """Repeat a start whose answer was lost, where that is free; else look for its job (T2)."""
    answer = gateway.live.answer_to(task.id, attempt.id)
    if answer is not None and not (isinstance(answer, Finished) and collect.is_gone(answer)):
        return await taking.take_answer(  # it was not recorded
            gateway, task, attempt.id, answer, credential=attempt.credential
        )
    if not provider.restartable:
        return await _look_up(gateway, task, attempt, provider)
    inputs = await stage_inputs(gateway, task)
    return await begin.start(gateway, task, attempt.id, attempt.route, inputs)


async def _look_up(
    gateway: Gateway, task: Task, attempt: Attempt, provider: TaskProvider
) -> float | None:
    """Find the job of a start whose answer was lost; only a start that never was is repeated.

    Raises:
        PorticoError: UPSTREAM_TIMEOUT when the upstream cannot tell, or the code with which the
            job has failed.
    """
    outcome = None
    if isinstance(provider, Finder):
        try:
            inputs = await stage_inputs(gateway, task)
            assignment = assignment_of(gateway, task, attempt.id, attempt.route, inputs)
            outcome = await provider.find(
                Lost(attempt_id=attempt.id, assignment=assignment, started_at=attempt.started_at)
            )
        except PorticoError as error:
            if error.code in RETRYABLE:  # it cannot be asked now: nothing else may be begun
                return max(error.retry_after_s or 0.0, LOST_RETRY_S)
            raise
    if outcome is None:
        message = "The upstream took too long"  # as where nobody can look
        raise PorticoError(ErrorCode.UPSTREAM_TIMEOUT, message, attempt_id=attempt.id)
    if isinstance(outcome, Missing):
        if gateway.live.unread(task.id) < LOST_CHECKS_MAX:
            return LOST_RETRY_S
        never_was = PorticoError(ErrorCode.OVERLOADED, "The upstream did not take the job")
        return await failing.refused(gateway, task, never_was)
    return await taking.take_answer(
        gateway, task, attempt.id, outcome, credential=attempt.credential
    )


async def _expire(gateway: Gateway, task: Task) -> None:
    """End a task at its deadline, refunded, and stop its upstream if that is possible (T3)."""
    await settle.fail(
        gateway,
        task,
        PorticoError(ErrorCode.UPSTREAM_TIMEOUT, "The task took too long"),
        state=TaskState.EXPIRED,
    )
    await stop_upstream(gateway, task)


def _wait_for_lost(gateway: Gateway, task: Task) -> float:
    """Look again for a job its upstream does not know, a few times over a minute (F15)."""
    if gateway.live.missed(task.id) >= LOST_CHECKS_MAX:
        raise PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
    return LOST_RETRY_S
