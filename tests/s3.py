"""An S3 server of the tests' own (moto's): a free port, nothing on disk, stopped by its own id.

It holds everything in memory: once stopped, it has forgotten every bucket.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
import requests

READY_S = 30.0
SECRET = "hush-hush-hush"
_numbers = count()


@dataclass(slots=True)
class S3Server:
    """One server process; it may be stopped, held still and started again on the same port."""

    folder: Path
    port: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What Portico has to find in its environment to reach this server."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    def start(self) -> None:
        """Start and wait until it answers; what was stored before is gone."""
        self.port = self.port or _free_port()
        with (self.folder / "s3.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
                stdout=log,
                stderr=log,
            )
        ends_at = time.monotonic() + READY_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > ends_at:
                raise AssertionError((self.folder / "s3.log").read_text())
            time.sleep(0.02)

    def stop(self) -> None:
        """End it; safe to repeat."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep it from running: connections open, nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def make_bucket(self, name: str) -> None:
        requests.put(f"{self.url}/{name}", timeout=10).raise_for_status()

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/moto-api/", timeout=1).ok
        except requests.RequestException:
            return False


@dataclass(frozen=True, slots=True)
class Bucket:
    """One empty bucket; Portico's part of it begins with `kept/`."""

    server: S3Server
    name: str

    @property
    def url(self) -> str:
        return f"s3://{self.name}/kept"

    def listed(self) -> list[str]:
        """Return every object's whole key."""
        return re.findall(r"<Key>([^<]+)</Key>", self._get("?list-type=2"))

    def uploads(self) -> list[str]:
        """Return the keys of uploads in parts that have neither been finished nor given up."""
        return re.findall(r"<Key>([^<]+)</Key>", self._get("?uploads"))

    def requests_seen(self) -> list[str]:
        """Return the request lines that were about this bucket so far."""
        log = (self.server.folder / "s3.log").read_text()
        return re.findall(rf"(?:DELETE|GET|HEAD|POST|PUT) /{self.name}\b\S*", log)

    def _get(self, query: str) -> str:
        answer = requests.get(f"{self.server.url}/{self.name}{query}", timeout=10)
        answer.raise_for_status()
        return answer.text


@pytest.fixture(scope="session")
def _shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bucket(_shared_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket that this process may use, at a server that is left alone."""
    return _bucket_at(_shared_server, monkeypatch)


@pytest.fixture
def frail_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """An empty bucket at a server of the test's own, to be stopped and held."""
    server = S3Server(tmp_path)
    server.start()
    yield _bucket_at(server, monkeypatch)
    server.stop()


def _bucket_at(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, text in server.environment.items():
        monkeypatch.setenv(name, text)
    found = Bucket(server, f"test-{next(_numbers)}")
    server.make_bucket(found.name)
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
