"""Tasks and attempts: the durable record of accepted jobs, and their state machine.

`queued → submitting → running → storing → succeeded | failed | cancelled | expired`. Every step
is one conditional update that may safely run twice; final states never change, and a task
cannot be final while its hold is open (a foreign key to the hold's state says so).
Rows here are the truth; an engine only decides who looks at which task next.
"""

from portico.tasks.model import Attempt, AttemptState, NewTask, Replay, Task, Verdict
from portico.tasks.service import (
    answer_request,
    attempts_of,
    count_open,
    create,
    delete,
    due_for_forgetting,
    end,
    end_attempt,
    find,
    forget,
    forget_requests,
    get,
    last_attempt,
    listing,
    mark_running,
    mark_storing,
    next_stage,
    open_ids,
    page,
    recall_request,
    remember_request,
    requeue,
    start_attempt,
    unsound,
)

__all__ = [
    "Attempt",
    "AttemptState",
    "NewTask",
    "Replay",
    "Task",
    "Verdict",
    "answer_request",
    "attempts_of",
    "count_open",
    "create",
    "delete",
    "due_for_forgetting",
    "end",
    "end_attempt",
    "find",
    "forget",
    "forget_requests",
    "get",
    "last_attempt",
    "listing",
    "mark_running",
    "mark_storing",
    "next_stage",
    "open_ids",
    "page",
    "recall_request",
    "remember_request",
    "requeue",
    "start_attempt",
    "unsound",
]
