"""All SQL of tasks, attempts and idempotent requests."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Text,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    not_,
    or_,
    select,
    update,
)

from portico.core.clock import DAY_MS
from portico.core.jobs import Kind
from portico.core.views import FINAL_STATES, TaskState
from portico.store import Statement
from portico.tasks.json_number import JsonNumber
from portico.tasks.model import NewTask, Task
from portico.tasks.tables import (
    attempts,
    is_media,
    is_open,
    is_open_attempt,
    is_to_forget,
    requests,
    tasks,
    text_costs,
)

_by_runner = bindparam("by_runner", type_=Text)
# the fence: who has lost a task to another runner changes nothing of it; None: whoever it is
_is_its_runner = or_(_by_runner.is_(None), tasks.c.runner == _by_runner)

_TASK = select(*(tasks.c[name] for name in Task.__struct_fields__))  # one order for both

INSERT_TASK = Statement(
    insert(tasks).values({name: bindparam(name) for name in NewTask.__struct_fields__})
)
TASK_BY_ID = Statement(_TASK.where(tasks.c.id == bindparam("task_id")))
TASK_OF = Statement(
    _TASK.where(
        tasks.c.id == bindparam("task_id"),
        tasks.c.account_id == bindparam("account_id"),
        tasks.c.deleted_at.is_(None),
    )
)
COUNT_OPEN = Statement(
    select(func.count().label("number"))
    .select_from(tasks)
    .where(tasks.c.account_id == bindparam("account_id"), is_open)
)
OPEN_IDS = Statement(select(tasks.c.id).where(is_open).order_by(tasks.c.id))
COUNT_OF_RUNNER = Statement(
    select(tasks.c.queue, func.count().label("number"))
    .where(tasks.c.runner == bindparam("runner"), is_open)
    .group_by(tasks.c.queue)
)
RUNNERS_OF_OPEN = Statement(
    select(tasks.c.runner).where(tasks.c.runner.is_not(None), is_open).distinct()
)
TEXTS_OF_RUNNER = Statement(
    select(tasks.c.id).where(
        tasks.c.runner == bindparam("runner"), tasks.c.kind == Kind.TEXT.value, is_open
    )
)
COUNT_WAITING = Statement(
    select(func.count().label("number"))
    .select_from(tasks)
    .where(tasks.c.runner.is_(None), tasks.c.queue == bindparam("queue"), is_open)
)
TAKE = Statement(
    update(tasks)
    .where(
        tasks.c.id.in_(
            select(tasks.c.id)
            .where(tasks.c.runner.is_(None), tasks.c.queue == bindparam("wanted"), is_open)
            .order_by(tasks.c.id)
            .limit(bindparam("limit"))
        )
    )
    .values(runner=bindparam("taker"))
    .returning(tasks.c.id)
)
LET_GO = Statement(
    update(tasks)
    .where(tasks.c.runner == bindparam("loser"), tasks.c.kind != Kind.TEXT.value, is_open)
    .values(runner=None)
)
HAND_OVER = Statement(
    update(tasks)
    .where(tasks.c.id == bindparam("task_id"), is_open, _is_its_runner)
    .values(runner=None, queue=bindparam("new_queue"))
)
LISTING = Statement(
    _TASK.where(
        tasks.c.account_id == bindparam("account_id"),
        tasks.c.id < bindparam("before_id"),
        tasks.c.deleted_at.is_(None),
    )
    .order_by(tasks.c.id.desc())
    .limit(bindparam("limit"))
)
_OF_KIND = _TASK.where(
    tasks.c.account_id == bindparam("account_id"),
    tasks.c.kind == bindparam("kind"),
    is_media,
    tasks.c.deleted_at.is_(None),
)
PAGE_DOWN = Statement(
    _OF_KIND.where(tasks.c.id < bindparam("after_id"))
    .order_by(tasks.c.id.desc())
    .limit(bindparam("limit"))
)
PAGE_UP = Statement(
    _OF_KIND.where(tasks.c.id > bindparam("after_id"))
    .order_by(tasks.c.id)
    .limit(bindparam("limit"))
)
MARK_STARTED = Statement(
    update(tasks)
    .where(
        tasks.c.id == bindparam("task_id"),
        tasks.c.state == TaskState.QUEUED.value,
        _is_its_runner,
    )
    .values(
        state=bindparam("new_state"),
        started_at=func.coalesce(tasks.c.started_at, bindparam("now", type_=BigInteger)),
    )
)
MARK_RUNNING = Statement(
    update(tasks)
    .where(
        tasks.c.id == bindparam("task_id"),
        tasks.c.state == TaskState.SUBMITTING.value,
        _is_its_runner,
    )
    .values(state=TaskState.RUNNING.value)
)
MARK_STORING = Statement(
    update(tasks)
    .where(tasks.c.id == bindparam("task_id"), is_open, _is_its_runner)
    .values(state=TaskState.STORING.value)
)
REQUEUE = Statement(
    update(tasks)
    .where(tasks.c.id == bindparam("task_id"), is_open, _is_its_runner)
    .values(state=TaskState.QUEUED.value)
)
NEXT_STAGE = Statement(
    update(tasks)
    .where(
        tasks.c.id == bindparam("task_id"),
        tasks.c.state == TaskState.STORING.value,
        tasks.c.stage == bindparam("expected_stage"),
        _is_its_runner,
    )
    .values(state=TaskState.QUEUED.value, stage=tasks.c.stage + 1)
)
END = Statement(
    update(tasks)
    .where(tasks.c.id == bindparam("task_id"), is_open, _is_its_runner)
    .values(
        state=bindparam("new_state"),
        charged=bindparam("charged"),
        failure_code=bindparam("failure_code"),
        failure_message=bindparam("failure_message"),
        usage=bindparam("usage"),
        finished_at=bindparam("now"),
        expires_at=bindparam("expires_at"),
    )
)
DUE_FOR_FORGETTING = Statement(
    select(tasks.c.id)
    .where(tasks.c.expires_at < bindparam("now"), is_to_forget)
    .limit(bindparam("limit"))
)
DELETE = Statement(
    update(tasks)
    .where(
        tasks.c.id == bindparam("task_id"),
        tasks.c.account_id == bindparam("owner"),
        tasks.c.deleted_at.is_(None),
        not_(is_open),
    )
    .values(deleted_at=bindparam("now"), job="{}")
)
FORGET = Statement(update(tasks).where(tasks.c.id == bindparam("task_id")).values(job="{}"))
UNSOUND = Statement(
    select(tasks.c.id, tasks.c.account_id, tasks.c.charged, tasks.c.price).where(
        not_(is_open) & (tasks.c.hold_state == "open")
        | (tasks.c.charged > tasks.c.price)
        | ((tasks.c.state != "succeeded") & (tasks.c.charged != 0))
    )
)

_day = literal_column(f"finished_at / {DAY_MS}", type_=BigInteger)
_account = bindparam("of_account", type_=Text)


def _ended_as(state: TaskState) -> Any:
    return func.sum(case((tasks.c.state == state.value, 1), else_=0)).label(state.value)


def _text_tokens(name: str) -> Any:
    number = func.coalesce(JsonNumber(tasks.c.usage, name), 0)
    return func.sum(case((tasks.c.kind == Kind.TEXT.value, number), else_=0)).label(name)


ENDED_USAGE = Statement(  # goes along the primary key: there is no index of ends
    select(
        _day.label("day"),
        tasks.c.account_id,
        tasks.c.key_id,
        tasks.c.model,
        tasks.c.kind,
        *map(_ended_as, (s for s in TaskState if s in FINAL_STATES)),
        func.sum(tasks.c.charged).label("charged"),
        func.sum(tasks.c.price - tasks.c.charged).label("released"),
        _text_tokens("input_tokens"),
        _text_tokens("output_tokens"),
    )
    .where(
        tasks.c.id >= bindparam("first_id"),
        tasks.c.finished_at >= bindparam("since"),
        tasks.c.finished_at < bindparam("until"),
        or_(_account.is_(None), tasks.c.account_id == _account),
    )
    .group_by(_day, tasks.c.account_id, tasks.c.key_id, tasks.c.model, tasks.c.kind)
)
OLDEST = Statement(select(tasks.c.created_at).order_by(tasks.c.id).limit(1))
FIRST_NOT_ENDED = Statement(
    select(tasks.c.id)
    .where(
        tasks.c.id >= bindparam("first_id"),
        or_(tasks.c.finished_at.is_(None), tasks.c.finished_at >= bindparam("before")),
    )
    .order_by(tasks.c.id)
    .limit(1)
)
_is_over = and_(
    tasks.c.finished_at < bindparam("ended_before"),
    or_(tasks.c.expires_at.is_(None), tasks.c.expires_at <= bindparam("now")),
)
OVER = Statement(
    select(tasks.c.id)
    .where(tasks.c.id > bindparam("after_id"), tasks.c.id < bindparam("end_id"), _is_over)
    .order_by(tasks.c.id)
    .limit(bindparam("limit"))
)
REMOVE_ATTEMPTS = Statement(delete(attempts).where(attempts.c.task_id == bindparam("of_task")))
REMOVE_TEXT_COST = Statement(delete(text_costs).where(text_costs.c.task_id == bindparam("of_task")))
REMOVE = Statement(delete(tasks).where(tasks.c.id == bindparam("of_task")))

_next_number = (
    select(func.coalesce(func.max(attempts.c.number), 0) + 1)
    .where(attempts.c.task_id == bindparam("task_id"))
    .scalar_subquery()
)
INSERT_ATTEMPT = Statement(
    insert(attempts).values(
        id=bindparam("id"),
        task_id=bindparam("task_id"),
        number=_next_number,
        stage=bindparam("stage"),
        provider=bindparam("provider"),
        credential=bindparam("credential"),
        upstream_model=bindparam("upstream_model"),
        upstream_id=bindparam("upstream_id"),
        state=bindparam("state"),
        started_at=bindparam("now"),
        cost=bindparam("cost"),
    ),
    apart=("task_id",),  # numbers are counted task by task
)
COUNT_OPEN_ATTEMPTS = Statement(
    select(func.count().label("number"))
    .select_from(attempts)
    .where(attempts.c.credential == bindparam("credential"), is_open_attempt)
)
LAST_ATTEMPT = Statement(
    select(attempts)
    .where(attempts.c.task_id == bindparam("task_id"))
    .order_by(attempts.c.number.desc())
    .limit(1)
)
ATTEMPT_BY_ID = Statement(select(attempts).where(attempts.c.id == bindparam("attempt_id")))
ATTEMPTS_OF = Statement(
    select(attempts).where(attempts.c.task_id == bindparam("task_id")).order_by(attempts.c.number)
)
ATTEMPT_RUNNING = Statement(  # the upstream's id is kept even when the attempt has ended meanwhile
    update(attempts)
    .where(attempts.c.id == bindparam("attempt_id"))
    .values(
        state=case((attempts.c.state == "submitting", "running"), else_=attempts.c.state),
        upstream_id=bindparam("upstream"),
    )
)
END_ATTEMPT = Statement(
    update(attempts)
    .where(
        attempts.c.task_id == bindparam("task_id"),
        (attempts.c.state == "submitting") | (attempts.c.state == "running"),
    )
    .values(
        state=bindparam("new_state"),
        finished_at=bindparam("now"),
        failure_code=bindparam("failure_code"),
    )
)

NOTE_COST = Statement(
    update(attempts)
    .where(attempts.c.id == bindparam("attempt_id"))
    .values(cost=bindparam("new_cost"))
)
INSERT_TEXT_COST = Statement(
    insert(text_costs).values(
        task_id=bindparam("task_id"),
        provider=bindparam("provider"),
        credential=bindparam("credential"),
        upstream_model=bindparam("upstream_model"),
        cost=bindparam("cost"),
    )
)

RECALL_REQUEST = Statement(
    select(requests).where(
        requests.c.account_id == bindparam("account_id"),
        requests.c.route == bindparam("route"),
        requests.c.key == bindparam("key"),
    )
)
REMEMBER_REQUEST = Statement(
    insert(requests).values(
        account_id=bindparam("account_id"),
        route=bindparam("route"),
        key=bindparam("key"),
        fingerprint=bindparam("fingerprint"),
        task_id=bindparam("task_id"),
        balance_after=bindparam("balance_after"),
        created_at=bindparam("now"),
    )
)
ANSWER_REQUEST = Statement(
    update(requests)
    .where(
        requests.c.account_id == bindparam("owner"),
        requests.c.task_id == bindparam("task"),
    )
    .values(answer=bindparam("new_answer"))
)
FORGET_REQUEST = Statement(
    delete(requests).where(
        requests.c.account_id == bindparam("owner"),
        requests.c.task_id == bindparam("task"),
    )
)
FORGET_REQUESTS = Statement(delete(requests).where(requests.c.created_at < bindparam("before")))
