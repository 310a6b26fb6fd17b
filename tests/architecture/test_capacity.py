"""The page about scale shows what its script says, and the script's arithmetic holds together."""

import re
import subprocess
import sys

import pytest

from tests.architecture.house import ROOT

PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```text\n\$ (scripts/capacity\.py[^\n]*)\n(.*?)```", PAGE, re.DOTALL)


def capacity(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "capacity.py", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def figure(said: str, name: str) -> float:
    (found,) = re.findall(rf"^{re.escape(name)}\s+([\d,.]+)", said, re.MULTILINE)
    return float(found.replace(",", ""))


def test_page_has_an_example_of_each_size():
    assert len(SHOWN) == 3


@pytest.mark.parametrize(("command", "shown"), SHOWN)
def test_shown_figures_are_the_scripts_own(command, shown):
    assert capacity(*command.split()[1:]) == shown


def test_more_than_one_writer_can_do_is_divided_into_cells():
    few, many = capacity("--tasks", "100"), capacity("--tasks", "10000")
    cells = "cells (databases with tenants of their own)"
    assert figure(few, cells) == 1
    assert figure(many, cells) > 1
    assert figure(many, "the one writer of a cell is busy") <= 60


def test_own_costs_change_the_figures_and_unknown_ones_are_refused():
    assert figure(
        capacity("--tasks", "5000", "--cost", "submit_api_us=4000"), "API processes a cell"
    ) > figure(capacity("--tasks", "5000"), "API processes a cell")
    with pytest.raises(subprocess.CalledProcessError):
        capacity("--cost", "coffee=1")
