"""What the README and the pages of `docs/` show works as it is shown."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from portico.app import build_dialects
from portico.core.errors import ErrorCode, PorticoError
from portico.settings import Settings
from tests.architecture.house import DOCS, ROOT, pages, runnable_blocks, shown
from tests.e2e.running import child_environment
from tests.e2e.test_cli import COMMAND, Demo, demo

pytestmark = pytest.mark.e2e

WITHIN_S = 120
QUICKSTART = DOCS / "quickstart.md"
PAGES = [page for page in pages() if runnable_blocks(page)]
TOOLS_THERE = all(map(shutil.which, ("bash", "curl", "jq")))
needs_tools = pytest.mark.skipif(not TOOLS_THERE, reason="needs bash, curl and jq")
SERVES_FOR_EVER = re.compile(r"\s*&&\s*\.venv/bin/portico serve")
STATUS_COLUMNS = {  # of the table in docs/dialects.md
    "No credits": ErrorCode.INSUFFICIENT_CREDITS,
    "Bad key": ErrorCode.UNAUTHENTICATED,
    "Suspended": ErrorCode.ACCOUNT_SUSPENDED,
    "Unknown task": ErrorCode.TASK_NOT_FOUND,
    "Too many requests": ErrorCode.RATE_LIMITED,
}


def bash(code: str, server: Demo, folder: Path) -> str:
    """Run shell code as CONTRIBUTING.md says; returns what it printed."""
    path = f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        env=child_environment() | {"URL": server.url, "KEY": server.key, "PATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "empty"
    made.mkdir()
    return made


@needs_tools
@pytest.mark.parametrize("page", [page for page in PAGES if page != QUICKSTART], ids=shown)
def test_examples_of_a_page_run_in_order(page, kind, request, folder, tmp_path):
    own = {"PORTICO_SIMULATE": "1"}
    if kind == "postgres":
        own["PORTICO_DATABASE_URL"] = request.getfixturevalue("database")
    with demo(tmp_path / "data", **own) as server:
        bash("\n".join(runnable_blocks(page)), server, folder)


@needs_tools
@pytest.mark.slow
def test_quickstart_ends_with_the_video_it_asked_for(folder, tmp_path):
    import av

    with demo(tmp_path / "data") as server:
        bash("\n".join(runnable_blocks(QUICKSTART)), server, folder)
        with av.open(folder / "portico.mp4") as video:
            pictures, (sound,) = video.streams.video[0], video.streams.audio
            assert pictures.codec_context.name == "h264"
            assert pictures.width / pictures.height == pytest.approx(16 / 9, rel=0.01)
            assert pictures.average_rate in {24, 25, 30}
            assert video.duration / av.time_base == pytest.approx(4, abs=0.1)
            assert sound.codec_context.name == "aac"
            frames = sum(1 for _ in video.decode(pictures))
            assert frames == pytest.approx(4 * pictures.average_rate, abs=1)
        assert bash(f"{COMMAND} ledger verify --data {tmp_path}/data", server, folder)


def commands(page: Path) -> list[str]:
    """Return the lines of a page that call the installed command, those that end alone."""
    blocks = re.findall(r"^```bash\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [
        SERVES_FOR_EVER.sub("", line).replace(".venv/bin/portico", str(COMMAND))
        for block in blocks
        for line in block.splitlines()
        if line.startswith(".venv/bin/portico")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in pages() if commands(page)], ids=shown)
def test_commands_of_a_page_work_as_they_are_shown(page, tmp_path):
    with demo(tmp_path / "portico-data", PORTICO_SIMULATE="1") as server:
        port = f"export PORTICO_PORT={server.url.rpartition(':')[2]}"
        bash("\n".join([port, *commands(page)]), server, tmp_path)


def test_table_of_statuses_says_what_dialects_answer():
    text = (DOCS / "dialects.md").read_text("utf-8")
    (table,) = re.findall(r"^\| \| No credits .*?(?=\n\n)", text, re.MULTILINE | re.DOTALL)
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()
    ]
    dialects = {each.name: each for each in build_dialects(Settings())}
    codes = [STATUS_COLUMNS[name] for name in head[1:]]

    assert {name for name, *_ in rows} == set(dialects)
    for name, *cells in rows:
        errors = [PorticoError(code, "") for code in codes]
        assert [str(dialects[name].render_error(each).status_code) for each in errors] == cells


def test_table_of_dialects_names_paths_that_exist():
    rows = re.findall(
        r"^\| (\w+) \| (`/.*?) \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE
    )
    dialects = {each.name: each for each in build_dialects(Settings())}

    assert {name for name, _ in rows} == set(dialects)
    for name, cell in rows:
        there = "\n".join(re.sub(r"{\w+}", "{}", each.path) for each in dialects[name].routes)
        for path in re.findall(r"`(/[^`]+)`", cell):
            assert re.sub(r"{\w+}", "{}", path).rstrip("*") in there, path
