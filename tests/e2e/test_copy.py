"""A database moved to the other kind and back: killed on the way, and served afterwards."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.flows.administer import differences
from portico.store import Store, open_store
from portico.store.copying import count_rows
from portico.testing import make_database
from tests.e2e.running import Server, child_environment, make_account, running
from tests.full_rows import fill, in_thread, row_values
from tests.postgres import Postgres

pytestmark = pytest.mark.e2e
CREDITS = 10_000
PRICE = 5
COPIED_WITHIN_S = 60


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def blank(postgres: Postgres) -> Iterator[str]:
    """A Postgres database without a schema."""
    postgres.command("CREATE DATABASE moved")
    yield postgres.url("moved")
    postgres.drop(postgres.url("moved"))


@pytest.fixture(params=["to postgres", "to sqlite"])
def way(request, blank: str, tmp_path: Path) -> tuple[str, str]:
    """A full database, and one of the other kind that is not there yet."""
    make_database(tmp_path / "full.db")
    full, other = f"sqlite:///{tmp_path / 'full.db'}", f"sqlite:///{tmp_path / 'other.db'}"
    in_thread(with_store(full, lambda store: store.write(fill)))
    if request.param == "to postgres":
        return full, blank
    assert copy(full, blank).returncode == 0
    return blank, other


def copy(
    source: str, target: str, *options: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "portico", "copy", "--from", source, "--to", target, *options],
        env=child_environment() | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=COPIED_WITHIN_S,
    )


async def with_store(url: str, work):
    store: Store = await open_store(url)
    try:
        return await work(store)
    finally:
        await store.close()


def look(url: str, work):
    return in_thread(with_store(url, lambda store: store.survey(work)))


def submit(server: Server) -> str:
    answer = server.post("/portico/v1/tasks", json={"prompt": "a lake"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task"]["id"])


@pytest.mark.parametrize("fault", ["copy.after_batch:kill:4", "copy.before_commit:kill"])
def test_killed_copy_leaves_the_target_empty_and_runs_again(way, fault):
    source, target = way
    rows = look(source, row_values)
    killed = copy(source, target, PORTICO_FAULT=fault)
    assert killed.returncode == -signal.SIGKILL
    assert look(source, row_values) == rows
    assert not any(look(target, count_rows).values())

    again = copy(source, target)
    assert (again.returncode, again.stderr) == (0, "")
    assert look(target, row_values) == rows


def test_server_goes_on_where_the_other_stopped(data, blank):
    key = make_account(data, balance=CREDITS)
    first, third = f"sqlite:///{data / 'portico.db'}", f"sqlite:///{data / 'third.db'}"
    simulated = {"PORTICO_SIMULATE": "latency=2s"}
    ids: list[str] = []
    for source, target in ((first, blank), (blank, third)):
        with running(data, key, **simulated, PORTICO_DATABASE_URL=source) as server:
            ids += [submit(server) for _ in range(5)]
            server.kill()
        ran = copy(source, target)
        assert (ran.returncode, ran.stderr) == (0, "")
    with running(data, key, **simulated, PORTICO_DATABASE_URL=third) as server:
        ids.append(submit(server))
        ended = [server.ended(each) for each in ids]
        balance = server.get("/portico/v1/balance").json()

    assert len(set(ids)) == 11
    assert {each["state"] for each in ended} == {"succeeded"}
    assert balance == {"available": str(CREDITS - PRICE * len(ids)), "held": "0"}
    assert look(third, differences) == []


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_database_that_is_served_is_copied_only_when_asked(data, blank, tmp_path, kind):
    key = make_account(data, balance=CREDITS)
    source = f"sqlite:///{data / 'portico.db'}"
    if kind == "postgres":
        assert copy(source, blank).returncode == 0
        source = blank
    target = f"sqlite:///{tmp_path / 'copy.db'}"
    with running(data, key, PORTICO_SIMULATE="1", PORTICO_DATABASE_URL=source) as server:
        server.ended(submit(server))
        refused = copy(source, target)
        copied = copy(source, target, "--while-running")
        server.ended(submit(server))
        into = copy(f"sqlite:///{tmp_path / 'copy.db'}", source)

    assert (refused.returncode, into.returncode) == (1, 1)
    assert "is in use: stop the server first" in refused.stderr
    assert "is in use: stop what uses it first" in into.stderr
    assert copied.returncode == 0, copied.stderr
    assert "stays behind" in copied.stderr
    assert look(target, count_rows)["tasks"] == 1
    assert look(target, differences) == []
