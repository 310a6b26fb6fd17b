"""What an error may look like: one checker a dialect, the documented statuses, and no secrets."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from httpx2 import Response

# where the pages' own statuses end and ours begin is said in each dialect's `errors`
STATUSES: Mapping[str, frozenset[int]] = {
    "xiaoyang": frozenset({400, 401, 402, 403, 404, 405, 409, 413, 415, 429}),
    "xpilot": frozenset({400, 401, 402, 404, 405, 409, 413, 415, 429}),
    "apixo": frozenset({400, 401, 404, 405, 409, 413, 415, 429}),
    "yuanjing": frozenset({400, 401, 404, 405, 409, 413, 415, 429}),
    "openai": frozenset({400, 401, 403, 404, 405, 409, 413, 415, 429}),
    "portico": frozenset({400, 401, 402, 403, 404, 405, 409, 410, 413, 415, 429}),
}
XPILOT_CODES = {
    "INVALID_PARAMS",
    "INVALID_MODEL",
    "UNAUTHORIZED",
    "INSUFFICIENT_CREDITS",
    "RATE_LIMITED",
    "NOT_FOUND",
}
# words that only our own code, its libraries and its upstreams know
_LEAK = re.compile(
    r"traceback|portico\.(?!test)|\.py\b|sqlite|postgres|asyncpg|sqlalchemy|starlette|uvicorn"
    r"|msgspec|aiohttp|errno"
    r"|/work|/tmp|/home|site-packages|simulator|localprovider|object at 0x|error:|exception",
    re.IGNORECASE,
)


def check_refusal(
    dialect: str, answer: Response, *, statuses: frozenset[int] | None = None
) -> tuple[int, str]:
    """Check all that an error of a dialect must be; returns its status and its message."""
    allowed = STATUSES[dialect] if statuses is None else statuses
    assert answer.status_code in allowed, (dialect, answer.status_code, answer.text)
    if answer.request.method == "HEAD":  # its client drops the body
        assert answer.headers["content-type"] == "application/json"
        return answer.status_code, ""
    return answer.status_code, check_error(
        dialect, answer.status_code, answer.headers, answer.content
    )


def check_error(dialect: str, status: int, headers: Mapping[str, str], content: bytes) -> str:
    """Check the shape of an error, whatever its status; returns its message."""
    assert headers["content-type"] == "application/json"
    assert headers["x-request-id"]
    body = json.loads(content)
    message = _SHAPES[dialect](status, body)
    assert isinstance(message, str), body
    assert message, body
    assert len(message) < 500, body
    assert not (found := _LEAK.search(message)), (found, body)
    if status == 405:
        assert headers["allow"]
    return message


def _xiaoyang(_: int, body: Any) -> Any:
    assert list(body) == ["detail"], body
    return body["detail"]


def _xpilot(status: int, body: Any) -> Any:
    assert list(body) == ["error"], body
    assert list(body["error"]) == ["message", "code"], body
    assert body["error"]["code"] in (XPILOT_CODES if status < 500 else {"GENERATION_FAILED"})
    return body["error"]["message"]


def _apixo(status: int, body: Any) -> Any:
    assert list(body) == ["code", "message", "data"], body
    assert body["code"] == status
    assert body["data"] is None
    return body["message"]


def _yuanjing(_: int, body: Any) -> Any:
    assert list(body) == ["error"], body
    return body["error"]


def _openai(_: int, body: Any) -> Any:
    assert list(body) == ["error"], body
    error = body["error"]
    assert list(error) == ["message", "type", "param", "code"], body
    assert isinstance(error["type"], str)
    assert error["param"] is None or isinstance(error["param"], str)
    assert error["code"] is None or isinstance(error["code"], str)
    return error["message"]


def _portico(_: int, body: Any) -> Any:
    assert list(body) == ["error"], body
    error = body["error"]
    assert list(error) == ["code", "message", "param"], body
    assert re.fullmatch(r"[a-z_]+", error["code"])
    assert error["param"] is None or isinstance(error["param"], str)
    return error["message"]


_SHAPES: Mapping[str, Callable[[int, Any], Any]] = {
    "xiaoyang": _xiaoyang,
    "xpilot": _xpilot,
    "apixo": _apixo,
    "yuanjing": _yuanjing,
    "openai": _openai,
    "portico": _portico,
}
