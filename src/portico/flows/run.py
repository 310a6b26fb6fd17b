"""The background life of a task, one step at a time; every step may safely run twice.

`step` looks at the row, does the next thing, and says when to look again. The engine calls it;
it never knows which engine.
"""

import asyncio
import shutil
from pathlib import Path

from portico import tasks
from portico.core import faults
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import TaskId
from portico.core.views import TaskState
from portico.flows import collect, gather, moderate, notices, settle, signals
from portico.flows.gateway import Gateway
from portico.flows.retry import RETRYABLE, GiveUp, Retry, after_failure, shown
from portico.flows.routing import choose_route, queue_of
from portico.providers.base import (
    Assignment,
    Finder,
    Finished,
    InputFile,
    Lost,
    Missing,
    Pending,
    TaskProvider,
)
from portico.store import Tx
from portico.tasks import Attempt, RouteTaken, Task

LOOK_UP_S = 2.0
LOST_RETRY_S = 20.0
LOST_CHECKS_MAX = 3
_ENDED_FROM_OUTSIDE = (TaskState.CANCELLED, TaskState.EXPIRED)
READ_AGAIN_MAX_S = 60.0  # while an upstream cannot be asked, or a storage is away (F11, F29)


async def step(gateway: Gateway, task_id: TaskId) -> float | None:
    """Do the next thing for one task; returns seconds until the next look, None once it ended."""
    task = await _own_open_task(gateway, task_id)
    if task is None:
        gateway.live.ended(task_id)
        return None
    try:
        if gateway.clock.now() >= task.deadline_at:
            await _expire(gateway, task)
            return None
        if task.state is TaskState.QUEUED:
            return await _begin(gateway, task)
        return await _continue(gateway, task)
    except PorticoError as error:
        return await _failed(gateway, task, error)
    except OSError:
        if await _own_open_task(gateway, task_id) is not None:
            raise
        gateway.live.ended(task_id)  # it ended during this step, and its work folder went with it
        return None


async def _own_open_task(gateway: Gateway, task_id: TaskId) -> Task | None:
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


async def _begin(gateway: Gateway, task: Task) -> float | None:
    """Start the task's next attempt: route and submit key are committed before the call."""
    job = task.media_job()
    moderate.refuse_forbidden(gateway, job.prompt, model=job.model)
    inputs = await _stage_inputs(gateway, task)
    route = choose_route(gateway, job)
    if queue_of(route) not in gateway.runner.queues:
        await _hand_over(gateway, task, route)
        return None
    attempt_id = gateway.ids.opaque_id("att")
    if _provider(gateway, route.credential).restartable:
        return await _begin_at_will(gateway, task, attempt_id, route, inputs)
    faults.reach("attempt.before_commit")
    started = await _note_attempt(gateway, task, attempt_id, route, None)
    faults.reach("attempt.after_commit")
    if not started:
        return None
    return await _start(gateway, task, attempt_id, route, inputs)


async def _hand_over(gateway: Gateway, task: Task, route: RouteTaken) -> None:
    """Have a task wait for a process that can take the route that is there for it now."""

    def write(tx: Tx) -> None:
        tasks.hand_over(tx, task, queue=queue_of(route))
        tx.announce(signals.WAITING)

    await gateway.store.write(write)


async def _begin_at_will(
    gateway: Gateway,
    task: Task,
    attempt_id: str,
    route: RouteTaken,
    inputs: tuple[InputFile, ...],
) -> float | None:
    """Start at a provider where a start costs nothing, and write it down after: one write less.

    A crash in between loses a start that nobody pays for; the next one begins anew.
    """
    provider = _provider(gateway, route.credential)
    assignment = _assignment(gateway, task, attempt_id, route, inputs)
    faults.reach("start.before_call")
    try:
        outcome = await provider.start(assignment, attempt_id=attempt_id)
    except PorticoError as error:
        await _note_attempt(gateway, task, attempt_id, route, None)  # it counts as an attempt
        return await _refused(gateway, task, error)
    faults.reach("start.after_call")
    upstream_id = outcome.upstream_id if isinstance(outcome, Pending) else None
    _note_progress(gateway, task, outcome)
    faults.reach("attempt.before_commit")
    started = False
    try:
        started = await _note_attempt(gateway, task, attempt_id, route, upstream_id)
    finally:
        if not started:  # it has ended meanwhile, or the database is away
            await provider.cancel(upstream_id or attempt_id)
    faults.reach("attempt.after_commit")
    if not started:
        gateway.live.ended(task.id)
        return None
    return await _take_outcome(gateway, task, attempt_id, outcome)


async def _note_attempt(
    gateway: Gateway, task: Task, attempt_id: str, route: RouteTaken, upstream_id: str | None
) -> bool:
    """Write an attempt down, with or without the upstream's answer; False: the task is not ours."""
    now = gateway.clock.now()
    return await gateway.store.write(
        lambda tx: tasks.start_attempt(
            tx,
            task,
            attempt_id=attempt_id,
            route=route,
            upstream_id=upstream_id,
            now=now,
        ),
        lane=task.id,
    )


