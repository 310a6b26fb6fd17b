"""Stopped, killed, restored from a copy: what was accepted goes on, and the books stay exact."""

import contextlib
import json
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from portico.flows import administer
from portico.store.sqlite import back_up
from tests.e2e.running import (
    EMAIL,
    Server,
    make_account,
    running,
    start,
    until,
    use_database,
    verify,
    with_desk,
)
from tests.postgres import Postgres

pytestmark = pytest.mark.e2e

SHORT_VIDEO = {
    "model": "portico/scene-fast",
    "prompt": "a lake at dawn",
    "params": {"duration": 1, "size": "640x640", "audio": False},
}
CHAT = {"model": "portico-echo", "messages": [{"role": "user", "content": "Hello"}]}


def submit(server: Server, body: dict[str, Any] | None = None) -> str:
    answer = server.post("/portico/v1/tasks", json=body or {"prompt": "a lake"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task"]["id"])


def stop(server: Server) -> int:
    server.process.send_signal(signal.SIGTERM)
    return server.process.wait(30)


def reaches(server: Server, task_id: str, state: str) -> dict[str, Any]:
    task: dict[str, Any] = {}
    for _ in until(30):
        task = server.task(task_id)
        if task["state"] == state:
            return task
    message = f"never {state}: {task}"
    raise AssertionError(message)


def test_tasks_go_on_after_an_orderly_stop(data):
    key = make_account(data)
    with running(data, key, PORTICO_SIMULATE="latency=3s") as server:
        ids = [submit(server) for _ in range(20)]
        reaches(server, ids[-1], "running")
        assert stop(server) == 0
    with running(data, key, PORTICO_SIMULATE="latency=3s") as server:
        ended = [server.ended(each) for each in ids]
        balance = server.get("/portico/v1/balance").json()

    assert {each["state"] for each in ended} == {"succeeded"}
    assert balance == {"available": str(10_000 - 20 * 5), "held": "0"}
    assert verify(data) == []


def test_stream_under_way_ends_whole_at_an_orderly_stop(data):
    key = make_account(data)
    with running(data, key, PORTICO_SIMULATE="latency=2s") as server:
        with requests.post(
            f"{server.url}/v1/chat/completions",
            headers=server.headers,
            json=CHAT | {"stream": True},
            stream=True,
            timeout=30,
        ) as answer:
            server.process.send_signal(signal.SIGTERM)
            lines = [line for line in answer.iter_lines() if line]
        assert server.process.wait(30) == 0

    assert lines[-1] == b"data: [DONE]"
    assert verify(data) == []
    (left, held) = balance_in(data)
    assert held == 0
    assert left < 10_000 * 10**6


def test_text_cut_by_a_kill_is_refunded_at_the_next_start(data):
    key = make_account(data)
    server = start(data, key, PORTICO_SIMULATE="latency=60s")
    asking = threading.Thread(target=quietly(server.post), args=("/v1/chat/completions",),
                              kwargs={"json": CHAT})  # fmt: skip
    asking.start()
    for _ in until(10):
        if server.get("/portico/v1/balance").json()["held"] != "0":
            break
    server.kill()
    asking.join(10)
    assert balance_in(data)[1] > 0
    with running(data, key, PORTICO_SIMULATE="1") as server:
        balance = server.get("/portico/v1/balance").json()

    assert balance == {"available": "10000", "held": "0"}
    assert verify(data) == []


@pytest.mark.slow
def test_renders_killed_midway_end_in_real_videos(data, tmp_path):
    import av

    key = make_account(data)
    server = start(data, key)
    ids = [submit(server, SHORT_VIDEO) for _ in range(3)]
    reaches(server, ids[0], "running")
    server.kill()
    with running(data, key) as server:
        for each in ids:
            task = server.ended(each)
            assert (task["state"], task["charged"]) == ("succeeded", "0.5")
            film = tmp_path / f"{each}.mp4"
            film.write_bytes(server.get(f"/portico/v1/tasks/{each}/download").content)
            with av.open(film) as video:
                stream = video.streams.video[0]
                assert (stream.codec_context.name, stream.width) == ("h264", 640)
                assert video.duration / av.time_base == pytest.approx(1, abs=0.1)
        for _ in until(5):
            if not work_folders(data):
                break
        assert server.get("/portico/v1/balance").json() == {"available": "9998.5", "held": "0"}

    assert work_folders(data) == []
    assert verify(data) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
def test_kill_leaves_no_render_behind(data):
    key = make_account(data)
    server = start(data, key)
    submit(server, SHORT_VIDEO | {"params": {"duration": 15, "resolution": "1080p"}})
    children: set[int] = set()
    for _ in until(20):
        children = set(children_of(server.process.pid))
        if children:
            break
    assert children
    server.kill()
    for _ in until(20):
        if not any(is_alive(pid) for pid in children):
            return
    message = f"still there: {[pid for pid in children if is_alive(pid)]}"
    raise AssertionError(message)


class OnSqlite:
    """Copied by Portico itself; a copy is put in the place of the database."""

    def copy(self, data: Path, target: Path) -> None:
        back_up(data / "portico.db", target)

    def restore(self, copy: Path, folder: Path) -> None:
        copy.rename(folder / "portico.db")


class OnPostgres:
    """Copied by Postgres's own tools, as `portico backup` says, into an empty database."""

    def __init__(self, server: Postgres, url: str) -> None:
        self.server, self.url = server, url

    def copy(self, data: Path, target: Path) -> None:
        self._run("pg_dump", "--format=custom", f"--file={target}", self.url)

    def restore(self, copy: Path, folder: Path) -> None:
        url = self.server.fresh("template0")
        self._run("pg_restore", "--exit-on-error", f"--dbname={url}", copy)
        use_database(folder, url)

    def _run(self, tool: str, *arguments: str | Path) -> None:
        subprocess.run([self.server.binaries / tool, *arguments], check=True, timeout=60)


@pytest.fixture
def kept(request, kind: str) -> OnSqlite | OnPostgres:
    """Who copies the database and restores copies."""
    if kind == "sqlite":
        return OnSqlite()
    server: Postgres = request.getfixturevalue("postgres")
    return OnPostgres(server, request.getfixturevalue("database"))


def test_copy_made_under_load_restores_to_a_sound_ledger(data, tmp_path, kept):
    key = make_account(data)
    copies = [tmp_path / f"copy-{number}" for number in range(3)]
    with running(data, key, PORTICO_SIMULATE="latency=0.05s") as server:
        busy = threading.Event()
        crowd = [threading.Thread(target=submit_until, args=(server, busy)) for _ in range(4)]
        for each in crowd:
            each.start()
        for copy in copies:
            kept.copy(data, copy)
        busy.set()
        for each in crowd:
            each.join(30)
        tasks = len(server.get("/portico/v1/tasks").json()["tasks"])
    assert tasks > 0

    folders = [tmp_path / f"restored-{number}" for number in range(len(copies))]
    for folder, copy in zip(folders, copies, strict=True):
        folder.mkdir()
        kept.restore(copy, folder)
        assert verify(folder) == []
    restored = folders[-1]
    with running(restored, key, PORTICO_SIMULATE="1") as server:
        for task in server.get("/portico/v1/tasks").json()["tasks"]:
            assert server.ended(task["id"])["state"] == "succeeded"
        assert server.get("/portico/v1/balance").json()["held"] == "0"
    assert verify(restored) == []


def test_operators_word_counts_from_the_next_request_on(data):
    key = make_account(data)
    with running(data, key, PORTICO_SIMULATE="latency=60s") as server, keep_alive(server) as ask:
        assert ask() == 200
        suspend(data, suspended=True)
        assert ask() == 403
        suspend(data, suspended=False)
        assert ask() == 200
        with_desk(data, lambda desk: administer.revoke_key(desk, key))
        assert ask() == 401


def test_suspended_account_keeps_what_it_was_promised(data):
    key = make_account(data)
    with running(data, key, PORTICO_SIMULATE="latency=2s") as server:
        task_id = submit(server)
        suspend(data, suspended=True)
        refused = server.post("/portico/v1/tasks", json={"prompt": "a lake"})
        for _ in until(20):
            if balance_in(data)[1] == 0:
                break
        suspend(data, suspended=False)
        task = server.task(task_id)

    assert refused.status_code == 403
    assert (task["state"], task["charged"]) == ("succeeded", "5")
    assert verify(data) == []


def balance_in(data: Path) -> tuple[int, int]:
    async def look(desk: administer.Desk) -> tuple[int, int]:
        balance = (await administer.show_account(desk, EMAIL)).balance
        return balance.available, balance.held

    found: tuple[int, int] = with_desk(data, look)
    return found


def suspend(data: Path, *, suspended: bool) -> None:
    with_desk(data, lambda desk: administer.set_suspended(desk, EMAIL, suspended=suspended))


def submit_until(server: Server, enough: threading.Event) -> None:
    while not enough.is_set():
        submit(server)


def quietly(call: Callable[..., Any]) -> Callable[..., None]:
    """Let a call end in silence when its server is killed."""

    def work(*given: Any, **named: Any) -> None:
        with contextlib.suppress(requests.RequestException):
            call(*given, **named)

    return work


@contextlib.contextmanager
def keep_alive(server: Server):
    """Ask for the balance again and again over one connection; yields how, giving the status."""
    with requests.Session() as session:

        def ask() -> int:
            answer = session.get(
                f"{server.url}/portico/v1/balance", headers=server.headers, timeout=10
            )
            assert isinstance(json.loads(answer.text), dict)
            return answer.status_code

        yield ask


def work_folders(data: Path) -> list[str]:
    folder = data / "work"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def children_of(pid: int) -> list[int]:
    """Return the processes another one has started; from the kernel's own list."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(each) for each in task.read_text().split()]
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
