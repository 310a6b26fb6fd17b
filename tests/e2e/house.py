"""Several processes of Portico on one Postgres: started, looked into, stopped with the test."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portico import settings
from portico.app import open_desk
from portico.core.money import MICRO
from portico.flows import administer
from portico.flows.administer import Desk
from tests.e2e.running import EMAIL, READY_S, Server, child_environment, free_port, until

BALANCE = 100_000


class House:
    """One database and whatever processes run on it."""

    def __init__(self, url: str, folder: Path, *, balance: int = BALANCE) -> None:
        self.url = url
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.key = self.make_account(balance)

    def make_account(self, balance: int, email: str = EMAIL) -> str:
        """Add an account; returns its key."""

        async def work(desk: Desk) -> str:
            await administer.create_account(desk, email, amount=balance * MICRO)
            return (await administer.create_key(desk, email)).key

        key: str = self.at_desk(work)
        return key

    def at_desk(self, work: Callable[[Desk], Any]) -> Any:
        """Do something with the database."""

        async def main() -> Any:
            desk = await open_desk(settings.load({}, data=str(self.folder), database_url=self.url))
            try:
                return await work(desk)
            finally:
                await desk.store.close()

        return asyncio.run(main())

    def run(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start one command of Portico; it is ended with the test."""
        log = self.folder / f"{len(self.processes)}.log"
        with log.open("wb") as written:
            process = subprocess.Popen(
                [sys.executable, "-m", "portico", *arguments, "--data", str(self.folder)],
                env=child_environment() | {"PORTICO_DATABASE_URL": self.url} | environment,
                stdout=written,
                stderr=written,
                cwd=self.folder,
            )
        self.processes.append(process)
        return process

    def log_of(self, process: subprocess.Popen[bytes]) -> str:
        return (self.folder / f"{self.processes.index(process)}.log").read_text()

    def serve(self, *arguments: str, **environment: str) -> Server:
        """Start a server, and wait until all its processes are ready."""
        port = free_port()
        process = self.run("serve", "--port", str(port), *arguments, **environment)
        self.wait_for(process, "is ready at")
        log = self.folder / f"{self.processes.index(process)}.log"
        return Server(process, f"http://127.0.0.1:{port}", self.key, self.folder, log)

    def wait_for(
        self, process: subprocess.Popen[bytes], text: str, *, within_s: float = READY_S
    ) -> None:
        for _ in until(within_s):
            if text in self.log_of(process):
                return
            assert process.poll() is None, self.log_of(process)
        raise AssertionError(self.log_of(process))

    def sound(self) -> bool:
        return self.at_desk(administer.verify) == []

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()


def children_of(process: subprocess.Popen[bytes]) -> list[int]:
    text = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(each) for each in text.split()]


def is_alive(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
