"""A server, two emulated upstreams behind one model, and customers who ask at a steady pace."""

import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.e2e.books import check_task
from tests.e2e.running import Server, child_environment, free_port, make_account, running, until
from tests.e2e.upstream.sitecustomize import LOST_RETRY

KIND = "wavespeed"
NAMES = ("left", "right")
PRICE = 5
MODEL = """
[[models]]
id = "lake"
title = "Lake"
kind = "image"
provider_label = "acme"
routes = [
  { provider = "wavespeed", upstream_model = "acme/lake/text-to-image", credential = "left" },
  { provider = "wavespeed", upstream_model = "acme/lake/text-to-image", credential = "right" },
]

[shapes.lake.modes.text]

[[offerings]]
dialects = ["portico"]
name = "lake"
model = "lake"
shape = "lake"
price = "5"
"""
_TASKS = """
SELECT id, kind, state, price, charged, failure_message,
    (SELECT count(*) FROM ledger_entries e WHERE e.task_id = t.id AND e.kind = 'hold') AS holds,
    (SELECT count(*) FROM ledger_entries e WHERE e.task_id = t.id AND e.kind <> 'hold') AS ends,
    (SELECT coalesce(sum(house_delta), 0) FROM ledger_entries e WHERE e.task_id = t.id) AS earned,
    (SELECT count(*) FROM assets a WHERE a.task_id = t.id AND a.role = 'output') AS outputs
FROM tasks t
"""
_ATTEMPTS = "SELECT task_id, credential, upstream_id, failure_code, started_at FROM attempts"
_OPEN = "SELECT id, state FROM tasks WHERE state NOT IN ('succeeded', 'failed')"
UPSTREAM_FOLDER = Path(__file__).parent / "upstream"


@dataclass(slots=True)
class Upstream:
    """An emulator in a process of its own, always on the same port."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    begun_before: int = 0  # jobs of processes that were killed

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return f"http://{self.address}/api/v3"

    @property
    def begun(self) -> int:
        """Return how many jobs it took that somebody has to pay for, dead processes included."""
        told = requests.get(f"http://{self.address}/_emulator", timeout=10).json()
        return self.begun_before + int(told["begun"])

    def start(self) -> None:
        """Start it, and wait until it listens."""
        words = ("emulate", KIND, "--port", str(self.port), "--latency", "1")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "portico", *words],
            env=child_environment(),
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
        )
        for _ in until(20):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
        message = "an emulator did not start"
        raise AssertionError(message)

    def kill(self) -> None:
        """End it as a power cut would; it forgets its jobs."""
        assert self.process is not None
        self.begun_before = self.begun
        self.process.kill()
        self.process.wait(10)


@dataclass(slots=True)
class Customers:
    """Somebody who asks for a picture again and again, at a steady pace."""

    server: Server
    per_second: float
    accepted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Ask on a thread until the block ends."""
        is_over = threading.Event()
        thread = threading.Thread(target=self._ask, args=(is_over,))
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join(60)

    def _ask(self, is_over: threading.Event) -> None:
        due_s = time.monotonic()
        while not is_over.wait(max(0.0, due_s - time.monotonic())):
            due_s += 1 / self.per_second
            body = {"model": "lake", "prompt": f"a lake, {due_s}"}
            answer = self.server.post("/portico/v1/tasks", json=body)
            if answer.status_code == requests.codes.accepted:
                self.accepted.append(str(answer.json()["task"]["id"]))
            else:
                self.refused.append(answer.text)


