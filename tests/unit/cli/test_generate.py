"""The client behind `portico generate`, against a scripted server on loopback."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from portico.cli import generate as generate_command
from portico.cli.client import is_this_machine

VIDEO = b"\0\0\0\x18ftypmp42" + b"v" * 300_000
TASK: dict[str, object] = {
    "id": "17",
    "state": "queued",
    "progress": None,
    "charged": "0",
    "error": None,
    "outputs": [],
}
DONE = TASK | {"state": "succeeded", "charged": "2", "outputs": [{"media_type": "video/mp4"}]}


class Scripted(ThreadingHTTPServer):
    """A server, what it answers, and what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Script)
        self.seen: list[tuple[str, str, dict[str, str], Any]] = []
        self.answers: dict[str, list[tuple[int, object]]] = {}


class Script(BaseHTTPRequestHandler):
    """Answers from `server.answers`, path by path; the last answer of a path repeats."""

    server: Scripted

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body) -> None:
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        answers = self.server.answers.get(self.path, [(404, {"error": {"message": "Not found"}})])
        status, answer = answers.pop(0) if len(answers) > 1 else answers[0]
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/portico/v1/elsewhere")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(generate_command, "LOOK_EVERY_S", 0.01)
    monkeypatch.delenv("PORTICO_API_KEY", raising=False)
    with Scripted() as listening:
        listening.answers = {
            "/portico/v1/tasks": [(202, {"task": TASK, "balance": "8"})],
            "/portico/v1/tasks/17": [(200, TASK | {"state": "running"}), (200, DONE)],
            "/portico/v1/tasks/17/download": [(200, VIDEO)],
            "/portico/v1/balance": [(200, {"available": "8", "held": "0"})],
        }
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


@pytest.fixture
def generate(portico, server):
    def run(*arguments: str):
        url = f"http://127.0.0.1:{server.server_port}"
        return portico("generate", "a lake", "--url", url, *arguments)

    return run


def test_result_is_saved_and_its_cost_said(generate, server, tmp_path):
    ran = generate("--key", "sk-1", "-m", "portico/scene-fast", "-p", "duration=4", "-o", "v.mp4")
    assert (ran.code, ran.out) == (0, "v.mp4  300,012 bytes, 2 credits; 8 left.\n")
    assert (tmp_path / "v.mp4").read_bytes() == VIDEO
    assert not (tmp_path / "v.mp4.partial").exists()
    _, _, headers, body = server.seen[0]
    assert headers["Authorization"] == "Bearer sk-1"
    assert body == {
        "model": "portico/scene-fast",
        "prompt": "a lake",
        "params": {"duration": "4"},
    }


def test_json_is_one_object_and_the_file_is_named_after_the_task(generate, tmp_path):
    ran = generate("--key", "sk-1", "--json")
    assert ran.result == {
        "task_id": "17",
        "file": "portico-17.mp4",
        "size_bytes": len(VIDEO),
        "cost": "2",
        "available": "8",
    }
    assert (tmp_path / "portico-17.mp4").exists()


def test_key_comes_from_the_environment(generate, server, monkeypatch):
    monkeypatch.setenv("PORTICO_API_KEY", "sk-env")
    assert generate().code == 0
    assert server.seen[0][2]["Authorization"] == "Bearer sk-env"


def test_demo_key_is_used_on_its_own_machine_only(generate, portico, server, data):
    data.mkdir()
    (data / "demo-key").write_text("sk-demo\n")
    assert generate().code == 0
    assert server.seen[0][2]["Authorization"] == "Bearer sk-demo"
    ran = portico("generate", "a lake", "--url", "https://portico.example.com")
    assert (ran.code, "no API key" in ran.err) == (1, True)


def test_refusal_is_told_in_the_servers_words(generate, server):
    refusal = {"error": {"code": "insufficient_credits", "message": "Insufficient\ncredits"}}
    server.answers["/portico/v1/tasks"] = [(402, refusal)]
    ran = generate("--key", "sk-1")
    assert (ran.code, ran.out, ran.err) == (1, "", "portico: Insufficient credits\n")


def test_failed_task_is_told_with_its_reason(generate, server, tmp_path):
    failed = TASK | {"state": "failed", "error": {"message": "Refused by the blocklist"}}
    server.answers["/portico/v1/tasks/17"] = [(200, failed)]
    ran = generate("--key", "sk-1")
    assert ran.code == 1
    assert ran.err == "portico: Refused by the blocklist (task 17; nothing was charged)\n"
    assert list(tmp_path.iterdir()) == []


def test_server_that_restarts_meanwhile_is_waited_for(generate, server):
    away = (503, {"error": {"message": "Temporarily unavailable"}})
    server.answers["/portico/v1/tasks/17"] = [away, away, (200, DONE)]
    assert generate("--key", "sk-1").code == 0


def test_submit_is_never_sent_twice(generate, server):
    server.answers["/portico/v1/tasks"] = [(503, {"error": {"message": "Too busy"}})]
    assert generate("--key", "sk-1").err == "portico: Too busy\n"
    assert len(server.seen) == 1


def test_interrupt_cancels_the_task(generate, server, monkeypatch):
    server.answers["/portico/v1/tasks/17/cancel"] = [(200, TASK | {"state": "cancelled"})]

    def interrupted(_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("portico.cli.generate.time.sleep", interrupted)
    ran = generate("--key", "sk-1")
    assert (ran.code, ran.err) == (1, "portico: cancelled; the credits are back\n")
    assert server.seen[-1][:2] == ("POST", "/portico/v1/tasks/17/cancel")


def test_redirect_is_not_followed_with_the_key(generate, server):
    server.answers["/portico/v1/tasks"] = [(302, b"")]
    assert generate("--key", "sk-1").code == 1
    assert [path for _, path, _, _ in server.seen] == ["/portico/v1/tasks"]


def test_other_server_is_recognised(generate, server):
    server.answers["/portico/v1/tasks"] = [(200, b"<html>")]
    assert generate("--key", "sk-1").err == "portico: this is not a Portico server\n"


def test_no_server_is_one_line(portico):
    ran = portico("generate", "a lake", "--url", "http://127.0.0.1:9", "--key", "sk-1")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "no answer from http://127.0.0.1:9" in ran.err


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:8080", "http://"])
def test_address_that_is_none_is_refused(portico, url):
    assert portico("generate", "a lake", "--url", url, "--key", "sk-1").code == 1


@pytest.mark.parametrize("key", ["sk 1", "sk\n1", "schlüssel"])
def test_key_that_cannot_be_one_is_refused(generate, server, key):
    assert generate("--key", key).err == "portico: this is not an API key\n"
    assert server.seen == []


def test_parameter_without_value_is_a_usage_error(generate, server):
    ran = generate("--key", "sk-1", "-p", "duration")
    assert (ran.code, "NAME=VALUE" in ran.err) == (2, True)
    assert server.seen == []


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8080", True),
        ("http://localhost", True),
        ("http://localhost.example.com", False),
        ("http://192.168.0.1", False),
    ],
)
def test_own_machine_is_known_by_its_address(url, own):
    assert is_this_machine(url) is own
