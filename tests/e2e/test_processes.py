"""Several processes on one port, and workers beside them: real processes, a real Postgres."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from portico import settings
from portico.app import open_desk
from portico.core.money import MICRO
from portico.flows import administer
from portico.flows.administer import Desk
from tests.e2e.crowd import PICTURE, children_of, settled, under_load
from tests.e2e.running import EMAIL, READY_S, Server, child_environment, free_port, until
from tests.postgres import Postgres

pytestmark = pytest.mark.e2e

FINAL = {"succeeded", "failed", "cancelled", "expired"}


class House:
    """One database and whatever processes run on it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.key = self.at_desk(_make_account)

    def at_desk(self, work: Callable[[Desk], Any]) -> Any:
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


async def _make_account(desk: Desk) -> str:
    await administer.create_account(desk, EMAIL, amount=100_000 * MICRO)
    return (await administer.create_key(desk, EMAIL)).key


def is_alive(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture
def house(postgres: Postgres, tmp_path: Path) -> Iterator[House]:
    built = House(postgres.emptied(), tmp_path)
    yield built
    built.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_all_processes_are_replaced_under_load_and_no_request_fails(house):
    server = house.serve("--workers", "4", PORTICO_SIMULATE="1")
    before = set(children_of(server.process))
    assert len(before) == 4
    with under_load(server) as (failures, accepted):
        for _ in until(2):
            pass
        server.process.send_signal(signal.SIGHUP)
        starts_s = 2 * READY_S  # four, one after the other, while clients take the processors
        house.wait_for(server.process, "all_replaced", within_s=starts_s)
        for _ in until(1):
            pass
    after = set(children_of(server.process))
    assert failures == []
    assert len(accepted) > 20
    assert len(after) == 4
    assert not before & after
    assert set(settled(server, accepted)) == {"succeeded"}
    assert house.sound()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_process_that_dies_is_replaced_and_what_it_had_is_done_once(house):
    server = house.serve("--workers", "2", PORTICO_SIMULATE="latency=1s")
    with under_load(server, clients=4) as (_, accepted):
        for _ in until(2):
            pass
        (dead, *_) = children_of(server.process)
        os.kill(dead, signal.SIGKILL)
        for _ in until(20):
            if dead not in (now := children_of(server.process)) and len(now) == 2:
                break
        else:
            pytest.fail("nobody took its place")
    assert set(settled(server, accepted, within_s=60)) == {"succeeded"}
    balance = server.get("/portico/v1/balance").json()
    listed = server.get("/portico/v1/tasks").json()["tasks"]
    assert balance["held"] == "0"
    assert len(listed) > 0
    assert house.sound()


@pytest.mark.parametrize("point", ["bury.before_commit", "bury.after_commit"])
def test_one_that_dies_while_it_buries_another_is_buried_too(house, point):
    simulated = {"PORTICO_SIMULATE": "latency=2s"}
    burier = house.serve(PORTICO_QUEUES="", PORTICO_FAULT=f"{point}:kill", **simulated)
    victim = house.run("worker", **simulated)
    house.wait_for(victim, "runs tasks")
    tasks = [burier.post("/portico/v1/tasks", json=PICTURE).json()["task"]["id"] for _ in range(3)]
    for _ in until(5):
        if all(burier.task(each)["state"] != "queued" for each in tasks):
            break
    victim.kill()
    assert burier.process.wait(40) == -signal.SIGKILL
    server = house.serve(**simulated)

    assert set(settled(server, tasks, within_s=90)) == {"succeeded"}
    assert server.get("/portico/v1/balance").json()["held"] == "0"
    assert house.sound()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_processes_end_with_their_parent_however_it_ends(house):
    server = house.serve("--workers", "2", PORTICO_SIMULATE="1")
    children = children_of(server.process)
    server.kill()
    for _ in until(20):
        if not any(is_alive(each) for each in children):
            return
    pytest.fail("they live on")


def test_ready_line_is_printed_once_and_a_stop_ends_all(house):
    server = house.serve("--workers", "2", PORTICO_SIMULATE="1")
    assert house.log_of(server.process).count("is ready at") == 1
    server.process.terminate()
    assert server.process.wait(30) == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{server.url}/healthz", timeout=5)


def test_all_that_stop_together_answer_until_they_have_drained_and_cut_nobody_off(house):
    server = house.serve("--workers", "2", PORTICO_SIMULATE="1")  # drains for three seconds
    server.process.terminate()
    ready: list[int] = []
    statuses: list[int] = []
    ended_by: list[str] = []
    for _ in until(30):
        try:
            ready.append(requests.get(f"{server.url}/readyz", timeout=20).status_code)
            statuses.append(server.get("/portico/v1/balance").status_code)
        except requests.ConnectionError as error:
            ended_by.append(str(error))
            break
    assert server.process.wait(30) == 0
    assert set(ready[2:]) == {503}, ready
    assert len(statuses) > 5
    assert set(statuses) == {200}
    assert "refused" in ended_by[0]  # told at once, so that a proxy waits or asks elsewhere


def test_metrics_are_summed_over_all_on_the_port(house):
    server = house.serve("--workers", "2", PORTICO_SIMULATE="1")
    for _ in range(40):
        assert requests.get(f"{server.url}/portico/v1/balance", timeout=5).status_code == 401
    text = requests.get(f"{server.url}/metrics", timeout=5).text
    count = next(
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith('portico_http_seconds_count{dialect="portico"}')
    )
    assert count == 40
    assert 'portico_tasks_waiting{queue="render"} 0.0' in text


def test_worker_does_what_a_server_without_queues_takes_in(house):
    server = house.serve(PORTICO_QUEUES="", PORTICO_SIMULATE="1")
    task_id = server.post("/portico/v1/tasks", json=PICTURE).json()["task"]["id"]
    assert server.task(task_id)["state"] == "queued"
    port = free_port()
    worker = house.run("worker", "--port", str(port), PORTICO_SIMULATE="1")
    house.wait_for(worker, "runs tasks")

    assert server.ended(task_id)["state"] == "succeeded"
    again = server.post("/portico/v1/generate", json=PICTURE)  # waits, and hears of the end

    assert again.status_code == 200, again.text
    assert requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    assert requests.get(f"http://127.0.0.1:{port}/portico/v1/balance", timeout=5).status_code == 404
    worker.terminate()
    assert worker.wait(30) == 0
    assert house.sound()


def test_worker_takes_only_the_queues_it_is_told(house):
    server = house.serve(PORTICO_QUEUES="")
    task_id = server.post("/portico/v1/tasks", json=PICTURE).json()["task"]["id"]
    upstream = house.run("worker", "--queues", "upstream")
    house.wait_for(upstream, "runs tasks")
    for _ in until(4):
        assert server.task(task_id)["state"] == "queued"
    text = requests.get(f"{server.url}/metrics", timeout=5).text
    assert 'portico_tasks_waiting{queue="render"} 1.0' in text
    house.run("worker", "--queues", "render")
    assert server.ended(task_id)["state"] == "succeeded"


def test_readiness_goes_first_and_requests_are_answered_while_it_drains(house):
    server = house.serve(PORTICO_SIMULATE="1", PORTICO_DRAIN_S="3")
    with requests.Session() as session:
        assert session.get(f"{server.url}/readyz", timeout=5).status_code == 200
        server.process.terminate()
        answer = requests.get(f"{server.url}/readyz", timeout=5)
        for _ in until(2):
            if answer.status_code == 503:
                break
            answer = requests.get(f"{server.url}/readyz", timeout=5)
        assert answer.json()["failing"] == ["stopping"]
        kept = session.get(f"{server.url}/portico/v1/balance", headers=server.headers, timeout=5)
    assert kept.status_code == 200
    assert kept.headers["connection"] == "close"
    assert server.process.wait(30) == 0


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (("serve", "--workers", "2"), {"PORTICO_DATABASE_URL": ""}, "PORTICO_DATABASE_URL"),
        (("serve", "--workers", "2", "--demo"), {}, "--demo"),
        (("serve", "--workers", "0"), {}, "from 1 to 64"),
        (("serve", "--port", "0"), {"PORTICO_QUEUES": "renders"}, "PORTICO_QUEUES"),
        (("serve", "--port", "0", "--workers", "2"), {"PORTICO_QUEUES": "x"}, "did not start"),
        (
            ("serve", "--port", "0"),
            {"PORTICO_DATABASE_URL": "", "PORTICO_QUEUES": "render"},
            "Postgres",
        ),
        (("worker",), {"PORTICO_DATABASE_URL": ""}, "PORTICO_DATABASE_URL"),
        (("worker", "--queues", ""), {}, "--queues"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(house, arguments, environment, words):
    process = house.run(*arguments, **environment)
    assert process.wait(60) != 0
    log = house.log_of(process)
    assert words in log
    assert "Traceback" not in log