async def _continue(gateway: Gateway, task: Task) -> float | None:
    """Go on with an attempt: ask how far it is, or find out what became of its start."""
    attempt = await gateway.store.read(lambda tx: tasks.last_attempt(tx, task.id))
    if attempt is None:
        message = "a started task has no attempt"
        raise AssertionError(message)
    provider = _provider(gateway, attempt.credential)
    if attempt.upstream_id is None:
        return await _resume_start(gateway, task, attempt, provider)
    faults.reach("check.before_call")
    outcome = await provider.check(attempt.upstream_id)
    faults.reach("check.after_call")
    _note_progress(gateway, task, outcome)
    if isinstance(outcome, Finished) and collect.is_gone(outcome):
        await provider.cancel(attempt.upstream_id)  # it was stored once, but never recorded
        outcome = Missing()
    if isinstance(outcome, Missing):
        if provider.restartable:
            return await _resume_start(gateway, task, attempt, provider)
        return _wait_for_lost(gateway, task)
    return await _take_outcome(gateway, task, attempt.id, outcome)


async def _resume_start(
    gateway: Gateway, task: Task, attempt: Attempt, provider: TaskProvider
) -> float | None:
    """Repeat a start whose answer was lost, where that is free; else look for its job (T2)."""
    answer = gateway.live.answer_to(task.id, attempt.id)
    if answer is not None and not (isinstance(answer, Finished) and collect.is_gone(answer)):
        return await _take_answer(gateway, task, attempt.id, answer)  # it could not be recorded
    if not provider.restartable:
        return await _look_up(gateway, task, attempt, provider)
    inputs = await _stage_inputs(gateway, task)
    return await _start(gateway, task, attempt.id, attempt.route, inputs)


async def _look_up(
    gateway: Gateway, task: Task, attempt: Attempt, provider: TaskProvider
) -> float | None:
    """Find the job of a start whose answer was lost; only a start that never was is repeated.

    Raises:
        PorticoError: UPSTREAM_FAILED when the upstream cannot tell, or the code with which the
            job has failed.
    """
    outcome = None
    if isinstance(provider, Finder):
        try:
            inputs = await _stage_inputs(gateway, task)
            assignment = _assignment(gateway, task, attempt.id, attempt.route, inputs)
            outcome = await provider.find(
                Lost(attempt_id=attempt.id, assignment=assignment, started_at=attempt.started_at)
            )
        except PorticoError as error:
            if error.code in RETRYABLE:  # it cannot be asked now: nothing else may be begun
                return max(error.retry_after_s or 0.0, LOST_RETRY_S)
            raise
    if outcome is None:
        raise PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed", attempt_id=attempt.id)
    if isinstance(outcome, Missing):
        if gateway.live.unread(task.id) < LOST_CHECKS_MAX:
            return LOST_RETRY_S
        never_was = PorticoError(ErrorCode.OVERLOADED, "The upstream did not take the job")
        return await _refused(gateway, task, never_was)
    return await _take_answer(gateway, task, attempt.id, outcome)


async def _start(
    gateway: Gateway,
    task: Task,
    attempt_id: str,
    route: RouteTaken,
    inputs: tuple[InputFile, ...],
) -> float | None:
    assignment = _assignment(gateway, task, attempt_id, route, inputs)
    faults.reach("start.before_call")
    provider = _provider(gateway, route.credential)
    try:
        outcome = await provider.start(assignment, attempt_id=attempt_id)
    except PorticoError as error:
        return await _refused(gateway, task, error)
    gateway.live.keep_answer(task.id, attempt_id, outcome)
    faults.reach("start.after_call")
    return await _take_answer(gateway, task, attempt_id, outcome)


async def _take_answer(
    gateway: Gateway, task: Task, attempt_id: str, outcome: Pending | Finished
) -> float | None:
    """Go on from what the upstream said to a start; safe to repeat while it is not recorded."""
    _note_progress(gateway, task, outcome)
    if isinstance(outcome, Pending) and not await _note_running(
        gateway, task, attempt_id, outcome.upstream_id
    ):
        gateway.live.ended(task.id)
        await stop_upstream(gateway, task)
        return None
    return await _take_outcome(gateway, task, attempt_id, outcome)


def _assignment(
    gateway: Gateway,
    task: Task,
    attempt_id: str,
    route: RouteTaken,
    inputs: tuple[InputFile, ...],
) -> Assignment:
    job = task.media_job()
    return Assignment(
        job=job,
        stage=job.stages[task.stage],
        model=route.upstream_model,
        inputs=inputs,
        folder=_work_folder(gateway, task),
        callback_url=notices.callback_url(gateway, route.credential, attempt_id),
    )


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


