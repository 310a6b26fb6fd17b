"""What one process does is known to all others: keys, cancels, progress, and who runs what."""

import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.e2e.books import fetch
from tests.e2e.house import House, children_of
from tests.e2e.running import EMAIL, until
from tests.e2e.town import BOOKS_FOLDER
from tests.e2e.upstream.sitecustomize import BOOKS

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]
LONG_VIDEO = {
    "model": "portico/scene",
    "prompt": "a lake at dawn",
    "params": {"duration": 10, "size": "1920x1080", "audio": False},
}
_RUNNERS = "SELECT id FROM runners ORDER BY number"
_OWNERS = "SELECT runner, count(*) AS number FROM tasks WHERE finished_at IS NULL GROUP BY runner"


def command(house: House, *arguments: str) -> None:
    ran = house.run(*arguments)
    assert ran.wait(60) == 0, house.log_of(ran)


def statuses(url: str, key: str, count: int) -> Counter[int]:
    """Ask over so many connections at once, so that every process of a crew has its share."""

    def ask(_: int) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return requests.get(f"{url}/portico/v1/balance", headers=headers, timeout=30).status_code

    with ThreadPoolExecutor(16) as pool:
        return Counter(pool.map(ask, range(count)))


def test_revoked_key_and_suspended_account_are_refused_by_every_process_at_once(house):
    crew = house.serve("--workers", "3", PORTICO_SIMULATE="1")
    other = house.serve(PORTICO_SIMULATE="1")
    for server in (crew, other):
        assert statuses(server.url, house.key, 48) == {200: 48}

    command(house, "account", "suspend", EMAIL)
    for server in (crew, other):
        assert set(statuses(server.url, house.key, 48)) == {403}
    command(house, "account", "resume", EMAIL)
    assert set(statuses(crew.url, house.key, 48)) == {200}
    command(house, "key", "revoke", house.key)

    for server in (crew, other):
        assert statuses(server.url, house.key, 48) == {401: 48}


def test_task_run_elsewhere_shows_its_progress_and_stops_there_when_it_is_cancelled(house):
    server = house.serve(PORTICO_QUEUES="")
    worker = house.run("worker", PORTICO_RENDER_PROCESSES="1")
    house.wait_for(worker, "runs tasks")
    idle = set(children_of(worker))
    task_id = server.post("/portico/v1/tasks", json=LONG_VIDEO).json()["task"]["id"]
    shown = [0.0]
    task = server.task(task_id)
    for _ in until(60):
        task = server.task(task_id)
        shown.append(float(task["progress"] or 0))
        if shown[-1] > 0:
            break
    assert task["state"] == "running"
    assert 0 < shown[-1] < 1
    assert set(children_of(worker)) - idle  # it draws in a process of its own

    cancelled = server.post(f"/portico/v1/tasks/{task_id}/cancel")
    assert cancelled.json()["state"] == "cancelled", cancelled.text
    for _ in until(15):
        if not set(children_of(worker)) - idle and not files_of(house, task_id):
            break
    assert set(children_of(worker)) <= idle  # it draws no more
    assert files_of(house, task_id) == []
    assert server.get("/portico/v1/balance").json()["held"] == "0"
    assert house.sound()


def files_of(house: House, task_id: str) -> list[Path]:
    return list((house.folder / "work").glob(f"run_*/{task_id}"))


@pytest.fixture
def watched(house: House) -> dict[str, str]:
    """Settings under which an upstream that charges keeps books of what it starts."""
    books = house.folder / "upstream-books"
    books.touch()
    return {
        "PORTICO_SIMULATE": "latency=18s,paid=1",
        "PYTHONPATH": str(BOOKS_FOLDER),
        BOOKS: str(books),
    }


@contextlib.contextmanager
def standing_still(number: int) -> Iterator[None]:
    os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(number, signal.SIGCONT)


@pytest.mark.timeout(240)
def test_worker_that_stood_still_is_relieved_and_comes_back_under_a_new_name(house, watched):
    server = house.serve(PORTICO_QUEUES="", **watched)
    stopped = house.run("worker", **watched)
    house.wait_for(stopped, "runs tasks")
    tasks = [submit(server) for _ in range(12)]
    (old,) = owners_of(house)  # the only one there is takes all
    relief = house.run("worker", **watched)
    house.wait_for(relief, "runs tasks")
    with standing_still(stopped.pid):
        for _ in until(60):
            if old not in owners_of(house):
                break
        else:
            pytest.fail("nobody took over")
        ended = [server.ended(each, within_s=60) for each in tasks]
        names = {row["id"] for row in fetch(house.url, _RUNNERS)}
    assert old not in names
    house.wait_for(stopped, "given_up_by_others")
    for _ in until(20):
        if len(fetch(house.url, _RUNNERS)) == len(names) + 1:
            break
    tasks += [submit(server) for _ in range(4)]
    ended += [server.ended(each) for each in tasks[-4:]]

    assert {each["state"] for each in ended} == {"succeeded"}
    again = {row["id"] for row in fetch(house.url, _RUNNERS)}
    assert names < again
    assert len(again) == len(names) + 1
    assert server.get("/portico/v1/balance").json() == {"available": "99920", "held": "0"}
    starts = Counter(line.split()[0] for line in Path(watched[BOOKS]).read_text().splitlines())
    assert starts == dict.fromkeys(tasks, 1)
    assert house.sound()


def submit(server) -> str:
    answer = server.post("/portico/v1/tasks", json={"prompt": "a lake"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task"]["id"])


def owners_of(house: House) -> set[str]:
    """Return who runs open tasks, once nobody is waited for any more."""
    found: set[str | None] = set()
    for _ in until(20):
        found = {row["runner"] for row in fetch(house.url, _OWNERS)}
        if None not in found:
            break
    return {each for each in found if each}
