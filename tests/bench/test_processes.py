"""Several processes on one Postgres: what a second one adds, and what the engine costs.

The database is flushed to the disk at every commit. Everything shares this machine's cores, the
load included, so that the figures say less than they would on machines of their own.
"""

import contextlib
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import requests

from tests.bench import load
from tests.bench.test_http import SECONDS, VIDEO, port_of, report
from tests.bench.test_postgres import DURABLE
from tests.e2e.running import (
    READY_S,
    Server,
    child_environment,
    free_port,
    make_account,
    running,
    until,
    use_database,
)
from tests.postgres import Postgres
from tests.postgres import running as postgres_running

pytestmark = pytest.mark.bench
TASKS = 3_000
PACED = 200
IDLE_S = 30
QUIET = {
    "PORTICO_XPILOT_SUBMITS_PER_MINUTE": "0",
    "PORTICO_XPILOT_READS_PER_MINUTE": "0",
    "PORTICO_LOG_LEVEL": "error",
}


@pytest.fixture(scope="module")
def durable() -> Iterator[Postgres]:
    with postgres_running((*DURABLE, "log_statement=none")) as server:
        yield server


@pytest.fixture
def data(durable: Postgres, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    use_database(folder, durable.fresh())
    return folder


@contextlib.contextmanager
def also(data: Path, *arguments: str, says: str, **environment: str) -> Iterator[None]:
    """Run another command on the same database meanwhile; begin once it says so."""
    log = data / f"{'-'.join(arguments).replace('/', '')}.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "portico", *arguments, "--data", str(data)],
            env=child_environment() | QUIET | environment,
            stdout=written,
            stderr=written,
            cwd=data,
        )
    try:
        for _ in until(READY_S):
            if says in log.read_text():
                break
            assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_submits_by_processes(data: Path, processes: int) -> None:
    key = make_account(data, balance=1_000_000_000)
    port = free_port()
    words = ("serve", "--port", str(port), "--workers", str(processes))
    with also(data, *words, says="is ready at", PORTICO_SIMULATE="latency=600s"):
        made = load.request("POST", "/api/v1/video/generate", key, VIDEO)
        result = load.run(port, load.for_seconds(SECONDS, lambda: made))
    print(
        f"\nsubmits by {processes} API processes: {result.per_second:,.0f}/s, "
        f"p50 {result.percentile_ms(0.5):.1f} ms, p99 {result.percentile_ms(0.99):.1f} ms"
    )
    assert set(result.statuses) == {200}


def test_polls_on_postgres(data: Path) -> None:
    key = make_account(data)
    with running(data, key, PORTICO_SIMULATE="latency=600s", **QUIET) as server:
        task_id = server.post("/api/v1/video/generate", data=VIDEO).json()["task_id"]
        made = load.request("GET", f"/api/v1/video/{task_id}", key)
        result = load.run(port_of(server), load.for_seconds(SECONDS, lambda: made))
    report("poll on Postgres", result, float("nan"), 0)
    assert set(result.statuses) == {200}


def test_engine(data: Path) -> None:
    """How many tasks a second one process takes from admission to settlement."""
    key = make_account(data, balance=1_000_000_000)
    with running(data, key, PORTICO_SIMULATE="1", **QUIET) as server:
        left = iter(range(TASKS))
        made = load.request("POST", "/api/v1/video/generate", key, VIDEO)
        began_at = time.monotonic()
        load.run(port_of(server), lambda: made if next(left, None) is not None else None)
        for _ in until(300, every_s=0.02):
            if server.get("/portico/v1/balance").json()["held"] == "0":
                break
        took_s = time.monotonic() - began_at
    print(f"\nengine: {TASKS / took_s:,.0f} tasks/s from submit to settlement (floor 500)")


def test_time_from_enqueue_to_start(data: Path, durable: Postgres) -> None:
    """A task taken in by one process and run by another, at a low rate."""
    key = make_account(data, balance=1_000_000_000)
    simulated = {"PORTICO_SIMULATE": "1"}
    with (
        running(data, key, PORTICO_QUEUES="", **simulated, **QUIET) as server,
        also(data, "worker", says="runs tasks", **simulated),
    ):
        for _ in range(PACED):
            server.post("/api/v1/video/generate", data=VIDEO)
            time.sleep(0.05)
        waits = durable.run(_waits(url_of(data)))
    print(
        f"\nenqueue to start: p50 {statistics.median(waits):.0f} ms (bound 20), "
        f"p95 {waits[int(len(waits) * 0.95)]} ms, {len(waits)} tasks"
    )


async def _waits(url: str) -> list[int]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT started_at - created_at AS waited FROM tasks"
            " WHERE started_at IS NOT NULL ORDER BY 1"
        )
    finally:
        await connection.close()
    return [row["waited"] for row in rows]


def url_of(data: Path) -> str:
    found = re.search(r'database_url = "([^"]+)"', (data / "portico.toml").read_text())
    assert found
    return found[1]


def test_idle_statements(tmp_path: Path) -> None:
    """What a process asks the database while nobody asks it anything."""
    with postgres_running((*DURABLE, "log_statement=all")) as server:
        use_database(tmp_path, server.fresh())
        key = make_account(tmp_path)
        with running(tmp_path, key, **QUIET) as alone:
            once(alone)
            first = statements(server)
            with also(tmp_path, "worker", says="runs tasks"):
                time.sleep(5)
                both = statements(server)
    print(
        f"\nidle: {first:.1f} statements/s for one process, {both / 2:.1f} a process for two "
        "(bound 3)"
    )


def once(server: Server) -> None:
    """Let what happens only after a start go by."""
    assert requests.get(f"{server.url}/healthz", timeout=5).status_code == 200
    time.sleep(5)


def statements(server: Postgres) -> float:
    """Count what the server logs for a while; returns statements a second."""
    log = server.folder / "log"
    before = log.stat().st_size
    time.sleep(IDLE_S)
    with log.open("rb") as read:
        read.seek(before)
        told = read.read().decode(errors="replace")
    return len(re.findall(r"LOG:  (?:statement|execute)", told)) / IDLE_S
