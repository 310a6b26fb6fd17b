"""A small client of Portico's own dialect, over the standard library: no cookies, no redirects."""

import ipaddress
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from portico.cli.failure import refusal
from portico.core.errors import ErrorCode, PorticoError

ANSWER_WITHIN_S = 30.0
_PIECE_BYTES = 256 * 1024
_PASSING = {429, 500, 502, 503, 504}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(  # noqa: PLR0913, PLR0917, RUF100 - as the library has it
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage,
        newurl: str,
    ) -> None:  # fmt: skip
        """Follow nothing: the key is for one server only."""


class Client:
    """One server and one key.

    Every method raises PorticoError: OVERLOADED when trying again may help (server away,
    too busy), INVALID_REQUEST otherwise, with the server's own words.
    """

    def __init__(self, url: str, key: str) -> None:
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            message = "the server's address must begin with http:// or https://"
            raise refusal(message)
        if not (key.isascii() and key.isprintable()) or " " in key:
            message = "this is not an API key"
            raise refusal(message)
        self.url = url.rstrip("/")
        self._key = key
        handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
        if is_this_machine(url):
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, path: str) -> dict[str, Any]:
        """Return what the server answers to a GET."""
        with self._open("GET", path, None) as answer:
            return _object(answer.read())

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Return what the server answers to a POST; never repeated by itself."""
        with self._open("POST", path, json.dumps(body).encode()) as answer:
            return _object(answer.read())

    def save(self, path: str, target: Path) -> int:
        """Save a file, through a temporary name; returns its size in bytes."""
        partial = target.with_name(f"{target.name}.partial")
        try:
            with self._open("GET", path, None) as answer, partial.open("wb") as file:
                while piece := answer.read(_PIECE_BYTES):
                    file.write(piece)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return target.stat().st_size

    @contextmanager
    def _open(self, method: str, path: str, body: bytes | None) -> Iterator[IO[bytes]]:
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            self.url + path, data=body, method=method
        )
        request.add_header("Authorization", f"Bearer {self._key}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with self._opener.open(request, timeout=ANSWER_WITHIN_S) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            with error:
                raise _answered(error) from None
        except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", None) or error
            message = f"no answer from {self.url}: {reason}"
            raise PorticoError(ErrorCode.OVERLOADED, message) from None


def is_this_machine(url: str) -> bool:
    """Whether a URL leads to this machine's own loopback address."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _answered(error: urllib.error.HTTPError) -> PorticoError:
    """Turn an error answer into what the server said, in one line."""
    try:
        said = json.loads(error.read())["error"]["message"]
    except (ValueError, KeyError, TypeError, OSError):
        said = f"the server answered {error.code}"
    line = " ".join(str(said).split())
    if error.code in _PASSING:
        return PorticoError(ErrorCode.OVERLOADED, line)
    return refusal(line)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        message = "this is not a Portico server"
        raise refusal(message)
    return value
