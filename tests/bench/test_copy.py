"""A database with a hundred thousand tasks copied to Postgres and back: seconds and memory."""

import asyncio
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import msgspec
import pytest

from portico import ledger, tasks
from portico.core.ids import IdSource
from portico.core.jobs import Kind, MediaJob, Mode
from portico.core.money import MICRO
from portico.core.views import TaskState
from portico.media import service as media
from portico.media.model import AssetRole, NewAsset
from portico.store import Tx, open_store
from portico.store.open import migrate
from portico.tasks import NewTask, RouteTaken, Verdict
from portico.tasks.model import AttemptState
from portico.testing import START, FakeClock, add_account
from tests.postgres import running

pytestmark = pytest.mark.bench
TASKS = 100_000
ACCOUNTS = 100
OPEN_EVERY = 50  # tasks, one of which is still under way
AT_ONCE = 100
_JOB = MediaJob(
    offering="xpilot:sample",
    model="sample",
    kind=Kind.VIDEO,
    mode=Mode.TEXT,
    prompt="A lake at dawn, mist over the water, a boat that drifts slowly to the shore. " * 4,
)
QUOTE = json.dumps({"price": "5", "rule": "per second", "params": {"duration": 5}} | {"v": 1})


async def fill(url: str) -> None:
    """Write tasks as submits, attempts and settlements do: hold, entries, attempt, asset."""
    store = await open_store(url)
    ids = IdSource(FakeClock())
    job = msgspec.json.encode(_JOB).decode()
    callers = await store.write(
        lambda tx: [
            add_account(tx, f"acc_{number}", amount=10**6 * MICRO) for number in range(ACCOUNTS)
        ]
    )

    def one(tx: Tx, number: int) -> None:
        caller = callers[number % ACCOUNTS]
        task_id, now = ids.task_id(), START + number
        task = NewTask(
            id=task_id,
            account_id=caller.account_id,
            key_id=caller.key_id,
            dialect="xpilot",
            offered_name="sample",
            kind=Kind.VIDEO,
            mode=Mode.TEXT,
            model="sample",
            offering="xpilot:sample",
            state=TaskState.QUEUED,
            job=job,
            quote=QUOTE,
            price=5 * MICRO,
            created_at=now,
            deadline_at=now + 1_800_000,
        )
        ledger.hold(tx, caller.account_id, amount=task.price, task_id=task_id, at=now)
        tasks.create(tx, task)
        attempt_id = ids.opaque_id("att")
        tasks.start_attempt(
            tx,
            tasks.get(tx, task_id),
            attempt_id=attempt_id,
            route=RouteTaken("simulator", "simulator", "sample"),
            now=now,
        )
        tasks.mark_running(tx, task_id, attempt_id=attempt_id, upstream_id=attempt_id)
        if number % OPEN_EVERY == 0:
            return
        asset_id = ids.opaque_id("ast")
        asset = NewAsset(
            id=asset_id,
            account_id=caller.account_id,
            task_id=task_id,
            role=AssetRole.OUTPUT,
            media_type="video/mp4",
            size_bytes=4_000_000 + number,
            width=1280,
            height=720,
            duration_ms=5_000,
            storage_key=f"{asset_id[4:6]}/{asset_id}.mp4",
            created_at=now,
            expires_at=2**60,
        )
        media.record(tx, asset)
        ledger.capture(tx, task_id, amount=task.price, at=now)
        tasks.end_attempt(tx, task_id, state=AttemptState.SUCCEEDED, now=now)
        tasks.end(
            tx,
            task_id,
            Verdict(state=TaskState.SUCCEEDED, charged=task.price, expires_at=2**60),
            now=now,
        )

    def some(tx: Tx, start: int) -> None:
        for number in range(start, start + AT_ONCE):
            one(tx, number)

    for start in range(0, TASKS, AT_ONCE):
        await store.write(partial(some, start=start))
    await store.close()


def copy(source: str, target: str) -> str:
    """Run the command as a process of its own; returns what it did, how long and how large."""
    began_at = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "portico", "copy", "--from", source, "--to", target, "--json"],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with process.stdout:
        found = json.loads(process.stdout.read())
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert found["sound"]
    counts = {each["table"]: each["rows"] for each in found["tables"]}
    assert counts["tasks"] == TASKS
    seconds = time.monotonic() - began_at
    return (
        f"{TASKS:,} tasks, {found['rows']:,} rows, verified: {seconds:.1f} s "
        f"({used.ru_utime + used.ru_stime:.1f} s CPU here), peak {used.ru_maxrss / 1024:.0f} MiB"
    )


def test_copy_of_a_hundred_thousand_tasks(tmp_path: Path) -> None:
    source, back = tmp_path / "source.db", tmp_path / "back.db"
    migrate(f"sqlite:///{source}")
    asyncio.run(fill(f"sqlite:///{source}"))
    print(f"\nSQLite file: {source.stat().st_size / 2**20:.0f} MiB")
    with running(options=("shared_buffers=128MB",)) as server:  # as durable as it comes
        target = server.url("copy")
        server.command("CREATE DATABASE copy")
        print(f"SQLite → Postgres: {copy(f'sqlite:///{source}', target)}")
        print(f"Postgres → SQLite: {copy(target, f'sqlite:///{back}')}")
