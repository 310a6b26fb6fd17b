"""The installed command as its own process: it starts, says how to begin, and stops in order."""

import contextlib
import html
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.e2e.running import child_environment, make_account, running, until, verify
from tests.postgres import Postgres

pytestmark = pytest.mark.e2e

COMMAND = Path(sys.executable).with_name("portico")
CODES_OF_COLOUR = "\x1b["


@dataclass
class Demo:
    """A server started by `portico serve --demo`, and what it printed."""

    process: subprocess.Popen[str]
    banner: str
    data: Path

    @property
    def url(self) -> str:
        return self._after("Start page").removesuffix("/")

    @property
    def key(self) -> str:
        return self._after("API key")

    def _after(self, words: str) -> str:
        (found,) = re.findall(rf"{words} +(\S+)$", self.banner, flags=re.MULTILINE)
        return str(found)

    def line(self, beginning: str) -> str:
        (found,) = [line for line in self.banner.splitlines() if line.startswith(beginning)]
        return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@contextlib.contextmanager
def demo(data: Path, **environment: str) -> Iterator[Demo]:
    with (data.parent / "log").open("a") as log:
        process = subprocess.Popen(
            [COMMAND, "serve", "--demo", "--port", "0", "--data", data],
            env=child_environment() | environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        yield Demo(process, _read_banner(process), data)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _read_banner(process: subprocess.Popen[str]) -> str:
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Ctrl-C"):
            break
    return "".join(lines)


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        env=child_environment() | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def new(tmp_path):
    """Where a data folder may be made."""
    return tmp_path / "data"


@pytest.fixture
def own(request, kind: str) -> dict[str, str]:
    """Settings of an installation that is to make its own schema, on either kind of database."""
    if kind == "sqlite":
        return {}
    server: Postgres = request.getfixturevalue("postgres")
    return {"PORTICO_DATABASE_URL": server.fresh("template0")}


def test_banner_is_printed_once_the_server_listens(new, own):
    with demo(new, **own) as server:
        assert requests.get(f"{server.url}/readyz", timeout=5).status_code == 200
        assert CODES_OF_COLOUR not in server.banner
        balance = requests.get(
            f"{server.url}/portico/v1/balance",
            headers={"Authorization": f"Bearer {server.key}"},
            timeout=5,
        )
        assert balance.json() == {"available": "1000", "held": "0"}
        assert server.stop() == 0


def test_second_start_prints_the_same_key(new, own):
    with demo(new, **own) as first:
        assert first.stop(signal.SIGINT) == 0
    with demo(new, **own) as second:
        assert (second.key, "1000 (account" in second.banner) == (first.key, True)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_pasted_line_gives_a_video(new, tmp_path):
    import av

    with demo(new) as server:
        line = server.line("curl ")
        subprocess.run(["bash", "-c", line], cwd=tmp_path, check=True, timeout=90)
        with av.open(tmp_path / "portico.mp4") as video:
            stream = video.streams.video[0]
            assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 1280, 720)
            assert video.duration / av.time_base == pytest.approx(5, abs=0.1)
            frames = sum(1 for _ in video.decode(stream))
            assert stream.average_rate in {24, 25, 30}
            assert frames == pytest.approx(5 * stream.average_rate, abs=1)
        assert run("ledger", "verify", "--data", new).returncode == 0


