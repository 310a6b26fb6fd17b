"""Several processes on one port, and workers beside them: real processes, a real Postgres."""

import os
import signal
import sys

import pytest
import requests

from tests.e2e.clients import PICTURE, settled, under_load
from tests.e2e.house import children_of, is_alive
from tests.e2e.running import READY_S, free_port, until

pytestmark = pytest.mark.e2e

FINAL = {"succeeded", "failed", "cancelled", "expired"}


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


@pytest.mark.parametrize("point", ["take.before_commit", "take.after_commit"])
def test_one_that_dies_while_it_takes_a_task_is_relieved(house, point):
    server = house.serve(PORTICO_QUEUES="", PORTICO_SIMULATE="1")
    taker = house.run("worker", PORTICO_SIMULATE="1", PORTICO_FAULT=f"{point}:kill")
    house.wait_for(taker, "runs tasks")
    tasks = [server.post("/portico/v1/tasks", json=PICTURE).json()["task"]["id"] for _ in range(3)]
    assert taker.wait(20) == -signal.SIGKILL
    house.wait_for(house.run("worker", PORTICO_SIMULATE="1"), "runs tasks")

    assert set(settled(server, tasks, within_s=60)) == {"succeeded"}
    assert server.get("/portico/v1/balance").json()["held"] == "0"
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
