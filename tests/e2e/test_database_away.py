"""The database crashes under load and comes back (F27): nothing acknowledged is lost."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.running import Server, make_account, running, until, use_database, verify
from tests.hostile.shapes import check_error
from tests.postgres import Postgres
from tests.postgres import running as running_postgres

pytestmark = pytest.mark.e2e
CREDITS = 100_000
WITHIN_S = 5.0
AWAY_S = 8.0  # longer than anybody waits for an answer
BUSY = {  # a read of each dialect, and the status it has for "come back later"
    "xiaoyang": ("/api/v1/tasks/17", 502),
    "xpilot": ("/api/v1/video/17", 500),
    "apixo": ("/api/v1/statusTask/wan-2-5?taskId=task_17", 503),
    "yuanjing": ("/llmage/tasks?taskid=17", 503),
    "openai": ("/v1/videos/17", 503),
    "portico": ("/portico/v1/tasks/17", 503),
}


@pytest.fixture
def database() -> Iterator[Postgres]:
    """A server of this test's own: it is going to crash."""
    with running_postgres() as server:
        yield server


def submit_until(server: Server, enough: threading.Event, acknowledged: list[str]) -> None:
    while not enough.is_set():
        with contextlib.suppress(requests.RequestException):
            answer = server.post("/portico/v1/tasks", json={"prompt": "a lake"})
            if answer.status_code == 202:
                acknowledged.append(answer.json()["task"]["id"])
            else:
                assert answer.status_code == 503, answer.text
                time.sleep(0.05)


def check_away(server: Server) -> None:
    for dialect, (path, status) in BUSY.items():
        begun = time.monotonic()
        answer = server.get(path)
        took_s = time.monotonic() - begun
        assert answer.status_code == status, (path, answer.text)
        check_error(dialect, status, answer.headers, answer.content)
        assert took_s < WITHIN_S, path
    begun = time.monotonic()
    answer = server.post("/portico/v1/tasks", json={"prompt": "a lake"})
    assert answer.status_code == 503
    assert time.monotonic() - begun < WITHIN_S
    assert server.get("/healthz").status_code == 200
    assert server.get("/readyz").status_code == 503


@pytest.mark.slow
def test_database_that_crashes_under_load_costs_no_acknowledged_task(
    database: Postgres, tmp_path: Path
) -> None:
    use_database(tmp_path, database.fresh())
    key = make_account(tmp_path, balance=CREDITS)
    acknowledged: list[str] = []
    enough = threading.Event()
    with running(tmp_path, key, PORTICO_SIMULATE="latency=0.5s") as server:
        crowd = [
            threading.Thread(target=submit_until, args=(server, enough, acknowledged))
            for _ in range(4)
        ]
        for each in crowd:
            each.start()
        for _ in until(20):
            if len(acknowledged) >= 40:
                break
        crashed_at = time.monotonic()
        database.stop(signal.SIGQUIT)
        check_away(server)
        time.sleep(max(0.0, AWAY_S - (time.monotonic() - crashed_at)))
        before = len(acknowledged)
        database.start()
        for _ in until(WITHIN_S):
            if len(acknowledged) > before:
                break
        served_again = len(acknowledged) > before
        enough.set()
        for each in crowd:
            each.join(30)
        assert served_again
        assert server.get("/readyz").status_code == 200
        ended = [server.ended(each) for each in acknowledged]
        balance = server.get("/portico/v1/balance").json()

    assert before >= 40
    assert {task["state"] for task in ended} == {"succeeded"}
    assert balance["held"] == "0"
    assert verify(tmp_path) == []
