"""Customers of all dialects, many processes, one Postgres; and what is done to them meanwhile."""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.contract.media_host import MediaHost, media_host
from tests.e2e.books import all_end, check_books, fetch
from tests.e2e.customers import Customers, Refusal
from tests.e2e.house import House
from tests.e2e.running import until
from tests.e2e.takeovers import Takeover, Watcher
from tests.e2e.town import Town
from tests.postgres import Postgres

BALANCE = 10_000_000
LATENCY = "latency=3s"
KILLED_AT_ONCE = (1, 1, 1, 2)
BETWEEN_KILLS_S = (2.0, 6.0)
AWAY_S = (0.5, 3.0)
BETWEEN_CRASHES_S = (4.0, 8.0)
TAKEN_OVER_WITHIN_S = 20.0
REFUSED_WITHIN_S = 5.0
FULL_SERVICE_WITHIN_S = 5.0
_LISTENING = """
SELECT count(*) AS number FROM pg_stat_activity
WHERE datname = current_database() AND query ILIKE 'LISTEN%'
"""


@dataclass(frozen=True, slots=True)
class Outage:
    """What was seen of a time without the database; seconds are counted from its return."""

    refused: list[Refusal]
    ready_after_s: float
    listening_after_s: float
    serving_after_s: float

    @property
    def slowest_s(self) -> float:
        """The longest anybody waited for an error; who waits for a picture or text may longer."""
        return self.slowest[-1][0]

    @property
    def slowest(self) -> list[tuple[float, str, bool]]:
        """Return the last to be told, what they asked for, and whether it was a read."""
        told = [each for each in self.refused if not each.wish.waits or each.is_read]
        return sorted((each.took_s, each.wish.path, each.is_read) for each in told)[-5:]

    @property
    def dialects(self) -> set[tuple[str, bool]]:
        """Return which dialects refused a submit, and which a read."""
        return {(each.wish.dialect, each.is_read) for each in self.refused}


