"""The guard of `tests/conftest.py` itself: what it refuses and what it lets through."""

import socket
from collections.abc import Iterator

import pytest

OUTSIDE = "192.0.2.1"  # reserved for documentation, never routed


@pytest.fixture
def refusals(request) -> Iterator[list[str]]:
    """The guard's own notes, cleared afterwards so that the test may pass."""
    guard = request.config.pluginmanager.get_plugin(
        str(request.config.rootpath / "tests/conftest.py")
    )
    yield guard._refused
    guard._refused.clear()


def test_connection_to_outside_is_refused(loopback_only, refusals):
    with socket.socket() as connection, pytest.raises(RuntimeError, match="stay on this machine"):
        connection.connect((OUTSIDE, 80))
    assert refusals == [f"socket.connect {OUTSIDE}"]


def test_name_look_up_is_refused(loopback_only, refusals):
    with pytest.raises(RuntimeError, match="stay on this machine"):
        socket.getaddrinfo("example.com", 80)
    assert refusals == ["socket.getaddrinfo example.com"]


def test_name_that_never_exists_is_unknown_without_asking(refusals):
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("nowhere.invalid", 80)
    assert refusals == []


def test_loopback_connection_is_let_through():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=1) as connection,
    ):
        assert connection.getpeername() == server.getsockname()
