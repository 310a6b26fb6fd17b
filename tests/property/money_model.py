"""A second, simpler account of the same money: dictionaries instead of a database."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from portico.core.errors import ErrorCode
from portico.core.money import CREDITS_MAX
from portico.core.views import FINAL_STATES, TaskState

Expected = bool | ErrorCode  # what a step returns, or the code it is refused with
ALREADY_ENDED = ErrorCode.IDEMPOTENCY_CONFLICT  # stands for AlreadyEndedError


@dataclass(frozen=True, slots=True)
class Purse:
    """One account: what it has, and what its key may spend in all."""

    available: int = 0
    held: int = 0
    ceiling: int | None = None
    spent: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """One task as the model remembers it."""

    account_id: str
    price: int
    state: TaskState = TaskState.QUEUED
    charged: int = 0


@dataclass(frozen=True, slots=True)
class Books:
    """Everything at one moment; each step returns the books after it, and what it answers."""

    purses: dict[str, Purse] = field(default_factory=dict)
    jobs: dict[int, Job] = field(default_factory=dict)

    def submit(self, task_id: int, account_id: str, price: int) -> tuple["Books", Expected]:
        """Hold a price and record a task."""
        purse = self.purses[account_id]
        if purse.ceiling is not None and purse.spent + price > purse.ceiling:
            return self, ErrorCode.INSUFFICIENT_CREDITS
        if price > purse.available:
            return self, ErrorCode.INSUFFICIENT_CREDITS
        counted = price if purse.ceiling is not None else 0
        paid = replace(
            purse,
            available=purse.available - price,
            held=purse.held + price,
            spent=purse.spent + counted,
        )
        return self._with(account_id, paid, task_id, Job(account_id, price)), True

    def hold_again(self, task_id: int) -> tuple["Books", Expected]:
        """Repeat the hold of a task, which changes nothing."""
        return self, True if task_id in self.jobs else ErrorCode.TASK_NOT_FOUND

    def step(
        self, task_id: int, state: TaskState, may_come_from: Callable[[TaskState], bool]
    ) -> tuple["Books", Expected]:
        """Move an open task on."""
        job = self.jobs.get(task_id)
        if job is None:
            return self, ErrorCode.TASK_NOT_FOUND
        if job.state in FINAL_STATES or not may_come_from(job.state):
            return self, False
        jobs = self.jobs | {task_id: replace(job, state=state)}
        return replace(self, jobs=jobs), True

    def end(self, task_id: int, state: TaskState, share: float) -> tuple["Books", Expected]:
        """End a task; a success costs a share of its price."""
        job = self.jobs.get(task_id)
        if job is None:
            return self, ErrorCode.TASK_NOT_FOUND
        if job.state in FINAL_STATES:
            return self, ALREADY_ENDED
        charged = charge(job.price, share) if state is TaskState.SUCCEEDED else 0
        purse = self.purses[job.account_id]
        counted = job.price - charged if purse.ceiling is not None else 0
        settled = replace(
            purse,
            available=purse.available + job.price - charged,
            held=purse.held - job.price,
            spent=purse.spent - counted,
        )
        ended = replace(job, state=state, charged=charged)
        return self._with(job.account_id, settled, task_id, ended), True

    def top_up(self, account_id: str, amount: int) -> tuple["Books", Expected]:
        """Add credits."""
        if amount <= 0:
            return self, ErrorCode.INVALID_REQUEST
        return self._add(account_id, amount)

    def adjust(self, account_id: str, amount: int) -> tuple["Books", Expected]:
        """Correct a balance."""
        if self.purses[account_id].available + amount < 0:
            return self, ErrorCode.INSUFFICIENT_CREDITS
        return self._add(account_id, amount)

    def _add(self, account_id: str, amount: int) -> tuple["Books", Expected]:
        purse = self.purses[account_id]
        if purse.available + purse.held + amount > CREDITS_MAX:
            return self, ErrorCode.INVALID_REQUEST
        richer = replace(purse, available=purse.available + amount)
        return replace(self, purses=self.purses | {account_id: richer}), True

    def _with(self, account_id: str, purse: Purse, task_id: int, job: Job) -> "Books":
        return Books(self.purses | {account_id: purse}, self.jobs | {task_id: job})


def charge(price: int, share: float) -> int:
    """Return what a success costs; never more than its price."""
    return min(price, int(price * share))