def test_generate_saves_a_file_and_says_what_it_cost(new, tmp_path):
    with demo(new, PORTICO_SIMULATE="1") as server:
        target = tmp_path / "lake.png"
        words = shlex.split(server.line(str(COMMAND)))
        assert words[1] == "generate"
        ran = run(
            "generate", "a lake", "-m", "portico/picture", "-o", target, "--json",
            "--url", server.url, "--data", new,
        )  # fmt: skip
        assert ran.stderr == ""
        result = json.loads(ran.stdout)
        assert (result["cost"], result["available"]) == ("1", "999")
        assert target.stat().st_size == result["size_bytes"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_every_first_call_of_the_start_page_works_as_pasted(new, tmp_path):
    with demo(new, PORTICO_SIMULATE="1") as server:
        page = requests.get(server.url, timeout=5).text
        commands = re.findall(r"<code>(curl .*?)</code>", page, flags=re.DOTALL)
        assert len(commands) >= 5
        for command in map(html.unescape, commands):
            subprocess.run(
                ["bash", "-c", command],
                env=child_environment() | {"KEY": server.key},
                cwd=tmp_path,
                stdout=subprocess.DEVNULL,
                check=True,
                timeout=30,
            )


@pytest.mark.slow
def test_commands_work_while_the_server_runs(new, own, kind, tmp_path):
    def ran(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return run(*arguments, "--data", new, **own)

    with demo(new, PORTICO_SIMULATE="1", **own) as server:
        made = json.loads(
            ran(
                "account", "create", "--email", "ann@example.com", "--credits", "5", "--json"
            ).stdout
        )
        assert made["available"] == "5"
        key = json.loads(ran("key", "create", "--account", "ann@example.com", "--json").stdout)
        assert _status(server, key["key"]) == 200
        assert ran("account", "suspend", "ann@example.com").returncode == 0
        assert _status(server, key["key"]) == 403
        assert ran("account", "resume", "ann@example.com").returncode == 0
        assert _status(server, key["key"]) == 200
        assert ran("key", "revoke", key["key_id"]).returncode == 0
        assert _status(server, key["key"]) == 401
        backup = ran("backup", tmp_path / "copy.db")
        assert (backup.returncode == 0) == (kind == "sqlite")
        assert ("pg_dump" in backup.stderr) == (kind == "postgres")
        assert ran("ledger", "verify").returncode == 0


def _status(server: Demo, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    return requests.get(f"{server.url}/portico/v1/balance", headers=headers, timeout=5).status_code


def test_port_that_is_taken_ends_the_start_in_one_line(new):
    with socket.create_server(("127.0.0.1", 0)) as other:
        ran = run("serve", "--port", str(other.getsockname()[1]), "--data", new)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)
    assert not new.exists()


def test_faulty_catalogue_ends_the_start_in_one_line(new, tmp_path):
    (tmp_path / "mine.toml").write_text("[[models]]\nid = 5\n")
    ran = run("serve", "--port", "0", "--data", new, PORTICO_CATALOGUE=str(tmp_path))
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.splitlines()[-1].startswith("portico: cannot start: mine.toml")


def test_stop_signal_lets_a_request_under_way_end(data):
    key = make_account(data)
    with running(data, key, PORTICO_SIMULATE="latency=1s") as server:
        with _submitting(server, key) as answer:
            server.process.send_signal(signal.SIGTERM)
            text = answer()
        assert server.process.wait(20) == 0
    assert text.startswith(b"HTTP/1.1 200")


def test_stop_signal_ends_in_time_although_a_client_hangs(data):
    key = make_account(data)
    environment = {"PORTICO_SIMULATE": "latency=120s", "PORTICO_STOP_WITHIN_S": "1"}
    with running(data, key, **environment) as server, _submitting(server, key):
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0
    assert verify(data) == []


def test_second_signal_ends_at_once_and_loses_nothing(data):
    key = make_account(data)
    with running(data, key, PORTICO_SIMULATE="latency=2s") as server:
        task = server.post("/portico/v1/tasks", json={"prompt": "a lake"}).json()["task"]
        with _submitting(server, key):
            server.process.send_signal(signal.SIGTERM)
            for _ in until(10):
                if "stopping" in server.log.read_text():
                    break
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(5) == 128 + signal.SIGTERM
    with running(data, key, PORTICO_SIMULATE="1") as server:
        assert server.ended(task["id"])["state"] == "succeeded"
    assert verify(data) == []


@contextlib.contextmanager
def _submitting(server, key):
    """Hold one request open that waits for its task; yields a way to read its answer."""
    body = b'{"prompt": "a lake"}'
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(
            b"POST /portico/v1/tasks?wait=60 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            + f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        for _ in until(10):
            tasks = server.get("/portico/v1/tasks").json()["tasks"]
            if any(task["state"] != "queued" for task in tasks):
                break

        def answer() -> bytes:
            read = b""
            while piece := connection.recv(65_536):
                read += piece
            return read

        yield answer


@pytest.mark.parametrize("form", ["false", "true"])
def test_log_has_no_keys_and_no_prompts(data, form):
    key = make_account(data)
    prompt = "a canary in a very particular coal mine"
    with running(data, key, PORTICO_LOG_LEVEL="debug", PORTICO_LOG_JSON=form,
                 PORTICO_SIMULATE="fail=1.0") as server:  # fmt: skip
        task = server.post("/portico/v1/tasks", json={"prompt": prompt}).json()["task"]
        server.ended(task["id"])
        server.post("/portico/v1/tasks", json={"prompt": prompt, "model": prompt})
        requests.get(f"{server.url}/files/{key}/x", timeout=5)
    text = server.log.read_text()
    assert "ready" in text
    assert key not in text
    assert "canary" not in text
    if form == "true":
        lines = [line for line in text.splitlines() if line.startswith("{")]
        assert all(json.loads(line)["event"] for line in lines)


def test_module_runs_like_the_command(new):
    ran = subprocess.run(
        [sys.executable, "-m", "portico", "--version"],
        env=child_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.startswith("portico ")
    assert os.access(COMMAND, os.X_OK)
