"""`portico health`, as a container's health check runs it."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

ANSWERS = {"/healthz": 200, "/readyz": 503}  # a server that drains


class Draining(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(ANSWERS[self.path])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_request(self, code=None, size=None):
        pass


@pytest.fixture
def server(monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), Draining) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("PORTICO_PORT", str(listening.server_port))
        yield listening
        listening.shutdown()
        thread.join()


def test_server_that_drains_is_alive_and_not_ready(portico, server):
    assert portico("health", "--json").result == {"good": True, "path": "/healthz", "status": 200}
    ran = portico("health", "--ready", "--json")
    assert (ran.code, ran.result["status"]) == (1, 503)


def test_server_on_every_address_is_asked_on_this_machine(portico, server, monkeypatch):
    monkeypatch.setenv("PORTICO_HOST", "0.0.0.0")
    ran = portico("health")
    assert (ran.code, ran.out) == (0, "/healthz: 200\n")


def test_worker_is_asked_at_the_port_it_was_given(portico, server, monkeypatch):
    monkeypatch.delenv("PORTICO_PORT")
    ran = portico("health", "--port", str(server.server_port))
    assert (ran.code, ran.out) == (0, "/healthz: 200\n")


def test_no_server_is_one_line_and_makes_nothing(portico, server, data):
    server.shutdown()
    server.server_close()
    ran = portico("health")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert f"port {server.server_port}" in ran.err
    assert not data.exists()
