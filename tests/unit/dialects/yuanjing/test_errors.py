"""Every error code has Yuanjing's status and words."""

import json

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.dialects.yuanjing.errors import STATUS, render_error

PAGE = [  # the page's three lines first, then what is ours
    (ErrorCode.UNAUTHENTICATED, 401, "Invalid API Key"),
    (ErrorCode.INVALID_REQUEST, 400, "as said"),
    (ErrorCode.INSUFFICIENT_CREDITS, 429, "Insufficient balance"),
    (ErrorCode.UNKNOWN_MODEL, 400, "as said"),
    (ErrorCode.UNSUPPORTED_OPTION, 400, "as said"),
    (ErrorCode.MEDIA_UNREACHABLE, 400, "as said"),
    (ErrorCode.MEDIA_REJECTED, 400, "as said"),
    (ErrorCode.CONTENT_REFUSED, 400, "as said"),
    (ErrorCode.ACCOUNT_SUSPENDED, 401, "as said"),
    (ErrorCode.NOT_ALLOWED, 401, "as said"),
    (ErrorCode.PATH_NOT_FOUND, 404, "as said"),
    (ErrorCode.TASK_NOT_FOUND, 404, "as said"),
    (ErrorCode.RESULT_NOT_READY, 404, "as said"),
    (ErrorCode.RESULT_EXPIRED, 404, "as said"),
    (ErrorCode.METHOD_NOT_ALLOWED, 405, "as said"),
    (ErrorCode.IDEMPOTENCY_CONFLICT, 409, "as said"),
    (ErrorCode.PAYLOAD_TOO_LARGE, 413, "as said"),
    (ErrorCode.UNSUPPORTED_ENCODING, 415, "as said"),
    (ErrorCode.RATE_LIMITED, 429, "Too many requests"),
    (ErrorCode.CONCURRENCY_LIMITED, 429, "as said"),
    (ErrorCode.NO_ROUTE, 500, "as said"),
    (ErrorCode.UPSTREAM_FAILED, 500, "as said"),
    (ErrorCode.UPSTREAM_TIMEOUT, 500, "as said"),
    (ErrorCode.CANCELLED, 500, "as said"),
    (ErrorCode.INTERNAL, 500, "as said"),
    (ErrorCode.OVERLOADED, 503, "as said"),
]


def shown(error: PorticoError) -> str:
    body = json.loads(bytes(render_error(error).body))
    assert list(body) == ["error"]
    return body["error"]


def test_every_error_code_has_a_rendering():
    assert set(STATUS) == set(ErrorCode) == {code for code, _, _ in PAGE}


@pytest.mark.parametrize(("code", "status", "text"), PAGE)
def test_error_has_the_pages_status_and_words(code: ErrorCode, status: int, text: str):
    error = PorticoError(code, "as said")

    assert (render_error(error).status_code, shown(error)) == (status, text)


def test_empty_balance_forbids_clients_to_retry():
    error = PorticoError(ErrorCode.INSUFFICIENT_CREDITS, "no credits", retry_after_s=1)

    headers = render_error(error).headers

    assert headers["x-should-retry"] == "false"
    assert "retry-after" not in headers


def test_too_many_requests_say_when_to_come_back():
    error = PorticoError(ErrorCode.RATE_LIMITED, "slow down", retry_after_s=7)

    headers = render_error(error).headers

    assert headers["retry-after"] == "7"
    assert "x-should-retry" not in headers


@pytest.mark.parametrize(
    ("param", "message", "expected"),
    [
        ("prompt", "prompt is required", "Missing required parameter: prompt"),
        ("first_frame", "first_frame is required", "Missing required parameter: image1_file"),
        ("reference_image", "reference_image: at most 9", "image_files: at most 9"),
        ("variant", "variant is required", "Missing required parameter: model"),
        ("last_frame", "Not a supported image file", "image2_file: Not a supported image file"),
        ("duration", "duration must be one of 5, 10, 15", "duration must be one of 5, 10, 15"),
    ],
)
def test_field_at_fault_has_the_pages_name(param: str, message: str, expected: str):
    assert shown(PorticoError(ErrorCode.INVALID_REQUEST, message, param=param)) == expected
