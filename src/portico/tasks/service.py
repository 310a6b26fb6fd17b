"""What can be done with tasks; each takes an open transaction first and may safely run twice."""

import msgspec

from portico.core.clock import Instant
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import TASK_ID_MAX, AccountId, RunnerId, TaskId
from portico.core.jobs import Kind
from portico.core.money import Credits
from portico.core.views import TaskState
from portico.store import Row, Tx
from portico.tasks import queries
from portico.tasks.model import (
    Attempt,
    AttemptState,
    NewTask,
    Replay,
    RouteTaken,
    Task,
    Verdict,
)


def create(tx: Tx, task: NewTask) -> None:
    """Record an accepted task; its hold must already be open in the same transaction."""
    tx.execute(queries.INSERT_TASK, **msgspec.structs.asdict(task))


def find(tx: Tx, task_id: TaskId, account_id: AccountId) -> Task | None:
    """Return an account's own task; a foreign one is as unknown as one that never was."""
    row = tx.one(queries.TASK_OF, task_id=task_id, account_id=account_id)
    return _task(row) if row else None


def get(tx: Tx, task_id: TaskId) -> Task:
    """Return a task for Portico's own work.

    Raises:
        PorticoError: TASK_NOT_FOUND.
    """
    row = tx.one(queries.TASK_BY_ID, task_id=task_id)
    if row is None:
        raise PorticoError(ErrorCode.TASK_NOT_FOUND, "Task not found")
    return _task(row)


def listing(
    tx: Tx, account_id: AccountId, *, limit: int = 50, before_id: TaskId = 2**63 - 1
) -> list[Task]:
    """Return an account's tasks, newest first; `before_id` pages on."""
    rows = tx.rows(queries.LISTING, account_id=account_id, limit=limit, before_id=before_id)
    return [_task(row) for row in rows]


def page(
    tx: Tx,
    account_id: AccountId,
    kind: Kind,
    *,
    limit: int,
    after_id: TaskId | None,
    oldest_first: bool,
) -> list[Task]:
    """Return an account's pictures or videos in either order, from beyond `after_id` on."""
    statement, start = (queries.PAGE_UP, 0) if oldest_first else (queries.PAGE_DOWN, TASK_ID_MAX)
    after_id = start if after_id is None else after_id
    values = {"account_id": account_id, "kind": kind.value, "after_id": after_id}
    return [_task(row) for row in tx.rows(statement, **values, limit=limit)]


def count_open(tx: Tx, account_id: AccountId) -> int:
    """Return how many of an account's tasks have not ended; exact inside a write."""
    row = tx.one(queries.COUNT_OPEN, account_id=account_id)
    return int(row["number"]) if row else 0


def open_ids(tx: Tx) -> list[TaskId]:
    """Return every task that has not ended, oldest first."""
    return [row["id"] for row in tx.rows(queries.OPEN_IDS)]


def runners_of_open(tx: Tx) -> list[RunnerId]:
    """Return every runner that has tasks which have not ended."""
    return [row["runner"] for row in tx.rows(queries.RUNNERS_OF_OPEN)]


def texts_of(tx: Tx, runner: RunnerId) -> list[TaskId]:
    """Return the texts a runner had begun and not ended."""
    return [row["id"] for row in tx.rows(queries.TEXTS_OF_RUNNER, runner=runner)]


def count_of(tx: Tx, runner: RunnerId) -> dict[str, int]:
    """Return how many open tasks of each queue a runner has."""
    rows = tx.rows(queries.COUNT_OF_RUNNER, runner=runner)
    return {row["queue"]: row["number"] for row in rows}


def count_waiting(tx: Tx, queue: str) -> int:
    """Return how many tasks of a queue wait for a runner to take them."""
    row = tx.one(queries.COUNT_WAITING, queue=queue)
    return int(row["number"]) if row else 0


def take(tx: Tx, runner: RunnerId, *, queue: str, limit: int) -> list[TaskId]:
    """Make the oldest tasks that wait in a queue a runner's own; returns them."""
    rows = tx.rows(queries.TAKE, taker=runner, wanted=queue, limit=limit)
    return sorted(row["id"] for row in rows)


