"""A host on this machine that has pictures, videos and pages, and takes callbacks."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.contract.gateways import PICTURE, VIDEO

_FILES = {
    "png": ("image/png", PICTURE),
    "jpg": ("image/png", PICTURE),  # the bytes decide, not the name
    "mp4": ("video/mp4", VIDEO),
    "html": ("text/html", b"<!doctype html><title>Preview</title>"),
}


@dataclass(frozen=True, slots=True)
class Callback:
    """One POST, byte for byte; names of headers in lower case."""

    body: bytes
    headers: dict[str, str]


@dataclass(slots=True)
class MediaHost:
    """The running host; every callback it got, in order."""

    url: str
    address: str
    callbacks: list[Callback] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)  # paths that answer 404


@contextmanager
def media_host() -> Iterator[MediaHost]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    port = server.server_address[1]
    host = MediaHost(f"http://127.0.0.1:{port}", f"127.0.0.1:{port}")
    server.host = host  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        media_type, body = _FILES.get(self.path.rpartition(".")[2], ("text/html", b""))
        is_missing = self.path in self._host.missing
        self.send_response(404 if is_missing else 200)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._host.callbacks.append(Callback(body, headers))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Stay silent."""

    @property
    def _host(self) -> MediaHost:
        return self.server.host  # type: ignore[attr-defined]
