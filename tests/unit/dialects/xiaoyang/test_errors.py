"""Every error code has XiaoYang's status and words."""

import json

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.dialects.xiaoyang.errors import STATUS, render_error

PAGE = [  # the page's table, and what is ours where it says nothing
    (ErrorCode.INVALID_REQUEST, 400, "as said"),
    (ErrorCode.UNKNOWN_MODEL, 400, "as said"),
    (ErrorCode.UNSUPPORTED_OPTION, 400, "as said"),
    (ErrorCode.MEDIA_UNREACHABLE, 400, "E_DIRECT_MEDIA_URL: as said"),
    (ErrorCode.MEDIA_REJECTED, 400, "E_DIRECT_MEDIA_URL: as said"),
    (ErrorCode.PAYLOAD_TOO_LARGE, 413, "as said"),
    (ErrorCode.UNSUPPORTED_ENCODING, 415, "as said"),
    (ErrorCode.UNAUTHENTICATED, 401, "Invalid API key"),
    (ErrorCode.ACCOUNT_SUSPENDED, 403, "Account suspended"),
    (ErrorCode.NOT_ALLOWED, 403, "as said"),
    (ErrorCode.INSUFFICIENT_CREDITS, 402, "Không đủ credit"),
    (ErrorCode.RATE_LIMITED, 429, "as said"),
    (ErrorCode.CONCURRENCY_LIMITED, 429, "as said"),
    (ErrorCode.IDEMPOTENCY_CONFLICT, 409, "as said"),
    (ErrorCode.PATH_NOT_FOUND, 404, "Not found"),
    (ErrorCode.METHOD_NOT_ALLOWED, 405, "as said"),
    (ErrorCode.TASK_NOT_FOUND, 404, "Task not found"),
    (ErrorCode.RESULT_NOT_READY, 400, "Task not finished"),
    (ErrorCode.RESULT_EXPIRED, 404, "as said"),
    (ErrorCode.CONTENT_REFUSED, 400, "as said"),
    (ErrorCode.NO_ROUTE, 502, "as said"),
    (ErrorCode.UPSTREAM_FAILED, 502, "as said"),
    (ErrorCode.UPSTREAM_TIMEOUT, 502, "as said"),
    (ErrorCode.CANCELLED, 400, "as said"),
    (ErrorCode.OVERLOADED, 502, "as said"),
    (ErrorCode.INTERNAL, 502, "as said"),
]


def test_every_error_code_has_a_status():
    assert set(STATUS) == set(ErrorCode) == {code for code, _, _ in PAGE}


@pytest.mark.parametrize(("code", "status", "detail"), PAGE)
def test_error_has_the_pages_status_and_words(code: ErrorCode, status: int, detail: str):
    answer = render_error(PorticoError(code, "as said"))

    assert (answer.status_code, json.loads(bytes(answer.body))) == (status, {"detail": detail})


def test_wait_is_told_in_whole_seconds():
    answer = render_error(PorticoError(ErrorCode.RATE_LIMITED, "slow down", retry_after_s=7))

    assert answer.headers["retry-after"] == "7"
