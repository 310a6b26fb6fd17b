"""A process killed at any named point loses no acknowledged task and charges nobody twice."""

from pathlib import Path

import pytest
import requests
from tests.e2e.running import Server, make_account, running, start, verify

from portico.core.faults import FAULT_POINTS
from portico.core.money import MICRO

# points that only other work than a simulated task reaches; each has its own test below
NOT_ON_THE_WAY = {
    "gather.before_fetch",
    "top_up.after_commit",
    "file.before_write",
}
CREDITS = 10_000
VIDEO = {"model": "portico/scene", "prompt": "the sea", "params": {"duration": 1}}


def submit_everything(server: Server) -> list[str]:
    """Send one task of each kind; returns the ids that were acknowledged."""
    acknowledged = []
    for body in (VIDEO, {"model": "portico/picture", "prompt": "hills"}):
        try:
            answer = server.post("/portico/v1/tasks", json=body)
        except requests.ConnectionError:
            break
        if answer.status_code in {200, 202}:
            acknowledged.append(answer.json()["task"]["id"])
    return acknowledged


@pytest.mark.e2e
@pytest.mark.parametrize("point", FAULT_POINTS)
def test_killed_at_a_fault_point_every_acknowledged_task_ends(point: str, tmp_path: Path) -> None:
    key = make_account(tmp_path, credits=CREDITS)
    acknowledged: list[str] = []
    for count in range(1, 4):  # the first, second and third time the point is reached
        server = start(tmp_path, key, PORTICO_SIMULATE="1", PORTICO_FAULT=f"{point}:kill:{count}")
        acknowledged += submit_everything(server)
        try:
            for task_id in acknowledged:
                server.ended(task_id, within_s=5)
        except (requests.ConnectionError, AssertionError):
            pass
        met = server.process.poll() is not None
        server.kill()
        if not met:
            break
    with running(tmp_path, key, PORTICO_SIMULATE="1") as server:
        ended = [server.ended(task_id) for task_id in acknowledged]
        balance = server.get("/portico/v1/balance").json()
    assert {task["state"] for task in ended} <= {"succeeded"}
    charged = sum(round(float(task["charged"]) * MICRO) for task in ended)
    assert balance["held"] == "0"
    assert round(float(balance["available"]) * MICRO) <= CREDITS * MICRO - charged
    assert verify(tmp_path) == []
