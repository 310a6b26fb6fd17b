"""Accept a picture or video: resolve → check media → quote → hold → record → wake the engine."""

import asyncio

import msgspec

from portico import accounts, ledger, tasks
from portico.core import faults
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import TaskId
from portico.core.jobs import MediaAsk, MediaJob
from portico.core.money import Credits
from portico.core.views import Caller, TaskState, TaskView
from portico.flows import gather, lookup, signals
from portico.flows.gateway import Gateway
from portico.flows.routing import queue_of, require_route
from portico.flows.views import new_task_view
from portico.media import service as media
from portico.store import Lane, Tx
from portico.tasks import NewTask, Replay

CANCELLED_LOOK_S = 1.0
LOOK_AGAIN_S = 1.0
_encoder = msgspec.json.Encoder()


class Repeat(msgspec.Struct, frozen=True):
    """An Idempotency-Key: scope, the key itself, and a digest of what was asked."""

    route: str
    key: str
    fingerprint: str


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What comes with a request besides the job."""

    callback_url: str | None = None
    open_tasks_max: int | None = None  # the dialect's limit on tasks under way at once
    repeat: Repeat | None = None


class Accepted(msgspec.Struct, frozen=True):
    """An accepted task, and what is available after its hold; `replayed`: it was there before."""

    task: TaskView
    balance_after: Credits
    replayed: bool = False


async def submit(
    gateway: Gateway, caller: Caller, ask: MediaAsk, terms: Terms | None = None
) -> Accepted:
    """Accept one job, with its whole price held; once it returns the task survives anything.

    Raises:
        PorticoError: whatever is wrong with the request, always before any debit;
            INSUFFICIENT_CREDITS, CONCURRENCY_LIMITED, IDEMPOTENCY_CONFLICT.
    """
    terms = terms or Terms()
    if terms.repeat and (earlier := await _replayed(gateway, caller, terms.repeat)):
        return earlier
    job = gateway.catalogue.resolve(ask)
    queue = queue_of(require_route(gateway, job).provider)
    await _check_callback(gateway, terms.callback_url)
    await gather.check_inputs(gateway, caller, job)
    task = _new_task(gateway, caller, ask, job, queue=queue, callback_url=terms.callback_url)
    try:
        balance_after = await gateway.store.write(
            lambda tx: _admission(tx, caller, task, job, terms), lane=lane_of(caller, task, terms)
        )
    except asyncio.CancelledError:  # the client has gone; the write may have counted all the same
        _set_off(gateway, task, after_s=CANCELLED_LOOK_S)
        raise
    except _AlreadySubmittedError:  # the same key won a race against itself
        return await _after_race(gateway, caller, terms)
    faults.reach("submit.after_commit")
    _set_off(gateway, task)
    return Accepted(new_task_view(gateway, task, job), balance_after)


def _set_off(gateway: Gateway, task: NewTask, *, after_s: float = 0.0) -> None:
    if task.runner is not None:
        gateway.engine.wake(task.id, after_s=after_s)
    else:  # this process may be one of those that can take it
        gateway.runner.work_waits.set()


async def submit_and_wait(
    gateway: Gateway, caller: Caller, ask: MediaAsk, terms: Terms | None = None, *, wait_s: float
) -> Accepted:
    """Submit, then wait a while for the end; returns the task as it stands by then."""
    accepted = await submit(gateway, caller, ask, terms)
    view = accepted.task
    if accepted.replayed:  # shown as it was accepted; by now it may have ended
        view = await lookup.task(gateway, caller, view.id)
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + wait_s
    while not view.is_final and (left_s := deadline_s - loop.time()) > 0:
        # another process's word that it ended may be lost: then its row says so
        within_s = left_s if gateway.runner.is_alone else min(left_s, LOOK_AGAIN_S)
        await gateway.live.wait(view.id, within_s=within_s)
        view = await lookup.task(gateway, caller, view.id)
    return Accepted(view, accepted.balance_after, accepted.replayed)


async def _check_callback(gateway: Gateway, url: str | None) -> None:
    if url is None:
        return
    try:
        await gateway.door.check_target(url)
    except PorticoError as error:
        error.param = "callback_url"
        raise


class _AlreadySubmittedError(Exception):
    """Another request with the same idempotency key committed first."""


def _admission(tx: Tx, caller: Caller, task: NewTask, job: MediaJob, terms: Terms) -> Credits:
    """Hold, record, remember, attach: one transaction, so all of it stands or none."""
    if was_used(tx, caller, terms):
        raise _AlreadySubmittedError
    balance_after = hold_and_record(tx, caller, task, terms)
    media.attach_inputs(tx, job.inputs, account_id=caller.account_id, task_id=task.id)
    if task.runner is None:
        tx.announce(signals.WAITING)
    faults.reach("submit.before_commit")
    return balance_after


def lane_of(caller: Caller, task: NewTask, terms: Terms) -> Lane:
    """Return what an admission has to itself: what it looks up before it changes it."""
    if terms.open_tasks_max is not None or caller.open_tasks_max is not None:
        return caller.account_id
    if repeat := terms.repeat:
        return caller.account_id, repeat.route, repeat.key
    return task.id


def was_used(tx: Tx, caller: Caller, terms: Terms) -> bool:
    """Whether another request with the same idempotency key committed first."""
    repeat = terms.repeat
    return repeat is not None and (
        tasks.recall_request(tx, caller.account_id, route=repeat.route, key=repeat.key) is not None
    )


def hold_and_record(tx: Tx, caller: Caller, task: NewTask, terms: Terms) -> Credits:
    """Hold a task's price, record it, remember its idempotency key; returns what is available.

    Raises:
        PorticoError: CONCURRENCY_LIMITED, INSUFFICIENT_CREDITS.
    """
    check_open_tasks(tx, caller, terms.open_tasks_max)
    accounts.commit_spend(tx, caller, task.price)
    balance_after = ledger.hold(
        tx, caller.account_id, amount=task.price, task_id=task.id, at=task.created_at
    )
    tasks.create(tx, task)
    if repeat := terms.repeat:
        tasks.remember_request(
            tx,
            caller.account_id,
            route=repeat.route,
            key=repeat.key,
            fingerprint=repeat.fingerprint,
            task_id=task.id,
            balance_after=balance_after,
            now=task.created_at,
        )
    return balance_after


def check_open_tasks(tx: Tx, caller: Caller, dialect_max: int | None) -> None:
    """Refuse one task too many at once; exact, since it counts inside the admitting write.

    Raises:
        PorticoError: CONCURRENCY_LIMITED.
    """
    limits = [each for each in (caller.open_tasks_max, dialect_max) if each is not None]
    if limits and tasks.count_open(tx, caller.account_id) >= min(limits):
        raise PorticoError(ErrorCode.CONCURRENCY_LIMITED, "Too many tasks at once", retry_after_s=5)


def _new_task(
    gateway: Gateway,
    caller: Caller,
    ask: MediaAsk,
    job: MediaJob,
    *,
    queue: str,
    callback_url: str | None,
) -> NewTask:
    now = gateway.clock.now()
    quote = gateway.catalogue.quote(job, at=now)
    deadline_s = gateway.catalogue.model(job.model).deadline_s
    return NewTask(
        id=gateway.ids.task_id(),
        account_id=caller.account_id,
        key_id=caller.key_id,
        dialect=ask.dialect,
        offered_name=ask.name or gateway.catalogue.offering(job.offering).name,
        kind=job.kind,
        mode=job.mode,
        model=job.model,
        offering=job.offering,
        state=TaskState.QUEUED,
        job=_encoder.encode(job).decode(),
        quote=_encoder.encode(quote).decode(),
        price=quote.amount,
        created_at=now,
        deadline_at=now + deadline_s * 1000,
        callback_url=callback_url,
        queue=queue,
        runner=gateway.runner.owner_of(queue),
    )


async def recall(gateway: Gateway, caller: Caller, repeat: Repeat) -> Replay | None:
    """Return what an idempotency key was used for before, or None for a new key.

    Raises:
        PorticoError: IDEMPOTENCY_CONFLICT when it was used for another request.
    """
    found = await gateway.store.read(
        lambda tx: tasks.recall_request(tx, caller.account_id, route=repeat.route, key=repeat.key)
    )
    if found is not None and found.fingerprint != repeat.fingerprint:
        message = "This Idempotency-Key was used for another request"
        raise PorticoError(ErrorCode.IDEMPOTENCY_CONFLICT, message)
    return found


async def _replayed(gateway: Gateway, caller: Caller, repeat: Repeat) -> Accepted | None:
    """Return what the same key brought before, or None when it is new."""
    found = await recall(gateway, caller, repeat)
    if found is None:
        return None
    return await _accepted_before(gateway, caller, found.task_id, found.balance_after)


async def _after_race(gateway: Gateway, caller: Caller, terms: Terms) -> Accepted:
    earlier = await _replayed(gateway, caller, terms.repeat) if terms.repeat else None
    if earlier is None:
        raise PorticoError(ErrorCode.IDEMPOTENCY_CONFLICT, "The same request is under way")
    return earlier


async def _accepted_before(
    gateway: Gateway, caller: Caller, task_id: TaskId, balance_after: Credits
) -> Accepted:
    """Answer as the first time: with the task as it was when it was accepted."""
    task = await gateway.store.read(lambda tx: tasks.find(tx, task_id, caller.account_id))
    if task is None:
        raise PorticoError(ErrorCode.TASK_NOT_FOUND, "Task not found")
    return Accepted(new_task_view(gateway, task), balance_after, replayed=True)