@dataclass(slots=True)
class Storm:
    """Everything that runs, and what is measured of it."""

    postgres: Postgres
    url: str
    town: Town
    customers: Customers
    watcher: Watcher
    paid: bool
    killed: list[str] = field(default_factory=list)
    back_after_s: list[float] = field(default_factory=list)  # after a crash of the database

    def kill_some(self) -> None:
        """Kill one or two processes, whichever they are, once half of all take part again."""
        for _ in until(60):
            if len(self.town.runners()) * 2 >= self.town.size:
                break
        for _ in range(random.choice(KILLED_AT_ONCE)):  # noqa: S311
            if there := self.town.processes():
                name, number = random.choice(there)  # noqa: S311
                self.watcher.add(self.town.kill(name, number))
                self.killed.append(name)

    def crash_database(self, away_s: float) -> None:
        """Crash the database, start it again after a while, wait until something is promised."""
        self.postgres.stop(signal.SIGQUIT)
        time.sleep(away_s)
        self.postgres.start()
        began_s = time.monotonic()
        self.back_after_s.append(self.next_promise(began_s))

    def outage(self, away_s: float, *, frozen: bool) -> "Outage":
        """Have the database away for a while: stopped, or there but without any answer."""
        began_s = time.monotonic()
        if frozen:
            self.postgres.freeze()
        else:
            self.postgres.stop(signal.SIGQUIT)
        time.sleep(away_s)
        ended_s = time.monotonic()
        if frozen:
            self.postgres.thaw()
        else:
            self.postgres.start()
        came_s = time.monotonic()
        fully = self.town.wait_until_ready(), self._all_listen(came_s), self._all_serve(came_s)
        refused = [each for each in self.customers.refusals if began_s < each.began_s < ended_s]
        return Outage(refused, *fully)

    def _all_listen(self, since_s: float) -> float:
        """Wait until every process hears what the others announce; returns when."""
        wanted = self.town.size
        for _ in until(60):
            if fetch(self.url, _LISTENING)[0]["number"] >= wanted:
                return time.monotonic() - since_s
        message = "not all processes listen again"
        raise AssertionError(message)

    def _all_serve(self, since_s: float) -> float:
        """Wait until each address takes a task in and somebody has done it; returns when."""
        servers = self.town.servers()
        made: dict[str, str] = {}
        for _ in until(60):
            for server in servers:
                if server.url in made:
                    continue
                body = {"prompt": f"a lake, {time.monotonic_ns()}"}
                answer = server.post("/portico/v1/tasks", json=body)
                if answer.status_code == requests.codes.accepted:
                    made[server.url] = answer.json()["task"]["id"]
            if len(made) == len(servers):
                break
        accepted_s = time.monotonic() - since_s
        for server in servers:
            assert server.ended(made[server.url], within_s=60)["state"] == "succeeded"
        return accepted_s

    def next_promise(self, began_s: float, *, within_s: float = 60.0) -> float:
        """Wait until the next promise; returns the seconds it came after an instant."""
        before = len(self.customers.promises)
        while time.monotonic() < began_s + within_s:
            if len(self.customers.promises) > before:
                return time.monotonic() - began_s
            time.sleep(0.05)
        message = f"nothing was promised for {within_s} seconds"
        raise AssertionError(message)

    def kill_rounds(self, rounds: int) -> None:
        """Kill at random, round after round, without waiting for what was killed before."""
        for number in range(rounds):
            self.kill_some()
            time.sleep(random.uniform(*BETWEEN_KILLS_S))  # noqa: S311
            if number % 20 == 19:
                self.tell(f"{number + 1} rounds")

    def crash_rounds(self, rounds: int) -> None:
        """Crash the database, round after round."""
        for number in range(rounds):
            time.sleep(random.uniform(*BETWEEN_CRASHES_S))  # noqa: S311
            self.crash_database(random.uniform(*AWAY_S))  # noqa: S311
            self.tell(f"crash {number + 1}: back after {self.back_after_s[-1]:.1f} s")

    def tell(self, what: str) -> None:
        """Print how it stands, for people who watch a long run."""
        found = len(self.watcher.takeovers)
        print(  # noqa: T201
            f"{what}; promised {len(self.customers.promises)}, takeovers {found}"
            f" ({len(self.watcher.open)} open), oldest task {self.watcher.oldest_s:.0f} s,"
            f" surprises {len(self.customers.surprises)}",
            flush=True,
        )

    def calm(self) -> dict[str, Any]:
        """Check, once nobody asks any more, that nothing is lost, stuck or paid twice."""
        self.town.wait_until_ready()
        all_end(self.url)
        while self.watcher.open:
            time.sleep(0.1)  # it looks ten times a second
        counted = check_books(
            self.url,
            self.town.house.folder,
            self.customers.promises,
            start=BALANCE,
            upstream=self.town.books,
            paid=self.paid,
        )
        self._check_downloads()
        verified = self.town.house.run("ledger", "verify")
        assert verified.wait(120) == 0, self.town.house.log_of(verified)
        assert self.customers.surprises == []
        assert self.town.logged("unhandled") == []
        return counted | {
            "answers": dict(self.customers.answers),
            "slowest_refusal_s": round(self.customers.slowest_refusal_s, 2),
            "killed": {each: self.killed.count(each) for each in sorted(set(self.killed))},
            "oldest_task_s": round(self.watcher.oldest_s, 1),
            "steps_failed": len(self.town.logged("step_failed")),
            "given_up_by_mistake": len(self.town.logged("given_up_by_others")),
        }

    def _check_downloads(self) -> None:
        media = [each for each in self.customers.promises if not each.wish.is_text]
        server = self.town.servers()[1]
        for promise in random.sample(media, min(10, len(media))):
            if promise.task_id > 0 and server.task(str(promise.task_id))["state"] == "succeeded":
                answer = server.get(f"/portico/v1/tasks/{promise.task_id}/download")
                assert answer.status_code == requests.codes.ok, answer.text
                assert len(answer.content) == int(answer.headers["content-length"]) > 0

    @property
    def takeovers(self) -> list[Takeover]:
        """Return those of processes that had something to run."""
        return [each for each in self.watcher.takeovers if each.after_s]


@contextmanager
def storm(postgres: Postgres, folder: Path, *, paid: bool) -> Iterator[Storm]:
    """Open a town on a database of its own; customers ask as long as the `with` lasts.

    Call `calm` after it: processes still run then.
    """
    folder.mkdir(mode=0o700)
    url = postgres.fresh()
    house = House(url, folder, balance=BALANCE)
    with media_host() as host:
        town = _town(house, host, paid=paid)
        customers = Customers(town.urls, house.key, f"{host.url}/a.png")
        watcher = Watcher(url)
        try:
            town.open()
            yield Storm(postgres, url, town, customers, watcher, paid)
        finally:
            customers.stopping.set()
            watcher.close()
            town.close()


def _town(house: House, host: MediaHost, *, paid: bool) -> Town:
    simulate = f"{LATENCY},paid={int(paid)}"
    return Town(house, simulate, PORTICO_PRIVATE_HOSTS=host.address)
