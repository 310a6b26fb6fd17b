"""The SQL of margins: what ended tasks brought, and what upstreams took for them.

Every attempt and every text is one line. What a task brought stands on one line of it, that of its
first stage's success, so that sums by task and by credential agree.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Text,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)

from portico.core.clock import DAY_MS
from portico.core.errors import ErrorCode
from portico.core.jobs import Kind
from portico.core.views import TaskState
from portico.store import Statement
from portico.tasks.tables import attempts, tasks, text_costs

_ended = and_(  # only a task that has ended has an instant of its end
    tasks.c.finished_at >= bindparam("since", type_=BigInteger),
    tasks.c.finished_at < bindparam("until", type_=BigInteger),
)
_is_text = tasks.c.kind == Kind.TEXT.value
_zero, _one = literal(0, BigInteger), literal(1, BigInteger)

# an attempt that was refused or failed takes money only where its upstream says so; of one that
# succeeded, or of which nobody knows what became, it is not known unless it is noted
_is_unknown = and_(
    attempts.c.cost.is_(None),
    or_(
        attempts.c.state == TaskState.SUCCEEDED.value,
        attempts.c.failure_code == ErrorCode.UPSTREAM_TIMEOUT.value,
    ),
)
_earns = and_(attempts.c.stage == 0, attempts.c.state == TaskState.SUCCEEDED.value)
_of_attempts = (
    select(
        tasks.c.id.label("task_id"),
        attempts.c.credential.label("credential"),
        case((_earns, tasks.c.charged), else_=_zero).label("revenue"),
        func.coalesce(attempts.c.cost, _zero).label("cost"),
        case((_is_unknown, _one), else_=_zero).label("unknown"),
    )
    .join(attempts, attempts.c.task_id == tasks.c.id)
    .where(_ended)
)
_of_texts = (
    select(
        tasks.c.id,
        func.coalesce(text_costs.c.credential, literal("", Text)),
        tasks.c.charged,
        func.coalesce(text_costs.c.cost, _zero),
        case((text_costs.c.cost.is_(None), _one), else_=_zero),
    )
    .outerjoin(text_costs, text_costs.c.task_id == tasks.c.id)
    .where(
        _ended,
        _is_text,
        or_(tasks.c.state == TaskState.SUCCEEDED.value, text_costs.c.cost.is_not(None)),
    )
)
_lines = union_all(_of_attempts, _of_texts).subquery("lines")


def _per(*columns: Any) -> Any:
    """Return sums over the lines with the same columns: of a task, or of one at a credential."""
    return (
        select(
            *columns,
            func.sum(_lines.c.revenue).label("revenue"),
            func.sum(_lines.c.cost).label("cost"),
            func.max(_lines.c.unknown).label("unknown"),
        )
        .group_by(*columns)
        .subquery("sums")
    )


_by_task = _per(_lines.c.task_id)
_by_credential = _per(_lines.c.task_id, _lines.c.credential)


def _statement(sums: Any, key: Any, *, only_negative: bool = False) -> Statement:
    is_known = sums.c.unknown == 0
    loss = and_(is_known, sums.c.cost > sums.c.revenue)
    revenue = func.sum(sums.c.revenue)
    return Statement(
        select(
            key.label("key"),
            func.count().label("tasks"),
            revenue.label("revenue"),
            func.sum(sums.c.cost).label("cost"),
            func.sum(sums.c.unknown).label("unknown_tasks"),
            func.sum(case((is_known, _zero), else_=sums.c.revenue)).label("unknown_revenue"),
            func.sum(case((loss, _one), else_=_zero)).label("negative_tasks"),
        )
        .select_from(sums.join(tasks, tasks.c.id == sums.c.task_id))
        .where(loss if only_negative else true())
        .group_by(key)
        .order_by(key.desc() if key is tasks.c.id or only_negative else key)
        .limit(bindparam("limit"))
    )


NEGATIVE = _statement(_by_task, tasks.c.id, only_negative=True)
MARGINS: Mapping[str, Statement] = {
    "task": _statement(_by_task, tasks.c.id),
    "model": _statement(_by_task, tasks.c.model),
    "customer": _statement(_by_task, tasks.c.account_id),
    "credential": _statement(_by_credential, _by_credential.c.credential),
    "day": _statement(_by_task, tasks.c.finished_at // DAY_MS),
}
