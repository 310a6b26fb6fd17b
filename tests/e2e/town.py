"""Many processes on one Postgres, kept alive as a service manager does while a test kills them."""

import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.e2e.house import House, children_of, is_alive
from tests.e2e.running import Server, free_port, until
from tests.e2e.upstream.sitecustomize import BOOKS

CREW = "one of a crew"
CREW_SIZE = 2
READY_S = 60.0
LOOK_S = 0.3
BOOKS_FOLDER = Path(__file__).parent / "upstream"


@dataclass(slots=True)
class Place:
    """One command that is started again whenever it ends."""

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Victim:
    """A process that was killed."""

    name: str
    runner: str | None  # None: it had not joined yet
    at_s: float  # monotonic


class Town:
    """A crew of two on one port, two servers of their own, two workers.

    One server takes in and runs nothing itself, so that there is work for all others to take.

    Args:
        house: where they live.
        simulate: how their upstream behaves.
        environment: further settings of all.
    """

    def __init__(self, house: House, simulate: str, **environment: str) -> None:
        self.house = house
        self.books = house.folder / "upstream-books"
        self.books.touch()
        self._environment = {
            "PORTICO_SIMULATE": simulate,
            "PORTICO_LOG_LEVEL": "warning",
            "PORTICO_XPILOT_SUBMITS_PER_MINUTE": "0",
            "PORTICO_XPILOT_READS_PER_MINUTE": "0",
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(BOOKS_FOLDER), os.environ.get("PYTHONPATH")])
            ),
            BOOKS: str(self.books),
        } | environment
        ports = [free_port() for _ in range(3)]
        self.urls = [f"http://127.0.0.1:{port}" for port in ports]
        crew, taker, front = (("serve", "--port", str(port)) for port in ports)
        self._crew = Place("crew", (*crew, "--workers", str(CREW_SIZE)))
        self._places = [
            self._crew,
            Place("server", taker),
            Place("server that runs nothing", front, {"PORTICO_QUEUES": ""}),
            Place("worker", ("worker",)),
            Place("worker", ("worker", "--queues", "upstream")),
        ]
        self._is_closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep)

    def open(self) -> None:
        """Start everything, and wait until all of it takes part."""
        self._keeper.start()
        self.wait_until_ready()

    def close(self) -> None:
        """Stop everything in order."""
        self._is_closing.set()
        self._keeper.join(10)
        self.house.stop()

    def wait_until_ready(self, within_s: float = READY_S) -> float:
        """Wait until every address answers and every process has joined; returns the seconds."""
        began_s = time.monotonic()
        for _ in until(within_s):
            running = self.runners()
            if len(running) >= self.size and all(map(_is_ready, self.urls)):
                return time.monotonic() - began_s
        message = f"not ready: {self.runners()}"
        raise AssertionError(message)

    def processes(self) -> list[tuple[str, int]]:
        """Return what can be killed: a word for it, and its process id."""
        found = []
        for place in self._places:
            process = place.process
            if process is None or process.poll() is not None:
                continue
            if place is self._crew:
                found += [(CREW, each) for each in children_of(process) if is_alive(each)]
            else:
                found.append((place.name, process.pid))
        return found

    def runners(self) -> dict[int, str]:
        """Return the name of every process that has one, as its folder for work tells."""
        named = {number: runner_of(number) for _, number in self.processes()}
        return {number: name for number, name in named.items() if name}

    def kill(self, name: str, number: int) -> Victim:
        """Kill one as a power cut would."""
        runner = runner_of(number)
        os.kill(number, signal.SIGKILL)
        at_s = time.monotonic()
        for _ in until(10):
            if not is_alive(number):
                break
        return Victim(name, runner, at_s)

    @property
    def size(self) -> int:
        """How many processes take part when all live."""
        return len(self._places) - 1 + CREW_SIZE

    def servers(self) -> list[Server]:
        """Return one for each address, for asking."""
        found = []
        for place, url in zip(self._places, self.urls, strict=False):
            assert place.process is not None
            log = self.house.folder / "0.log"
            found.append(Server(place.process, url, self.house.key, self.house.folder, log))
        return found

    def logged(self, word: str) -> list[str]:
        """Return the lines of all logs in which a word stands."""
        return [
            line
            for log in self.house.folder.glob("*.log")
            for line in log.read_text(errors="replace").splitlines()
            if word in line
        ]

    def _keep(self) -> None:
        while not self._is_closing.is_set():
            for place in self._places:
                if place.process is None or place.process.poll() is not None:
                    settings = self._environment | place.environment
                    place.process = self.house.run(*place.arguments, **settings)
            self._is_closing.wait(LOOK_S)


def runner_of(number: int) -> str | None:
    """Return under which name a process joined, by the lock it holds open."""
    try:
        links = [each.readlink() for each in Path(f"/proc/{number}/fd").iterdir()]
    except OSError:
        return None
    locks = (each.stem for each in links if each.suffix == ".lock")
    return next((each for each in locks if each.startswith("run_")), None)


def _is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=10).status_code == 200
    except requests.RequestException:
        return False