@dataclass(slots=True)
class House:
    """Everything that runs."""

    server: Server
    upstreams: Mapping[str, Upstream]
    customers: Customers

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Ask the server's database."""
        path = f"file:{self.server.data / 'portico.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(path, uri=True, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(each) for each in connection.execute(query)]

    def starts(self) -> dict[str, list[float]]:
        """Return when each upstream was asked to begin a job, in seconds of the wall clock."""
        found: dict[str, list[float]] = {name: [] for name in self.upstreams}
        for row in self.rows(_ATTEMPTS):
            found[row["credential"]].append(row["started_at"] / 1000)
        return found

    def all_end(self, *, within_s: float) -> None:
        """Wait until no task is open."""
        for _ in until(within_s, every_s=0.2):
            if not self.rows(_OPEN):
                return
        message = f"stuck: {self.rows(_OPEN)}"
        raise AssertionError(message)

    def check_books(self) -> dict[str, Any]:
        """Check that nothing was lost, paid twice or charged wrongly; returns what was counted."""
        found = {str(row["id"]): row for row in self.rows(_TASKS)}
        for each in found.values():
            check_task(each)
        assert set(found) == set(self.customers.accepted)
        attempts = self.rows(_ATTEMPTS)
        taken = Counter(row["task_id"] for row in attempts if row["upstream_id"])
        assert max(taken.values()) == 1  # no job is ever begun anew, whatever became of it
        done = {int(each) for each, row in found.items() if row["state"] == "succeeded"}
        assert done <= set(taken)
        begun = {name: each.begun for name, each in self.upstreams.items()}
        known = Counter(row["credential"] for row in attempts if row["upstream_id"])
        unclear = Counter(
            row["credential"] for row in attempts if row["failure_code"] == "upstream_timeout"
        )
        for name, number in begun.items():
            assert known[name] <= number <= known[name] + unclear[name], (begun, known, unclear)
        return {
            "tasks": len(found),
            "states": Counter(row["state"] for row in found.values()),
            "failures": Counter(row["failure_message"] for row in found.values()),
            "begun": begun,
            "refused_starts": Counter(
                row["credential"] for row in attempts if row["failure_code"] == "overloaded"
            ),
        }


@contextlib.contextmanager
def two_upstreams(
    data: Path, *, per_second: float, lost_retry_s: float | None = None, balance: int = 100_000
) -> Iterator[House]:
    """Run a server on SQLite with two upstreams, connected as an operator would.

    Args:
        data: its data folder.
        per_second: how many pictures are asked for.
        lost_retry_s: how soon a job that its upstream does not know is asked for again, so that
            a test need not wait for a minute; None: as in earnest.
        balance: credits of the customer.
    """
    key = make_account(data, balance=balance)
    catalogue = data / "catalogue"
    catalogue.mkdir()
    (catalogue / "lake.toml").write_text(MODEL)
    upstreams = {name: Upstream(free_port(), data) for name in NAMES}
    given = {
        "PORTICO_PRIVATE_HOSTS": ",".join(each.address for each in upstreams.values()),
        "PORTICO_CATALOGUE": str(catalogue),
    }
    hurried = {} if lost_retry_s is None else _hurried(lost_retry_s)
    try:
        for name, each in upstreams.items():
            each.start()
            connect(data, name, each.base_url, given)
        with running(data, key, **given, **hurried) as server:
            yield House(server, upstreams, Customers(server, per_second))
    finally:
        for each in upstreams.values():
            if each.process is not None:
                each.process.kill()
                each.process.wait(10)


def connect(data: Path, name: str, base_url: str, given: Mapping[str, str]) -> None:
    """Add a credential for an emulator, by the command an operator uses."""
    words = ("provider", "add", name, "--provider", KIND, "--base-url", base_url)
    subprocess.run(
        [sys.executable, "-m", "portico", *words, "--secret-stdin", "--data", str(data)],
        env=child_environment() | dict(given),
        input=b"sk-emulated",
        cwd=data,
        check=True,
        timeout=60,
        stdout=subprocess.DEVNULL,
    )


def share_of(
    name: str, starts: Mapping[str, Sequence[float]], since: float, until_: float
) -> float:
    """Return which part of all starts between two instants was one upstream's."""
    counts = {each: sum(since <= at < until_ for at in all_) for each, all_ in starts.items()}
    return counts[name] / max(1, sum(counts.values()))


def _hurried(lost_retry_s: float) -> dict[str, str]:
    paths = [str(UPSTREAM_FOLDER), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths)), LOST_RETRY: str(lost_retry_s)}
