"""Admission on Postgres: works side by side against the best of pgbench, same server, same run.

pgbench commits the same four statements a transaction each, prepared, with as many clients as
suit it best. Everything is flushed to the disk on both sides.
"""

import asyncio
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from portico import ledger, tasks
from portico.core.views import Caller
from portico.flows.submit import Terms, hold_and_record, lane_of
from portico.store import Store
from portico.store.postgres import open_postgres
from portico.testing import START, add_account, new_task
from tests.postgres import USER, Postgres, running

pytestmark = pytest.mark.bench
DURABLE = ("fsync=on", "full_page_writes=on", "synchronous_commit=on", "max_connections=200",
           "shared_buffers=256MB", "max_wal_size=4GB")  # fmt: skip
ACCOUNTS = 1_000
CLIENTS = (1, 8, 16, 32, 64)
SECONDS = 4
TOGETHER = 1_000  # callers that wait at the same time
SUBMITS = 20_000
JOB, QUOTE = "{}" * 150, "{}" * 50
SCRIPT = """
\\set id random(1, 9000000000000000000)
\\set n {account}
BEGIN;
UPDATE balances SET available = available - 1, held = held + 1
WHERE account_id = 'acc_' || (:n)::text AND available >= 1
AND NOT EXISTS (SELECT * FROM holds WHERE task_id = :id) RETURNING available;
INSERT INTO holds (task_id, account_id, amount, state, opened_at)
VALUES (:id, 'acc_' || (:n)::text, 1, 'open', {now});
INSERT INTO ledger_entries (account_id, kind, task_id, available_delta, held_delta, house_delta,
book, reason, at) VALUES ('acc_' || (:n)::text, 'hold', :id, -1, 1, 0, '', '', {now});
INSERT INTO tasks (id, account_id, key_id, dialect, offered_name, kind, mode, model, offering,
state, job, quote, price, callback_url, created_at, deadline_at)
VALUES (:id, 'acc_' || (:n)::text, 'key_acc_' || (:n)::text, 'portico', 'sample', 'video', 'text',
'sample', 'sample', 'queued', '{job}', '{quote}', 1, NULL, {now}, {now});
COMMIT;
"""


@pytest.fixture(scope="module")
def durable() -> Iterator[Postgres]:
    with running(DURABLE) as server:
        yield server


async def opened(url: str) -> tuple[Store, list[Caller]]:
    store = await open_postgres(url)

    def fill(tx):
        return [add_account(tx, f"acc_{n}", amount=10**12) for n in range(ACCOUNTS)]

    return store, await store.write(fill)


async def admissions(store: Store, caller_of: Callable[[int], Caller], first_id: int) -> float:
    """Return how many submits a second are answered while many wait."""
    numbers = iter(range(SUBMITS))
    terms = Terms()

    async def client() -> None:
        for number in numbers:
            caller = caller_of(number)
            task = new_task(first_id + number, caller, price=1, job=JOB, quote=QUOTE)
            work = partial(hold_and_record, caller=caller, task=task, terms=terms)
            await store.write(work, lane=lane_of(caller, task, terms))

    began_at = time.perf_counter()
    await asyncio.gather(*[client() for _ in range(TOGETHER)])
    return SUBMITS / (time.perf_counter() - began_at)


def pgbench(server: Postgres, url: str, script: Path, clients: int) -> float:
    """Return pgbench's transactions a second with so many clients."""
    database = url.partition("@/")[2].partition("?")[0]
    words = ["-n", "-M", "prepared", "-f", str(script), "-T", str(SECONDS)]
    words += ["-c", str(clients), "-j", str(min(2, clients)), "-U", USER, "-h", str(server.folder)]
    done = subprocess.run(
        [shutil.which("pgbench") or str(server.binaries / "pgbench"), *words, database],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    return float(found[1])


async def measure(server: Postgres, folder: Path, *, hot: bool) -> tuple[float, dict[int, float]]:
    """Return our rate, the better of one before pgbench's runs and one after, and pgbench's."""
    url = server.fresh()
    store, callers = await opened(url)

    def caller_of(number: int) -> Caller:
        return callers[0] if hot else callers[number * 7919 % ACCOUNTS]

    account = "0" if hot else f"random(0, {ACCOUNTS - 1})"
    script = folder / "admission.sql"
    script.write_text(SCRIPT.format(account=account, now=START, job=JOB, quote=QUOTE))
    ours = [await admissions(store, caller_of, 1)]
    theirs = {each: await asyncio.to_thread(pgbench, server, url, script, each) for each in CLIENTS}
    ours.append(await admissions(store, caller_of, 1 + SUBMITS))
    assert await store.survey(ledger.verify) == []
    assert await store.survey(tasks.unsound) == []
    await store.close()
    return max(ours), theirs


@pytest.mark.parametrize(("hot", "floor"), [(False, 3), (True, 10)], ids=["thousand", "hot"])
def test_admissions_against_pgbench(durable, tmp_path, hot, floor):
    ours, theirs = asyncio.run(measure(durable, tmp_path, hot=hot))
    best = max(theirs.values())
    print(
        f"\nadmissions on {'one account' if hot else f'{ACCOUNTS:,} accounts'}: {ours:,.0f}/s "
        f"(floor 15,000), pgbench {best:,.0f}/s at best, {ours / best:.1f} times (floor {floor})"
    )
    print("pgbench by clients: " + ", ".join(f"{n}: {rate:,.0f}/s" for n, rate in theirs.items()))
