"""Rows to begin a test with: an account with credits and a key, and a task it might ask for."""

from typing import Any

import msgspec

from portico import accounts, ledger, tasks
from portico.accounts import KeyLimits
from portico.core.ids import AccountId, TaskId
from portico.core.jobs import Kind, MediaJob, Mode
from portico.core.money import MICRO, Credits
from portico.core.views import Caller, TaskState
from portico.store import Tx
from portico.tasks import NewTask
from portico.testing.clock import START

_JOB = MediaJob(
    offering="portico:sample", model="sample", kind=Kind.VIDEO, mode=Mode.TEXT, prompt="a cat"
)
_job_text = msgspec.json.encode(_JOB).decode()


def add_account(
    tx: Tx,
    account_id: AccountId = "acc_a",
    *,
    amount: Credits = 0,
    limits: KeyLimits | None = None,
    is_operator: bool = False,
) -> Caller:
    """Add an account with some credits and one key; returns who calls with that key.

    The key's secret is `sk-` and the account's id.
    """
    email = f"{account_id}@example.com"
    key_id = f"key_{account_id}"
    secret = f"sk-{account_id}"
    accounts.create(tx, account_id=account_id, email=email, is_operator=is_operator, now=START)
    ledger.open_account(tx, account_id)
    if amount:
        ledger.top_up(tx, account_id, amount=amount, reason="to begin with", at=START)
    accounts.create_key(
        tx,
        key_id=key_id,
        account_id=account_id,
        key=accounts.NewKey(secret, accounts.key_hash(secret), "sk-", secret[-4:]),
        name="",
        limits=limits or KeyLimits(),
        now=START,
    )
    return accounts.find_caller(tx, secret_hash=accounts.key_hash(secret), now=START)


def new_task(task_id: TaskId, caller: Caller, *, price: Credits = MICRO, **other: Any) -> NewTask:
    """Return a video task as `submit` would record it; `other` replaces single fields."""
    task = NewTask(
        id=task_id,
        account_id=caller.account_id,
        key_id=caller.key_id,
        dialect="portico",
        offered_name="sample",
        kind=Kind.VIDEO,
        mode=Mode.TEXT,
        model="sample",
        offering="portico:sample",
        state=TaskState.QUEUED,
        job=_job_text,
        quote="{}",
        price=price,
        created_at=START,
        deadline_at=START + 1_800_000,
    )
    return msgspec.structs.replace(task, **other) if other else task


def admit(tx: Tx, task: NewTask) -> Credits:
    """Hold a task's price and record it, as an admission does; returns what is left."""
    left = ledger.hold(tx, task.account_id, amount=task.price, task_id=task.id, at=task.created_at)
    tasks.create(tx, task)
    return left
