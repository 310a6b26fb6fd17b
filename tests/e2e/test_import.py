"""An import killed anywhere and run again ends as one that was never killed; its keys work."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from portico.store import open_store
from tests.e2e.running import child_environment, running, verify
from tests.full_rows import in_thread, row_values
from tests.predecessors import CLIENT_KEY, make_sqlite

pytestmark = pytest.mark.e2e
RUNS_MAX = 20
WITHIN_S = 60
VOLATILE = {"accounts": {4}, "api_keys": {6, 8}, "ledger_entries": {9}}  # when it was made
SEALED = {"credentials": {3, 4, 11, 13, 14}}  # never the same twice, and when


@pytest.fixture
def source(tmp_path: Path) -> str:
    return str(make_sqlite(tmp_path / "one.db"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def bring_over(data: Path, source: str, fault: str = "") -> int:
    ran = subprocess.run(
        [sys.executable, "-m", "portico", "import", "new-api", source, "--data", str(data)],
        env=child_environment() | {"PORTICO_CATALOGUE": str(data / "cat"), "PORTICO_FAULT": fault},
        cwd=data,
        capture_output=True,
        check=False,
        timeout=WITHIN_S,
    )
    return ran.returncode


def what_there_is(data: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return every row, without what differs from one run to the next."""

    async def look():
        store = await open_store(f"sqlite:///{data / 'portico.db'}")
        try:
            return await store.survey(row_values)
        finally:
            await store.close()

    left_out = VOLATILE | SEALED
    return {
        table: sorted(
            tuple(v for place, v in enumerate(row) if place not in left_out.get(table, ()))
            for row in rows
        )
        for table, rows in in_thread(look()).items()
        if table != "runners"
    }


@pytest.mark.parametrize(
    ("point", "met"),
    [("import.before_commit", 5), ("import.after_commit", 5), ("price.before_rename", 1)],
)
def test_killed_import_run_again_is_as_if_it_never_was(
    data: Path, source: str, tmp_path: Path, point: str, met: int
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    assert bring_over(whole, source) == 0

    kills, code = 0, -signal.SIGKILL
    for _ in range(RUNS_MAX):  # later and later, until a run meets the point no more
        code = bring_over(data, source, f"{point}:kill:{kills + 1}")
        if code == 0:
            break
        assert code == -signal.SIGKILL
        kills += 1
        assert verify(data) == []
    assert (code, kills >= met) == (0, True)
    assert bring_over(data, source) == 0

    assert verify(data) == []
    assert what_there_is(data) == what_there_is(whole)
    name = "imported-new-api.toml"
    assert (data / "cat" / name).read_bytes() == (whole / "cat" / name).read_bytes()


def test_key_of_a_client_works_unchanged(data: Path, source: str) -> None:
    assert bring_over(data, source) == 0
    with running(data, CLIENT_KEY, PORTICO_CATALOGUE=str(data / "cat")) as server:
        balance = server.get("/portico/v1/balance")
        models = server.get("/v1/models").json()["data"]
    assert balance.json() == {"available": "100000", "held": "0"}
    assert {"all-in", "gpt-4o", "my-llama"} <= {each["id"] for each in models}
