"""Begin an attempt: find a route with room for it, write it down, call the upstream.

Route and submit key are committed before the call (T1); only where a start costs nothing it comes
first, and one write does for both (decision 10).
"""

from collections.abc import Sequence
from contextlib import suppress

from portico import tasks
from portico.core import faults
from portico.core.clock import SECOND_MS
from portico.core.errors import PorticoError
from portico.core.jobs import MediaJob
from portico.flows import capacity, failing, moderate, pauses, signals, taking
from portico.flows.connected import Connected
from portico.flows.gateway import Gateway
from portico.flows.inputs import assignment_of, stage_inputs
from portico.flows.routing import (
    Tried,
    eligible,
    free_after_s,
    is_free,
    least_tried,
    no_route,
    pick,
    possible,
    queue_of,
    taken,
)
from portico.providers.base import InputFile, Pending, TaskProvider
from portico.routes import Offer, key_of
from portico.store import Tx
from portico.tasks import RouteTaken, Task

REPEAT_AFTER_MS = 5 * SECOND_MS  # so long a route is left alone after a refusal


class _FullError(Exception):
    """The credential has as many attempts open as it may; nothing was written."""


async def begin(gateway: Gateway, task: Task) -> float | None:
    """Start a queued task's next attempt; returns seconds until the next look, None at its end."""
    job = task.media_job()
    moderate.refuse_forbidden(gateway, job.prompt, model=job.model)
    tried = await _tried(gateway, task)
    full: dict[str, float] = {}  # credentials without room, and when to look again
    while True:
        offer = _pick(gateway, task, job, tried, full)
        if isinstance(offer, float):
            return offer
        if queue_of(offer.provider) not in gateway.runner.queues:
            await _hand_over(gateway, task, offer.provider)
            return None
        one = gateway.providers.get(offer.key.credential)
        assert one is not None
        after_s = await capacity.wait_for_room(gateway, task, one, offer)
        if after_s is None:
            with suppress(_FullError):  # another task took the last place meanwhile
                return await _begin_at(gateway, task, one, taken(offer))
            after_s = gateway.live.rooms.wait(task.id, one.name)
        full[one.name] = after_s


def provider_of(gateway: Gateway, credential: str) -> TaskProvider:
    """Return the provider that speaks for a credential; it may have gone since (F36).

    Raises:
        PorticoError: NO_ROUTE when it has.
    """
    one = gateway.providers.get(credential)
    if one is None or one.tasks is None:
        raise no_route()
    return one.tasks


async def start(
    gateway: Gateway,
    task: Task,
    attempt_id: str,
    route: RouteTaken,
    inputs: tuple[InputFile, ...],
) -> float | None:
    """Call the upstream for an attempt that is written down, and go on from what it says."""
    assignment = assignment_of(gateway, task, attempt_id, route, inputs)
    faults.reach("start.before_call")
    provider = provider_of(gateway, route.credential)
    try:
        outcome = await provider.start(assignment, attempt_id=attempt_id)
    except PorticoError as error:
        return await failing.refused(gateway, task, error)
    gateway.live.keep_answer(task.id, attempt_id, outcome)
    faults.reach("start.after_call")
    await pauses.note_answer(gateway, key_of(route.credential, route.upstream_model))
    return await taking.take_answer(gateway, task, attempt_id, outcome, credential=route.credential)


async def _tried(gateway: Gateway, task: Task) -> Tried:
    """Return what the task's stage has behind it; nobody is asked about a task that is new."""
    if task.started_at is None:
        return Tried()
    attempts = await gateway.store.read(lambda tx: tasks.attempts_of(tx, task.id))
    return Tried.of(attempts, task.stage)


