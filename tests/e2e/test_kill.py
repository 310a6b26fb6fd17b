"""A process killed at any named point loses no acknowledged task and charges nobody twice."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import requests

from portico.core.faults import FAULT_POINTS
from portico.core.money import parse_credits
from tests.e2e.running import EMAIL, Server, child_environment, make_account, start, verify

pytestmark = pytest.mark.e2e
CREDITS = 10_000
FIRST_KILL_WITHIN = 2  # runs; sweeps have work only once there are results
RUNS_MAX = 60
ONLY_BY_COMMAND = {  # see test_copy and test_import
    "top_up.after_commit", "copy.after_batch", "copy.before_commit", "import.before_commit",
    "import.after_commit", "price.before_rename",
}  # fmt: skip
ONLY_AMONG_SEVERAL = {  # see test_processes
    "take.before_commit", "take.after_commit", "bury.before_commit", "bury.after_commit",
}  # fmt: skip
ONLY_WITH_OLD_TASKS = {  # see test_retention
    "roll_up.before_commit", "roll_up.after_commit", "remove.before_commit", "remove.after_commit",
}  # fmt: skip
MET_ELSEWHERE = ONLY_BY_COMMAND | ONLY_AMONG_SEVERAL | ONLY_WITH_OLD_TASKS
PICTURE = (files("portico.providers") / "samples" / "simulated.png").read_bytes()


@dataclass(slots=True)
class Host:
    """A host of media and a receiver of callbacks on this machine."""

    port: int
    received: list[str] = field(default_factory=list)

    @property
    def picture(self) -> str:
        return f"http://127.0.0.1:{self.port}/input.png"

    @property
    def callback(self) -> str:
        return f"http://127.0.0.1:{self.port}/callback"


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """Serve a picture and take callbacks."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(PICTURE)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            serving.received.append(self.headers["webhook-id"])
            self.answer(b"ok")

        def answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = Host(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield serving
    server.shutdown()
    server.server_close()


def work(server: Server, host: Host) -> list[str]:
    """Ask for one of everything; returns the ids of the tasks that were acknowledged."""
    acknowledged: list[str] = []
    with contextlib.suppress(requests.RequestException):
        video = server.post(
            "/api/v1/generateTask/wan-2-5",
            json={
                "request_type": "callback",
                "callback_url": host.callback,
                "input": {"mode": "text-to-video", "prompt": "the sea"},
            },
        )
        acknowledged.append(video.json()["data"]["taskId"])
        two_stages = server.post(
            "/api/v1/tasks",
            json={
                "modal_key": "img2vid_v30",
                "option_key": "5_off",
                "prompt": "pan",
                "image_url": host.picture,
                "enhance_4k": True,
            },
        )
        acknowledged.append(two_stages.json()["task_id"])
        cancelled = server.post("/portico/v1/tasks", json={"prompt": "hills"}).json()["task"]["id"]
        acknowledged.append(cancelled)
        server.post(f"/portico/v1/tasks/{cancelled}/cancel")
        server.post("/api/v1/text/generate", json={"prompt": "Hello"})
    return acknowledged


def all_ended(server: Server) -> list[dict[str, Any]]:
    """Wait until every task there is has ended, acknowledged or not; returns them."""
    found: list[dict[str, Any]] = []
    ends_at = time.monotonic() + 60
    while time.monotonic() < ends_at:
        found = server.get("/portico/v1/tasks").json()["tasks"]
        if all(task["finished_at"] for task in found):
            return found
        time.sleep(0.1)
    message = f"still open: {[task for task in found if not task['finished_at']]}"
    raise AssertionError(message)


def ended_by_itself(server: Server) -> bool:
    """Wait until nothing is left to do, or the process has died at its point; says which."""
    with contextlib.suppress(requests.RequestException):
        all_ended(server)
    try:  # the callback goes out just after the end
        server.process.wait(0.7)
    except subprocess.TimeoutExpired:
        return False
    return True


def environment(host: Host, point: str) -> dict[str, str]:
    """Return settings under which results go at once, so that sweeps have work at every start."""
    return {
        "PORTICO_SIMULATE": f"latency=0.1s,paid={int(point.startswith('start'))}",
        "PORTICO_PRIVATE_HOSTS": f"127.0.0.1:{host.port}",
        "PORTICO_RESULT_DAYS": "0",
        "PORTICO_XPILOT_SUBMITS_PER_MINUTE": "0",
    }


@pytest.mark.parametrize("point", sorted(set(FAULT_POINTS) - MET_ELSEWHERE))
def test_killed_at_a_point_every_acknowledged_task_ends(point: str, data: Path, host: Host) -> None:
    key = make_account(data, balance=CREDITS)
    settings = environment(host, point)
    acknowledged: list[str] = []
    kills, died = 0, True
    for run in range(RUNS_MAX):  # killed later and later, until a run meets the point no more
        server = start(data, key, **settings, PORTICO_FAULT=f"{point}:kill:{kills + 1}")
        if not kills:
            acknowledged += work(server, host)
        died = ended_by_itself(server)
        server.kill()
        kills += died
        if not died and (kills or run == FIRST_KILL_WITHIN):
            break
    server = start(data, key, **settings)
    ended = all_ended(server)
    balance = server.get("/portico/v1/balance").json()
    server.kill()

    assert kills, f"{point} was never reached"
    assert not died, f"{point} was met in every run"
    assert {each.removeprefix("task_") for each in acknowledged} <= {task["id"] for task in ended}
    assert {task["state"] for task in ended} <= {"succeeded", "cancelled", "failed"}
    charged = sum(parse_credits(task["charged"]) for task in ended)
    assert parse_credits(balance["available"]) == parse_credits(str(CREDITS)) - charged
    assert balance["held"] == "0"
    for task in ended:
        wanted = task["price"] if task["state"] == "succeeded" and task["kind"] != "text" else None
        assert wanted in {None, task["charged"]}
    assert verify(data) == []


def test_killed_after_a_grant_the_credits_are_there_once(data: Path) -> None:
    make_account(data, balance=5)
    command = ["credit", "grant", EMAIL, "7", "--reason", "test", "--data", str(data)]
    ran = subprocess.run(
        [sys.executable, "-m", "portico", *command],
        env=child_environment() | {"PORTICO_FAULT": "top_up.after_commit:kill"},
        cwd=data,
        check=False,
        timeout=60,
    )
    server = start(data, "")
    server.kill()

    assert ran.returncode < 0
    assert verify(data) == []