def _note_progress(gateway: Gateway, task: Task, outcome: Pending | Finished | Missing) -> None:
    """Let readers know how far it is: before the row says that it runs, so that none sees less."""
    if isinstance(outcome, Pending):
        gateway.live.report(task.id, done=outcome.progress, begun=outcome.running)


async def _take_outcome(
    gateway: Gateway, task: Task, attempt_id: str, outcome: Pending | Finished
) -> float | None:
    if isinstance(outcome, Pending):
        left_s = (task.deadline_at - gateway.clock.now()) / 1000
        return max(0.0, min(outcome.check_after_s, left_s))
    await collect.collect(gateway, task, attempt_id, outcome)
    return None if await _own_open_task(gateway, task.id) is None else 0.0


async def _failed(gateway: Gateway, task: Task, error: PorticoError) -> float | None:
    """Look again later, or end the task and give everything back.

    The upstream may have the job by now: what passes, such as a database that is away, is waited
    for up to the deadline, and never a reason for another start.
    """
    if error.code in RETRYABLE:
        return max(error.retry_after_s or 0.0, _read_again_s(gateway, task))
    await settle.fail(gateway, task, shown(error))
    return None


async def _refused(gateway: Gateway, task: Task, error: PorticoError) -> float | None:
    """Make another attempt later where the upstream refused a start, or end the task."""

    def look(tx: Tx) -> tuple[Task, list[Attempt]]:
        return tasks.get(tx, task.id), tasks.attempts_of(tx, task.id)

    current, attempts = await gateway.store.read(look)
    if current.state is not TaskState.SUBMITTING:  # a job that was lost: its attempt goes on
        return await _failed(gateway, task, error)
    if _can_look_up(gateway, attempts, error):
        return LOOK_UP_S  # a job may exist: it is looked for before anything else
    decision = after_failure(
        error,
        attempts=sum(each.stage == current.stage for each in attempts),
        attempts_max=gateway.limits.provider_attempts_max,
        random_bits=gateway.ids.random_bits,
    )
    match decision:
        case Retry(after_s):
            await settle.retry_later(gateway, task, error)
            return after_s
        case GiveUp(final):
            await settle.fail(gateway, task, final)
            return None


def _can_look_up(gateway: Gateway, attempts: list[Attempt], error: PorticoError) -> bool:
    """Whether a start came to nothing clear, at an upstream that can say what became of it."""
    if error.code is not ErrorCode.UPSTREAM_TIMEOUT or not attempts:
        return False
    one = gateway.providers.get(attempts[-1].credential)
    return one is not None and isinstance(one.tasks, Finder)


def _read_again_s(gateway: Gateway, task: Task) -> float:
    count = gateway.live.unread(task.id)
    return float(min(READ_AGAIN_MAX_S, 2 ** min(count, 6)))


async def _expire(gateway: Gateway, task: Task) -> None:
    """End a task at its deadline, refunded, and stop its upstream if that is possible (T3)."""
    await settle.fail(
        gateway,
        task,
        PorticoError(ErrorCode.UPSTREAM_TIMEOUT, "The task took too long"),
        state=TaskState.EXPIRED,
    )
    await stop_upstream(gateway, task)


async def stop_upstream(gateway: Gateway, task: Task) -> None:
    """Ask the upstream to stop; best effort, an upstream's refusal changes nothing."""
    attempt = await gateway.store.read(lambda tx: tasks.last_attempt(tx, task.id))
    if attempt is None or attempt.upstream_id is None:
        return
    try:
        await _provider(gateway, attempt.credential).cancel(attempt.upstream_id)
    except PorticoError:
        return


def _provider(gateway: Gateway, credential: str) -> TaskProvider:
    """Return the provider that speaks for a credential; it may have gone since (F36)."""
    one = gateway.providers.get(credential)
    if one is None or one.tasks is None:
        raise PorticoError(ErrorCode.NO_ROUTE, "No upstream is available for this model")
    return one.tasks


def _wait_for_lost(gateway: Gateway, task: Task) -> float:
    """Look again for a job its upstream does not know, a few times over a minute (F15)."""
    if gateway.live.missed(task.id) >= LOST_CHECKS_MAX:
        raise PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
    return LOST_RETRY_S


async def _stage_inputs(gateway: Gateway, task: Task) -> tuple[InputFile, ...]:
    """Return the customer's files for the first stage, for a later one what the last one made."""
    if task.stage > 0:
        return (await collect.stage_result(gateway, task, _work_folder(gateway, task)),)
    if not task.media_job().inputs:
        return ()
    return await gather.fetch_inputs(gateway, task, _work_folder(gateway, task))


def _work_folder(gateway: Gateway, task: Task) -> Path:
    """Make the task's own folder: always a local disk, and cheaper than a hop to a thread."""
    folder = gateway.work_folder / str(task.id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
