"""A command connects an upstream to a server that runs, and takes it away again; no restart."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.running import Server, child_environment, make_account, running, until

pytestmark = pytest.mark.e2e

SECRET = "sk-canary-e2e"
WITHIN_S = 2.0  # what the page promises
MODEL = """
[[models]]
id = "acme-text"
title = "Acme"
kind = "text"
provider_label = "acme"
routes = [{ provider = "openai_like", upstream_model = "gpt-4o" }]

[[offerings]]
dialects = ["openai"]
name = "acme-text"
model = "acme-text"
price = { rule = "per_llm_token", input = "1", output = "1" }
"""
ASK = {"model": "acme-text", "messages": [{"role": "user", "content": "Who?"}], "max_tokens": 50}


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[str]:
    """The base URL of an emulated upstream."""
    command = [sys.executable, "-m", "portico", "emulate", "openai", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


def answered(server: Server, status: int) -> requests.Response:
    """Ask for a text until it is answered so, within what the page promises."""
    answer = server.post("/v1/chat/completions", json=ASK)
    for _ in until(WITHIN_S):
        if answer.status_code == status:
            break
        answer = server.post("/v1/chat/completions", json=ASK)
    assert answer.status_code == status, answer.text
    return answer


@pytest.mark.slow
def test_upstream_is_connected_and_removed_beside_a_running_server(data, upstream):
    key = make_account(data)
    folder = data / "catalogue"
    folder.mkdir()
    (folder / "acme.toml").write_text(MODEL)
    address = upstream.split("/")[2]
    given = {"PORTICO_PRIVATE_HOSTS": address, "PORTICO_CATALOGUE": str(folder)}

    def command(*words: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "portico", "provider", *words, "--data", str(data)],
            env=child_environment() | given | {"UPSTREAM_KEY": SECRET},
            cwd=data,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return ran.stdout + ran.stderr

    with running(data, key, **given) as server:
        before = server.post("/v1/chat/completions", json=ASK)
        said = command(
            "add", "main", "--provider", "openai_like", "--base-url", upstream,
            "--secret-from-env", "UPSTREAM_KEY",
        )  # fmt: skip
        text = answered(server, 200).json()["choices"][0]["message"]["content"]
        said += command("disable", "main")
        answered(server, before.status_code)
        said += command("enable", "main")
        answered(server, 200)
        said += command("list") + command("show", "main", "--json") + command("remove", "main")
        answered(server, before.status_code)

    assert before.status_code >= 400
    assert text == "This is an emulated answer."
    log = server.log.read_text()
    assert "credential_connected" in log
    assert SECRET not in said + log
