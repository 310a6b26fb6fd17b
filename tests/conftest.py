"""What every test may count on: loopback only, no settings of the machine, no ready-made seed.

And both kinds of database, for the tests that must hold on either.
"""

import ipaddress
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from portico.testing import make_database
from tests.kinds import KINDS
from tests.postgres import Postgres, running
from tests.s3 import _shared_server, bucket, frail_bucket
from tests.valkey import valkey, valkey_program

__all__ = ["_shared_server", "bucket", "frail_bucket", "valkey", "valkey_program"]  # fixtures

_CALLS_OUT = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_refused: list[str] = []
_watching: set[str] = set()  # the fixture's name while a test runs


class NetworkRefusedError(RuntimeError):
    """A test tried to leave this machine; not an OSError, so no code under test can expect it."""


def pytest_configure() -> None:
    """Forget the operator's settings and put the guard in place, once a process."""
    for name in list(os.environ):
        if name.startswith("PORTICO_") and not name.startswith("PORTICO_TEST_"):
            del os.environ[name]
    settings.register_profile("portico", deadline=None, print_blob=True)
    settings.load_profile("portico")
    sys.addaudithook(_guard)


@pytest.fixture(autouse=True)
def loopback_only() -> Iterator[None]:
    """Refuse every connection and name look-up beyond this machine, and fail the test for trying.

    The failure at the end catches code that swallowed the refusal.
    """
    _refused.clear()
    _watching.add("loopback_only")
    yield
    _watching.clear()
    if _refused:
        pytest.fail(f"left the machine: {', '.join(_refused)}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A Postgres server of this test process's own, started when the first test asks."""
    with running() as server:
        yield server


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database: every test that takes it runs once on each."""
    found: str = request.param
    return found


@pytest.fixture
def database(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> str:
    """The URL of a migrated, empty database of either kind."""
    if kind == "postgres":
        return the_postgres(request).emptied()
    path = tmp_path / "test.db"
    make_database(path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="module", params=KINDS)
def shared_database(request: pytest.FixtureRequest, tmp_path_factory) -> Iterator[str]:
    """A database that a module's tests share; on both kinds, one after the other."""
    if request.param == "postgres":
        server = the_postgres(request)
        url = server.fresh()
        yield url
        server.drop(url)
        return
    path = tmp_path_factory.mktemp("database") / "test.db"
    make_database(path)
    yield f"sqlite:///{path}"


def the_postgres(request: pytest.FixtureRequest) -> Postgres:
    """Return the server; only a test that runs on it starts it."""
    server: Postgres = request.getfixturevalue("postgres")
    return server


def _guard(event: str, args: tuple[object, ...]) -> None:
    """Judge the interpreter's own audit events: these cannot be patched around."""
    if not _watching:
        return
    if event in _CALLS_OUT:
        address = args[1]
        # a path is a local socket, None an address given earlier
        host = address[0] if isinstance(address, tuple) and address else None
        if isinstance(host, str) and not _is_loopback(host):
            _refuse(event, host)
    elif event == "socket.getaddrinfo":
        host = args[0]
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if isinstance(name, str) and name.rstrip(".").endswith(".invalid"):
            # such a name never exists (RFC 6761); say so without asking anybody
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if isinstance(name, str) and not _is_number(name) and not _is_loopback(name):
            _refuse(event, name)


def _refuse(event: str, host: str) -> None:
    _refused.append(f"{event} {host}")
    message = f"tests stay on this machine: {event} {host}"
    raise NetworkRefusedError(message)


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if host in {"", "localhost"}:
        return True
    return _is_number(host) and ipaddress.ip_address(host).is_loopback
