"""What becomes of a task whose step failed: another route, another time, or the end."""

from portico import tasks
from portico.core.errors import ErrorCode, PorticoError
from portico.core.views import TaskState
from portico.flows import costing, pauses, settle
from portico.flows.gateway import Gateway
from portico.flows.retry import RETRYABLE, GiveUp, Left, Retry, after_failure, is_refusal, shown
from portico.flows.routing import Tried, eligible, is_free, possible
from portico.providers.base import Finder
from portico.routes import Key, key_of
from portico.store import Tx
from portico.tasks import Attempt, Task

ATTEMPTS_MAX = 24  # of one stage at all its routes together
LOOK_UP_S = 2.0
READ_AGAIN_MAX_S = 60.0  # while an upstream cannot be asked, or a storage is away (F11, F29)


async def failed(gateway: Gateway, task: Task, error: PorticoError) -> float | None:
    """Look again later, or end the task and give everything back.

    The upstream may have the job by now: what passes, such as a database that is away, is waited
    for up to the deadline, and never a reason for another start.
    """
    if error.code in RETRYABLE:
        return max(error.retry_after_s or 0.0, _read_again_s(gateway, task))
    await costing.note_failure(gateway, task, error)
    await settle.fail(gateway, task, shown(error))
    return None


async def refused(gateway: Gateway, task: Task, error: PorticoError) -> float | None:
    """Go on at another route, or later, where a start was refused; or end the task.

    Only a clear refusal leads to another attempt: an unclear start is looked for, or fails.
    """

    def look(tx: Tx) -> tuple[Task, list[Attempt]]:
        return tasks.get(tx, task.id), tasks.attempts_of(tx, task.id)

    current, attempts = await gateway.store.read(look)
    last = attempts[-1] if attempts else None
    if last is not None:
        await pauses.note_refusal(gateway, _key(last), error)
    if current.state is not TaskState.SUBMITTING or last is None:
        return await failed(gateway, task, error)  # a job that was lost: its attempt goes on
    if _can_look_up(gateway, last, error):
        return LOOK_UP_S  # a job may exist: it is looked for before anything else
    tried = Tried.of(attempts, current.stage)
    decision = after_failure(
        error,
        attempts=tried.times[_key(last)],
        left=_left(gateway, current, tried, _key(last), error),
        random_bits=gateway.ids.random_bits,
    )
    match decision:
        case Retry(after_s):
            await settle.retry_later(gateway, task, error)
            return after_s
        case GiveUp(final):
            await costing.note_failure(gateway, task, error)
            await settle.fail(gateway, task, final)
            return None


def _left(gateway: Gateway, task: Task, tried: Tried, last: Key, error: PorticoError) -> Left:
    """Return what is left of a task's routes once the last one has refused it."""
    if not is_refusal(error) or tried.times.total() >= ATTEMPTS_MAX:
        return Left.NOTHING
    if error.code not in RETRYABLE:
        tried = Tried(tried.times, tried.for_good | {last})
    times_max = gateway.limits.provider_attempts_max
    offers = eligible(gateway, task.media_job(), task.stage)
    still = possible(offers, tried, times_max=times_max)
    if any(tried.times[each.key] < tried.times[last] and is_free(gateway, each) for each in still):
        return Left.ANOTHER
    return Left.SAME if still else Left.NOTHING


def _can_look_up(gateway: Gateway, last: Attempt, error: PorticoError) -> bool:
    """Whether a start came to nothing clear, at an upstream that can say what became of it."""
    if error.code is not ErrorCode.UPSTREAM_TIMEOUT:
        return False
    one = gateway.providers.get(last.credential)
    return one is not None and isinstance(one.tasks, Finder)


def _read_again_s(gateway: Gateway, task: Task) -> float:
    count = gateway.live.unread(task.id)
    return float(min(READ_AGAIN_MAX_S, 2 ** min(count, 6)))


def _key(attempt: Attempt) -> Key:
    return key_of(attempt.credential, attempt.upstream_model)
