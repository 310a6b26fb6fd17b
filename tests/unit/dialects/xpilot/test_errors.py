"""Every error code has xPilot's status, code and words."""

import json

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.dialects.xpilot.errors import ERRORS, render_error

PAGE = [  # the page's table first, then what is ours
    (ErrorCode.INVALID_REQUEST, 400, "INVALID_PARAMS"),
    (ErrorCode.UNSUPPORTED_OPTION, 400, "INVALID_PARAMS"),
    (ErrorCode.UNKNOWN_MODEL, 400, "INVALID_MODEL"),
    (ErrorCode.UNAUTHENTICATED, 401, "UNAUTHORIZED"),
    (ErrorCode.INSUFFICIENT_CREDITS, 402, "INSUFFICIENT_CREDITS"),
    (ErrorCode.RATE_LIMITED, 429, "RATE_LIMITED"),
    (ErrorCode.UPSTREAM_FAILED, 500, "GENERATION_FAILED"),
    (ErrorCode.UPSTREAM_TIMEOUT, 500, "GENERATION_FAILED"),
    (ErrorCode.MEDIA_UNREACHABLE, 400, "INVALID_PARAMS"),
    (ErrorCode.MEDIA_REJECTED, 400, "INVALID_PARAMS"),
    (ErrorCode.CONTENT_REFUSED, 400, "INVALID_PARAMS"),
    (ErrorCode.ACCOUNT_SUSPENDED, 401, "UNAUTHORIZED"),
    (ErrorCode.NOT_ALLOWED, 401, "UNAUTHORIZED"),
    (ErrorCode.PATH_NOT_FOUND, 404, "NOT_FOUND"),
    (ErrorCode.TASK_NOT_FOUND, 404, "NOT_FOUND"),
    (ErrorCode.RESULT_NOT_READY, 404, "NOT_FOUND"),
    (ErrorCode.RESULT_EXPIRED, 404, "NOT_FOUND"),
    (ErrorCode.METHOD_NOT_ALLOWED, 405, "INVALID_PARAMS"),
    (ErrorCode.IDEMPOTENCY_CONFLICT, 409, "INVALID_PARAMS"),
    (ErrorCode.PAYLOAD_TOO_LARGE, 413, "INVALID_PARAMS"),
    (ErrorCode.UNSUPPORTED_ENCODING, 415, "INVALID_PARAMS"),
    (ErrorCode.CONCURRENCY_LIMITED, 429, "RATE_LIMITED"),
    (ErrorCode.NO_ROUTE, 500, "GENERATION_FAILED"),
    (ErrorCode.CANCELLED, 500, "GENERATION_FAILED"),
    (ErrorCode.OVERLOADED, 500, "GENERATION_FAILED"),
    (ErrorCode.INTERNAL, 500, "GENERATION_FAILED"),
]


def shown(error: PorticoError) -> dict[str, str]:
    body = json.loads(bytes(render_error(error).body))
    assert list(body) == ["error"]
    return body["error"]


def test_every_error_code_has_a_rendering():
    assert set(ERRORS) == set(ErrorCode) == {code for code, _, _ in PAGE}


@pytest.mark.parametrize(("code", "status", "word"), PAGE)
def test_error_has_the_pages_status_and_code(code: ErrorCode, status: int, word: str):
    error = PorticoError(code, "as said")

    assert render_error(error).status_code == status
    assert shown(error)["code"] == word


def test_bad_key_is_told_in_the_pages_words():
    error = PorticoError(ErrorCode.UNAUTHENTICATED, "Invalid API key")

    assert shown(error) == {"message": "Invalid or missing API key", "code": "UNAUTHORIZED"}


def test_wait_is_told_in_whole_seconds():
    error = PorticoError(ErrorCode.RATE_LIMITED, "Too many requests", retry_after_s=7.2)

    assert render_error(error).headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("param", "message", "expected"),
    [
        # the catalogue's names become the page's
        ("ratio", "ratio must be one of 16:9, 1:1", "aspect_ratio must be one of 16:9, 1:1"),
        ("audio", "audio must be true or false", "generate_audio must be true or false"),
        ("reference_image", "reference_image is required", "image_url is required"),
        # what is wrong with a file does not name it: the field goes in front
        ("first_frame", "Not a direct link", "image_url: Not a direct link"),
        # names that are the same stay as they are
        ("duration", "duration must be one of 4, 8, 12", "duration must be one of 4, 8, 12"),
    ],
)
def test_field_at_fault_has_the_pages_name(param: str, message: str, expected: str):
    error = PorticoError(ErrorCode.INVALID_REQUEST, message, param=param)

    assert shown(error)["message"] == expected
