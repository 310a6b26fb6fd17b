"""The documentation stays in step with the code."""

import re

import pytest

from tests.architecture.house import DOCS, ROOT, setting_names, shown

DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
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
