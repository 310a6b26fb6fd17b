"""The documentation stays in step with the code."""

import re
import subprocess

import pytest

from tests.architecture.house import DOCS, ROOT, pages, runnable_blocks, setting_names, shown

DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
PAGES = pages()
PAGES_THAT_RUN = [page for page in PAGES if runnable_blocks(page)]
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
SCREEN_LINES = 60
README_LINES_MAX = 150


def test_every_setting_is_documented():
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    assert {name for name in setting_names() if f"`{name}`" not in page} == set()


def test_every_documented_setting_exists():
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(PORTICO_[A-Z0-9_]+)`", page))
    assert named - setting_names() == set()


def test_decisions_are_numbered_without_gaps():
    numbers = [int(path.name[:4]) for path in DECISIONS]
    assert numbers == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_decision_fits_one_screen_and_has_its_four_parts(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= SCREEN_LINES
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == [
        "Context",
        "Decision",
        "Consequences",
        "Alternatives",
    ]


def test_decision_list_names_every_decision():
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in DECISIONS if path.name not in index] == []


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_links_lead_somewhere(path):
    targets = LINK.findall(path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES_THAT_RUN, ids=shown)
def test_runnable_examples_are_sound_shell(page):
    code = "\n".join(runnable_blocks(page))
    read = subprocess.run(["bash", "-n"], input=code, text=True, capture_output=True, check=False)
    assert read.stderr == ""
    assert re.findall(r"https?://", code) == []  # only "$URL"


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_every_mark_stands_on_a_shell_block(path):
    marks = re.findall(r"^<!-- runs -->$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(marks) == len(runnable_blocks(path))


def test_each_dialect_has_a_first_call_that_runs():
    code = "\n".join(runnable_blocks(ROOT / "README.md"))
    for path in ("/api/v1/me", "/api/v1/image/generate", "/api/v1/generateTask", "/llmage/v1/chat"):
        assert f"$URL{path}" in code


def test_changelog_has_a_place_for_what_comes_next():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in text


def test_readme_fits_two_screens_and_begins_with_how_to_start():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= README_LINES_MAX
    assert "make run" in "\n".join(lines[:15])


def test_makefile_stays_small():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):.*## ", text, flags=re.MULTILINE)
    assert targets[0] == "help"
    assert len(targets) <= 12
