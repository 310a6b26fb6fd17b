"""Every error code has APIXO's status, words and fail code."""

import json

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.dialects.apixo import build
from portico.dialects.apixo.errors import FAIL_CODE, STATUS, render_error
from portico.dialects.endpoint import Rules

PAGE = [  # code, status, message, failCode; the page's own where it has one
    (ErrorCode.INVALID_REQUEST, 400, "as said", "GENERATION_FAILED"),
    (ErrorCode.UNKNOWN_MODEL, 404, "Model not found", "MODEL_UNAVAILABLE"),
    (ErrorCode.UNSUPPORTED_OPTION, 400, "as said", "GENERATION_FAILED"),
    (ErrorCode.MEDIA_UNREACHABLE, 400, "as said", "INVALID_IMAGE_URL"),
    (ErrorCode.MEDIA_REJECTED, 400, "as said", "INVALID_IMAGE_URL"),
    (ErrorCode.PAYLOAD_TOO_LARGE, 413, "as said", "IMAGE_TOO_LARGE"),
    (ErrorCode.UNSUPPORTED_ENCODING, 415, "as said", "GENERATION_FAILED"),
    (ErrorCode.UNAUTHENTICATED, 401, "Invalid or missing API Key", "GENERATION_FAILED"),
    (ErrorCode.ACCOUNT_SUSPENDED, 401, "as said", "GENERATION_FAILED"),
    (ErrorCode.NOT_ALLOWED, 403, "as said", "GENERATION_FAILED"),
    (ErrorCode.INSUFFICIENT_CREDITS, 400, "Insufficient credits", "INSUFFICIENT_CREDITS"),
    (ErrorCode.RATE_LIMITED, 429, "Rate limit exceeded", "GENERATION_FAILED"),
    (ErrorCode.CONCURRENCY_LIMITED, 429, "Concurrent task limit exceeded", "GENERATION_FAILED"),
    (ErrorCode.IDEMPOTENCY_CONFLICT, 409, "as said", "GENERATION_FAILED"),
    (ErrorCode.PATH_NOT_FOUND, 404, "Not found", "GENERATION_FAILED"),
    (ErrorCode.METHOD_NOT_ALLOWED, 405, "as said", "GENERATION_FAILED"),
    (ErrorCode.TASK_NOT_FOUND, 404, "Task not found", "GENERATION_FAILED"),
    (ErrorCode.RESULT_NOT_READY, 400, "as said", "GENERATION_FAILED"),
    (ErrorCode.RESULT_EXPIRED, 404, "as said", "GENERATION_FAILED"),
    (ErrorCode.CONTENT_REFUSED, 400, "as said", "CONTENT_VIOLATION"),
    (ErrorCode.NO_ROUTE, 503, "as said", "MODEL_UNAVAILABLE"),
    (ErrorCode.UPSTREAM_FAILED, 500, "as said", "GENERATION_FAILED"),
    (ErrorCode.UPSTREAM_TIMEOUT, 500, "as said", "PROCESSING_TIMEOUT"),
    (ErrorCode.CANCELLED, 400, "as said", "GENERATION_FAILED"),
    (ErrorCode.OVERLOADED, 503, "as said", "GENERATION_FAILED"),
    (ErrorCode.INTERNAL, 500, "as said", "GENERATION_FAILED"),
]


def test_every_error_code_has_a_status_and_a_fail_code():
    assert set(STATUS) == set(FAIL_CODE) == set(ErrorCode) == {row[0] for row in PAGE}


@pytest.mark.parametrize(("code", "status", "message", "fail_code"), PAGE)
def test_error_has_the_pages_code_in_both_places(
    code: ErrorCode, status: int, message: str, fail_code: str
):
    answer = render_error(PorticoError(code, "as said"))

    assert (answer.status_code, json.loads(bytes(answer.body))) == (
        status,
        {"code": status, "message": message, "data": None},
    )
    assert FAIL_CODE[code] == fail_code


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({}, 400),
        ({"insufficient_status": 402}, 402),
        ({"insufficient_status": 400}, 400),
        ({"insufficient_status": 200}, 400),  # never a success
    ],
)
def test_operator_may_say_402_for_an_empty_account(options: dict[str, object], status: int):
    dialect = build(Rules(options=options))

    answer = dialect.render_error(PorticoError(ErrorCode.INSUFFICIENT_CREDITS, "none left"))

    assert answer.status_code == status
    assert json.loads(bytes(answer.body))["code"] == status


def test_402_is_for_an_empty_account_only():
    dialect = build(Rules(options={"insufficient_status": 402}))

    assert dialect.render_error(PorticoError(ErrorCode.INVALID_REQUEST, "no")).status_code == 400


def test_wait_is_told_in_whole_seconds():
    answer = render_error(PorticoError(ErrorCode.RATE_LIMITED, "slow down", retry_after_s=7))

    assert answer.headers["retry-after"] == "7"