def let_go(tx: Tx, runner: RunnerId) -> int:
    """Have a runner's pictures and videos wait for another; returns how many. Safe to repeat."""
    return tx.execute(queries.LET_GO, loser=runner)


def hand_over(tx: Tx, task: Task, *, queue: str) -> None:
    """Have a task of one's own wait for a runner of another kind."""
    tx.execute(queries.HAND_OVER, task_id=task.id, by_runner=task.runner, new_queue=queue)


def start_attempt(
    tx: Tx,
    task: Task,
    *,
    attempt_id: str,
    route: RouteTaken,
    now: Instant,
    upstream_id: str | None = None,
    cost: Credits | None = None,
) -> bool:
    """Write route and submit key down before the upstream is called.

    With an `upstream_id` it was called already, as only a restartable provider may be. A `cost`
    is one that is known beforehand.
    False: the task is not queued any more, or not its reader's, so nothing may be started or go on.
    """
    known = upstream_id is not None
    state = TaskState.RUNNING if known else TaskState.SUBMITTING
    values = {"task_id": task.id, "by_runner": task.runner, "new_state": state, "now": now}
    if tx.execute(queries.MARK_STARTED, **values) == 0:
        return False
    tx.execute(
        queries.INSERT_ATTEMPT,
        id=attempt_id,
        task_id=task.id,
        stage=task.stage,
        provider=route.provider,
        credential=route.credential,
        upstream_model=route.upstream_model,
        upstream_id=upstream_id,
        state=AttemptState.RUNNING if known else AttemptState.SUBMITTING,
        now=now,
        cost=cost,
    )
    return True


def open_attempts(tx: Tx, credential: str) -> int:
    """Return how many attempts are open at a credential; exact in a write without a lane."""
    row = tx.one(queries.COUNT_OPEN_ATTEMPTS, credential=credential)
    return int(row["number"]) if row else 0


def mark_running(
    tx: Tx,
    task_id: TaskId,
    *,
    attempt_id: str,
    upstream_id: str,
    runner: RunnerId | None = None,
) -> None:
    """Note that the upstream took the job."""
    tx.execute(queries.MARK_RUNNING, task_id=task_id, by_runner=runner)
    tx.execute(queries.ATTEMPT_RUNNING, attempt_id=attempt_id, upstream=upstream_id)


def mark_storing(tx: Tx, task_id: TaskId, *, runner: RunnerId | None = None) -> bool:
    """Note that the upstream is done and its result is being copied; False: it has ended."""
    return tx.execute(queries.MARK_STORING, task_id=task_id, by_runner=runner) > 0


def requeue(tx: Tx, task_id: TaskId, *, runner: RunnerId | None = None) -> bool:
    """Send an open task back for another attempt of the same stage; False: it has ended."""
    return tx.execute(queries.REQUEUE, task_id=task_id, by_runner=runner) > 0


def next_stage(tx: Tx, task: Task, *, now: Instant) -> bool:
    """Send a task on to its next stage; False: somebody already did."""
    moved = tx.execute(
        queries.NEXT_STAGE, task_id=task.id, expected_stage=task.stage, by_runner=task.runner
    )
    if moved:
        end_attempt(tx, task.id, state=AttemptState.SUCCEEDED, now=now)
    return moved > 0


def end(
    tx: Tx, task_id: TaskId, verdict: Verdict, *, now: Instant, runner: RunnerId | None = None
) -> bool:
    """Write a final state; False: the task had ended, or is not that runner's; nothing changed.

    The hold must have been closed in the same transaction; the database checks it.
    """
    ended = tx.execute(
        queries.END,
        task_id=task_id,
        by_runner=runner,
        new_state=verdict.state,
        charged=verdict.charged,
        failure_code=verdict.failure_code,
        failure_message=verdict.failure_message,
        usage=msgspec.json.encode(verdict.usage).decode(),
        now=now,
        expires_at=verdict.expires_at,
    )
    return ended > 0


def end_attempt(
    tx: Tx,
    task_id: TaskId,
    *,
    state: AttemptState,
    now: Instant,
    failure_code: ErrorCode | None = None,
) -> None:
    """Close the attempt under way, if there is one."""
    tx.execute(
        queries.END_ATTEMPT,
        task_id=task_id,
        new_state=state,
        now=now,
        failure_code=failure_code,
    )