def _pick(
    gateway: Gateway, task: Task, job: MediaJob, tried: Tried, full: dict[str, float]
) -> Offer | float:
    """Return the route to take, or after how many seconds there may be one.

    Raises:
        PorticoError: NO_ROUTE when there is none, not even later.
    """
    times_max = gateway.limits.provider_attempts_max
    all_ = possible(eligible(gateway, job, task.stage), tried, times_max=times_max)
    if not all_:
        raise no_route()
    free = [each for each in all_ if each.key.credential not in full and is_free(gateway, each)]
    least = least_tried(free, tried)
    if _is_too_soon(gateway, tried, all_, least, full):
        return capacity.TURN_AGAIN_S
    offer = pick(gateway, job, least) if least else None
    return offer or min([free_after_s(gateway, all_), *full.values()])


def _is_too_soon(
    gateway: Gateway,
    tried: Tried,
    all_: Sequence[Offer],
    least: Sequence[Offer],
    full: dict[str, float],
) -> bool:
    """Whether a route would be asked again at once, only because an untried one has no room."""
    if not least or gateway.clock.now() - tried.last_at >= REPEAT_AFTER_MS:
        return False
    times = tried.times[least[0].key]
    return any(each.key.credential in full and tried.times[each.key] < times for each in all_)


async def _begin_at(
    gateway: Gateway, task: Task, one: Connected, route: RouteTaken
) -> float | None:
    """Make the attempt at one route.

    Raises:
        _FullError: there is no room for it after all.
    """
    inputs = await stage_inputs(gateway, task)
    attempt_id = gateway.ids.opaque_id("att")
    if one.tasks is not None and one.tasks.restartable:
        return await _begin_at_will(gateway, task, attempt_id, route, inputs)
    faults.reach("attempt.before_commit")
    started = await _note_attempt(gateway, task, attempt_id, route, open_max=one.attempts_max)
    faults.reach("attempt.after_commit")
    if not started:
        return None
    gateway.live.rooms.enter(task.id, one.name)
    return await start(gateway, task, attempt_id, route, inputs)


async def _hand_over(gateway: Gateway, task: Task, provider: str) -> None:
    """Have a task wait for a process that can take the route that is there for it now."""

    def write(tx: Tx) -> None:
        tasks.hand_over(tx, task, queue=queue_of(provider))
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
    provider = provider_of(gateway, route.credential)
    assignment = assignment_of(gateway, task, attempt_id, route, inputs)
    faults.reach("start.before_call")
    try:
        outcome = await provider.start(assignment, attempt_id=attempt_id)
    except PorticoError as error:
        await _note_attempt(gateway, task, attempt_id, route)  # it counts as an attempt
        return await failing.refused(gateway, task, error)
    faults.reach("start.after_call")
    upstream_id = outcome.upstream_id if isinstance(outcome, Pending) else None
    taking.note_progress(gateway, task, outcome)
    faults.reach("attempt.before_commit")
    started = False
    try:
        started = await _note_attempt(gateway, task, attempt_id, route, upstream_id=upstream_id)
    finally:
        if not started:  # it has ended meanwhile, or the database is away
            await provider.cancel(upstream_id or attempt_id)
    faults.reach("attempt.after_commit")
    if not started:
        gateway.live.ended(task.id)
        return None
    return await taking.take_outcome(
        gateway, task, attempt_id, outcome, credential=route.credential
    )


async def _note_attempt(
    gateway: Gateway,
    task: Task,
    attempt_id: str,
    route: RouteTaken,
    *,
    upstream_id: str | None = None,
    open_max: int | None = None,
) -> bool:
    """Write an attempt down, with or without the upstream's answer; False: the task is not ours.

    Where attempts are counted the write has no lane: what it counts, no neighbour may change.

    Raises:
        _FullError: the credential has no room for it.
    """
    now = gateway.clock.now()
    one = gateway.providers.get(route.credential)
    cost = 0 if one is not None and one.is_built_in else None

    def write(tx: Tx) -> bool:
        if open_max is not None and tasks.open_attempts(tx, route.credential) >= open_max:
            raise _FullError
        return tasks.start_attempt(
            tx,
            task,
            attempt_id=attempt_id,
            route=route,
            upstream_id=upstream_id,
            now=now,
            cost=cost,
        )

    return await gateway.store.write(write, lane=task.id if open_max is None else None)
