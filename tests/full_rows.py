"""Rows of every table, with everything that could get lost on the way to another database."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import bindparam, insert, literal, select, update

import portico.app  # noqa: F401 - declares every table there is
from portico import delivery, ledger, tasks, usage
from portico.accounts import KeyLimits
from portico.core.ids import TASK_ID_MAX, TaskId
from portico.core.money import MICRO
from portico.core.usage import COUNTED, day_of
from portico.core.views import Caller, TaskState
from portico.delivery import NewDelivery
from portico.media import service as media
from portico.media.model import AssetRole, NewAsset
from portico.store import Statement, Tx, metadata
from portico.tasks import RouteTaken, Verdict
from portico.testing import START, add_account, admit, new_task

T = TypeVar("T")

ODD = "Żółć 猫 \U0001f408 \\ \t \" ' \\x00 %s $1 {} é é \u200d\uffff"
ODD_EMAIL = "acc_ß@example.com"
# in another order by their bytes than in any language's, and than their numbers would be
ACCOUNTS = ("acc_B", "acc_a", "acc_Z", "acc_ß", "acc_é", "acc_\U0001f408", "acc_\uff5e", "acc_-a")
OPEN, RUNNING, DONE, FAILED = TASK_ID_MAX - 3, TASK_ID_MAX - 2, TASK_ID_MAX - 1, TASK_ID_MAX
TABLES = {table.name: table for table in metadata.sorted_tables}


def fill(tx: Tx) -> None:
    """Add accounts, keys, a runner, open and ended tasks, and the rest; money is exact."""
    limits = KeyLimits(requests_per_minute=7, open_tasks_max=3, credits_max=9 * MICRO)
    callers = [add_account(tx, each, amount=10**14 + 1, limits=limits) for each in ACCOUNTS]
    caller = callers[0]
    _tasks(tx, caller)
    _files(tx, caller)
    add_row(tx, "runners", id="run_1", beat=3, queues="render upstream", started_at=START)
    add_row(
        tx,
        "credentials",
        name="main-1",
        provider="openai_like",
        base_url="https://example.com/ü/v1",
        secret="1.0a1b2c3d." + "_-Aa" * 400,
        callback_secret="1.0a1b2c3d.x==",
        options=f'{{"odd": "{TASK_ID_MAX} 猫"}}',
        attempts_max=TASK_ID_MAX,
        is_enabled=0,
        balance_low=TASK_ID_MAX,
        models='["a/b:c"]',
        synced_at=START,
        created_at=START,
        updated_at=2**62,
    )
    _usage(tx, caller)
    add_row(
        tx, "route_pauses", credential=ODD, model="m/ü", until=TASK_ID_MAX, opens=3, reason="busy"
    )
    add_row(
        tx, "upstream_balances", credential="main-1", amount=TASK_ID_MAX, unit="Ü", read_at=START
    )
    tasks.note_cost(tx, f"att_{DONE}", cost=TASK_ID_MAX)
    tasks.note_text_cost(tx, FAILED, RouteTaken("ark", ODD, "m/ü"), cost=0)
    _change(tx, "tasks", "runner", {"id": RUNNING}, "run_1")
    _change(tx, "accounts", "email", {"id": "acc_ß"}, ODD_EMAIL)
    _change(tx, "api_keys", "name", {"id": caller.key_id}, ODD)
    _change(tx, "api_keys", "revoked_at", {"id": callers[1].key_id}, START)
    for number, key in enumerate(("a", "B", ODD)):
        tasks.remember_request(
            tx,
            caller.account_id,
            route="POST /ä",
            key=key,
            fingerprint="f" * 64,
            task_id=DONE + number % 2,
            balance_after=TASK_ID_MAX - 1,
            now=START,
        )
    tasks.answer_request(tx, caller.account_id, DONE, answer='{"text": "猫"}\n' + "long " * 20_000)


def row_values(tx: Tx) -> dict[str, list[tuple[Any, ...]]]:
    """Return all there is, by table; rows in no order that a database could disagree about."""
    return {
        name: sorted(map(tuple, tx.rows(Statement(select(table)))), key=repr)
        for name, table in TABLES.items()
    }


def _tasks(tx: Tx, caller: Caller) -> None:
    for task_id in (OPEN, RUNNING, DONE, FAILED):
        job = f'{{"prompt": "{task_id} 猫\\u0000"}}'
        admit(tx, new_task(task_id, caller, job=job, callback_url="https://example.com/ü?a=%20"))
    for task_id, upstream_id in ((RUNNING, None), (DONE, "job/1 ü"), (FAILED, "")):
        tasks.start_attempt(
            tx,
            tasks.get(tx, task_id),
            attempt_id=f"att_{task_id}",
            route=RouteTaken("simulator", "simulator", "m"),
            now=START,
        )
        if upstream_id is not None:
            tasks.mark_running(tx, task_id, attempt_id=f"att_{task_id}", upstream_id=upstream_id)
    ledger.capture(tx, DONE, amount=MICRO - 1, at=START)
    ledger.release(tx, FAILED, at=START)
    _end(tx, DONE, Verdict(state=TaskState.SUCCEEDED, charged=MICRO - 1, expires_at=2**62))
    _end(tx, FAILED, Verdict(state=TaskState.FAILED, failure_message=ODD))
    for task_id in (DONE, FAILED):
        delivery.enqueue(
            tx,
            NewDelivery(
                id=f"dlv_{task_id}",
                account_id=caller.account_id,
                task_id=task_id,
                url="https://example.com/ü?a=%20",
                created_at=START,
            ),
        )


def _end(tx: Tx, task_id: TaskId, verdict: Verdict) -> None:
    assert tasks.end(tx, task_id, verdict, now=START)


def _files(tx: Tx, caller: Caller) -> None:
    for number, (role, task_id) in enumerate(
        ((AssetRole.INPUT, None), (AssetRole.OUTPUT, DONE), (AssetRole.COVER, DONE))
    ):
        asset = NewAsset(
            id=f"ast_{number}{'ZaÉ'[number]}",
            account_id=caller.account_id,
            task_id=task_id,
            role=role,
            media_type="image/png",
            size_bytes=TASK_ID_MAX - number,
            width=None if number else 640,
            storage_key=f"ab/{number}.png",
            created_at=START,
            expires_at=2**62,
        )
        media.record(tx, asset)
    media.mark_deleted(tx, ["ast_2É"], now=START)


def _usage(tx: Tx, caller: Caller) -> None:
    usage.advance(tx, None, usage.Progress(day_of(START), OPEN))
    for number, model in enumerate(("B", "a", ODD)):
        counted = {name: TASK_ID_MAX - number - place for place, name in enumerate(COUNTED)}
        add_row(
            tx,
            "usage_days",
            day=number,
            account_id=caller.account_id,
            key_id=caller.key_id,
            model=model,
            kind="video",
            **counted,
        )


def _change(tx: Tx, table: str, column: str, where: dict[str, Any], value: object) -> None:
    found = TABLES[table]
    condition = [found.c[name] == literal(given) for name, given in where.items()]
    statement = update(found).where(*condition).values({column: bindparam("given")})
    assert tx.execute(Statement(statement), given=value) == 1


def add_row(tx: Tx, table: str, **values: Any) -> None:
    """Add one row, sound or not."""
    places: dict[str, Any] = {name: bindparam(name) for name in values}
    tx.execute(Statement(insert(TABLES[table]).values(places)), **values)


def in_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run something asynchronous, wherever an event loop may be running already."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, coroutine).result()