def note_cost(tx: Tx, attempt_id: str, *, cost: Credits) -> None:
    """Note what an upstream takes for an attempt; again, it replaces what was noted before."""
    tx.execute(queries.NOTE_COST, attempt_id=attempt_id, new_cost=cost)


def note_text_cost(tx: Tx, task_id: TaskId, route: RouteTaken, *, cost: Credits) -> None:
    """Note what an upstream takes for a text; once, in the transaction that ends it."""
    values = msgspec.structs.asdict(route)
    tx.execute(queries.INSERT_TEXT_COST, task_id=task_id, cost=cost, **values)


def last_attempt(tx: Tx, task_id: TaskId) -> Attempt | None:
    """Return the newest attempt of a task."""
    row = tx.one(queries.LAST_ATTEMPT, task_id=task_id)
    return _attempt(row) if row else None


def find_attempt(tx: Tx, attempt_id: str) -> Attempt | None:
    """Return an attempt by its id, or None."""
    row = tx.one(queries.ATTEMPT_BY_ID, attempt_id=attempt_id)
    return _attempt(row) if row else None


def attempts_of(tx: Tx, task_id: TaskId) -> list[Attempt]:
    """Return all attempts of a task, oldest first."""
    return [_attempt(row) for row in tx.rows(queries.ATTEMPTS_OF, task_id=task_id)]


def recall_request(tx: Tx, account_id: AccountId, *, route: str, key: str) -> Replay | None:
    """Return what an idempotency key was used for, if it was used before."""
    row = tx.one(queries.RECALL_REQUEST, account_id=account_id, route=route, key=key)
    if row is None:
        return None
    return Replay(row["fingerprint"], row["task_id"], row["balance_after"], row["answer"])


def remember_request(  # noqa: PLR0913 - one row, one argument a column
    tx: Tx,
    account_id: AccountId,
    *,
    route: str,
    key: str,
    fingerprint: str,
    task_id: TaskId,
    balance_after: Credits,
    now: Instant,
) -> None:
    """Bind an idempotency key to the task it made; in the transaction that makes the task."""
    tx.execute(
        queries.REMEMBER_REQUEST,
        account_id=account_id,
        route=route,
        key=key,
        fingerprint=fingerprint,
        task_id=task_id,
        balance_after=balance_after,
        now=now,
    )


def answer_request(tx: Tx, account_id: AccountId, task_id: TaskId, *, answer: str | None) -> None:
    """Keep the answer of a text for its idempotency key; None frees the key for another try."""
    if answer is None:
        tx.execute(queries.FORGET_REQUEST, owner=account_id, task=task_id)
    else:
        tx.execute(queries.ANSWER_REQUEST, owner=account_id, task=task_id, new_answer=answer)


def forget_requests(tx: Tx, *, before: Instant) -> int:
    """Drop idempotency keys older than an instant; returns how many."""
    return tx.execute(queries.FORGET_REQUESTS, before=before)


def due_for_forgetting(tx: Tx, *, now: Instant, limit: int) -> list[TaskId]:
    """Return tasks whose results have expired and whose prompt is still kept."""
    return [row["id"] for row in tx.rows(queries.DUE_FOR_FORGETTING, now=now, limit=limit)]


def forget(tx: Tx, task_id: TaskId) -> None:
    """Drop the job (and with it the prompt) of an expired task; the task stays readable."""
    tx.execute(queries.FORGET, task_id=task_id)


def delete(tx: Tx, task_id: TaskId, account_id: AccountId, *, now: Instant) -> bool:
    """Take a task that has ended from its owner's sight, with its prompt; its money stays.

    False: there is no such task, it is under way, or it was deleted before.
    """
    return tx.execute(queries.DELETE, task_id=task_id, owner=account_id, now=now) == 1


def unsound(tx: Tx) -> list[TaskId]:
    """Return tasks whose money and state disagree; a sound database has none."""
    return [row["id"] for row in tx.rows(queries.UNSOUND)]


def _task(row: Row) -> Task:
    """Read a row whose columns stand in the order of the struct's fields."""
    return msgspec.convert(tuple(row), Task)


def _attempt(row: Row) -> Attempt:
    """Read a row whose columns carry the names of the struct's fields."""
    return msgspec.convert(dict(row), Attempt)
