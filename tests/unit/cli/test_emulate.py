"""`portico emulate`: whose service, which faults, and that it listens until it is told to stop."""

import re
import subprocess
import sys

import pytest
import requests


@pytest.mark.parametrize("given", [(), ("nobody",)])
def test_unknown_service_is_answered_with_those_there_are(portico, given):
    ran = portico("emulate", *given)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "ark" in ran.err


def test_faults_are_listed_with_what_happens(portico):
    assert re.search(r"task_failed +F10 +the job fails", portico("emulate", "faults").out)


def test_unknown_fault_is_one_line(portico):
    ran = portico("emulate", "ark", "--fault", "nonsense")
    assert (ran.code, ran.err.count("\n")) == (1, 1)


def test_emulator_listens_until_it_is_told_to_stop(tmp_path):
    command = [sys.executable, "-m", "portico", "emulate", "openai", "--port", "0"]
    with subprocess.Popen(
        [*command, "--fault", "busy"], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as running:
        try:
            assert running.stdout is not None
            line = running.stdout.readline()
            base_url = line.split()[-1]
            assert line.startswith("openai is emulated at http://127.0.0.1:")
            assert ask(f"{base_url}/chat/completions", {"model": "m"}) == 400
            assert ask(f"{base_url}/videos", {"prompt": "sea"}) == 503
        finally:
            running.terminate()
        assert running.wait(10) == 0


def ask(url: str, body: dict[str, str]) -> int:
    headers = {"authorization": "Bearer k"}
    return requests.post(url, json=body, headers=headers, timeout=10).status_code
