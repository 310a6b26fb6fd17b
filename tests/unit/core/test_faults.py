"""Fault points: silent when off, exact when armed."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import portico
from portico.core import faults


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    faults.arm(None)


def test_point_does_nothing_when_nobody_armed_it():
    faults.reach("submit.before_commit")


def test_armed_action_hears_every_point():
    heard: list[str] = []
    faults.arm(heard.append)
    faults.reach("a")
    faults.reach("b")
    assert heard == ["a", "b"]


def test_error_comes_at_the_nth_time_only(monkeypatch):
    monkeypatch.setenv("PORTICO_FAULT", "settle.before_commit:error:3")
    faults.arm_from_environment()
    faults.reach("settle.before_commit")
    faults.reach("fail.before_commit")  # another point does not count
    faults.reach("settle.before_commit")
    with pytest.raises(OSError, match=r"settle\.before_commit"):
        faults.reach("settle.before_commit")
    faults.reach("settle.before_commit")


def test_unknown_point_is_refused(monkeypatch):
    monkeypatch.setenv("PORTICO_FAULT", "no.such_point")
    with pytest.raises(ValueError, match=r"no\.such_point"):
        faults.arm_from_environment()


def test_empty_environment_arms_nothing(monkeypatch):
    monkeypatch.delenv("PORTICO_FAULT", raising=False)
    faults.arm_from_environment()
    faults.reach("submit.before_commit")


def test_kill_ends_the_process_at_once():
    script = (
        "from portico.core import faults\n"
        "faults.arm_from_environment()\n"
        "faults.reach('file.before_rename')\n"
        "print('survived')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PORTICO_FAULT": "file.before_rename"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"")


def test_every_point_in_the_code_is_listed_and_every_listed_one_is_in_the_code():
    source = "\n".join(
        path.read_text()
        for path in Path(portico.__file__).parent.rglob("*.py")
        if path.name != "faults.py"
    )
    reached = set(re.findall(r'faults\.reach\("([^"]+)"\)', source))
    passed_on = {name for name in faults.FAULT_POINTS if f'point="{name}"' in source}
    assert reached | passed_on == set(faults.FAULT_POINTS)
