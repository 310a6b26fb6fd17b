"""Run Portico as its own process: start, ask, kill, start again; and look into its database."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from portico import settings
from portico.app import open_desk
from portico.core.money import MICRO
from portico.flows import administer
from portico.flows.administer import Desk
from portico.ledger import Difference
from portico.settings import CONFIG_FILE

READY_S = 30.0
EMAIL = "customer@example.com"


@dataclass(slots=True)
class Server:
    """One process of Portico on a free port."""

    process: subprocess.Popen[bytes]
    url: str
    key: str
    data: Path
    log: Path

    def get(self, path: str, **given: Any) -> requests.Response:
        headers = self.headers | given.pop("headers", {})
        return requests.get(self.url + path, headers=headers, timeout=30, **given)

    def post(self, path: str, **given: Any) -> requests.Response:
        headers = self.headers | given.pop("headers", {})
        return requests.post(self.url + path, headers=headers, timeout=60, **given)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def task(self, task_id: str) -> dict[str, Any]:
        """Read a task in Portico's own dialect."""
        answer = self.get(f"/portico/v1/tasks/{task_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def ended(self, task_id: str, *, within_s: float = 60.0) -> dict[str, Any]:
        """Wait until a task has ended."""
        task: dict[str, Any] = {}
        for _ in until(within_s):
            task = self.task(task_id)
            if task["state"] in {"succeeded", "failed", "cancelled", "expired"}:
                return task
        message = f"task {task_id} did not end: {task}"
        raise AssertionError(message)

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.process.kill()
        self.process.wait(10)


@contextlib.contextmanager
def running(data: Path, key: str, **environment: str) -> Iterator[Server]:
    """Start a server on a data folder and stop it at the end."""
    server = start(data, key, **environment)
    try:
        yield server
    finally:
        server.process.terminate()
        try:
            server.process.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            raise


def start(data: Path, key: str, **environment: str) -> Server:
    """Start a server process and wait until it is ready, or has died."""
    port = int(environment.get("PORTICO_PORT", "0")) or free_port()
    log = data / "server.log"
    with log.open("ab") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "portico", "serve", "--port", str(port), "--data", str(data)],
            env=child_environment() | environment,
            stdout=written,
            stderr=written,
            cwd=data,
        )
    server = Server(process, f"http://127.0.0.1:{port}", key, data, log)
    for _ in until(READY_S):
        if process.poll() is not None:
            break
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(f"{server.url}/readyz", timeout=5).status_code == 200:
                break
    else:
        process.kill()
        message = f"the server did not get ready:\n{log.read_text()}"
        raise AssertionError(message)
    return server


def child_environment() -> dict[str, str]:
    """Return the environment for a child: this one, without settings of the machine."""
    return {name: text for name, text in os.environ.items() if not name.startswith("PORTICO_")}


def use_database(data: Path, url: str) -> None:
    """Let whoever works with a data folder use this database; its settings say so."""
    (data / CONFIG_FILE).write_text(f"database_url = {json.dumps(url)}\n")


def make_account(data: Path, *, balance: int = 10_000, email: str = EMAIL) -> str:
    """Add an account with a key to a data folder; returns the key."""

    async def work(desk: Desk) -> str:
        await administer.create_account(desk, email, amount=balance * MICRO)
        return (await administer.create_key(desk, email)).key

    return with_desk(data, work)


def verify(data: Path) -> list[Difference]:
    """Recompute the whole ledger of a data folder."""
    return with_desk(data, administer.verify)


def with_desk(data: Path, work: Any) -> Any:
    """Do something with the database of a data folder."""

    async def main() -> Any:
        environment = {"PORTICO_CONFIG": str(data / CONFIG_FILE)}
        desk = await open_desk(settings.load(environment, data=str(data)))
        try:
            return await work(desk)
        finally:
            await desk.store.close()

    return asyncio.run(main())


def until(seconds: float, *, every_s: float = 0.05) -> Iterator[None]:
    """Repeat a while: for polling another process."""
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        yield
        time.sleep(every_s)


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
