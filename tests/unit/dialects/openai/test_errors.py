"""Every error code has OpenAI's status, type and code, and says whether to try again."""

import json

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.dialects.openai.errors import ERRORS, error_body, render_error, spelled

REQUEST = "invalid_request_error"
SERVER = "server_error"
TABLE = [
    (ErrorCode.INVALID_REQUEST, 400, REQUEST, None),
    (ErrorCode.UNKNOWN_MODEL, 404, REQUEST, "model_not_found"),
    (ErrorCode.UNSUPPORTED_OPTION, 400, REQUEST, "unsupported_parameter"),
    (ErrorCode.MEDIA_UNREACHABLE, 400, REQUEST, "invalid_image_url"),
    (ErrorCode.MEDIA_REJECTED, 400, REQUEST, "invalid_image_file"),
    (ErrorCode.PAYLOAD_TOO_LARGE, 413, REQUEST, "request_too_large"),
    (ErrorCode.UNSUPPORTED_ENCODING, 415, REQUEST, "unsupported_encoding"),
    (ErrorCode.UNAUTHENTICATED, 401, REQUEST, "invalid_api_key"),
    (ErrorCode.ACCOUNT_SUSPENDED, 403, REQUEST, "account_deactivated"),
    (ErrorCode.NOT_ALLOWED, 403, REQUEST, "insufficient_permissions"),
    (ErrorCode.INSUFFICIENT_CREDITS, 429, "insufficient_quota", "insufficient_quota"),
    (ErrorCode.RATE_LIMITED, 429, "requests", "rate_limit_exceeded"),
    (ErrorCode.CONCURRENCY_LIMITED, 429, "requests", "rate_limit_exceeded"),
    (ErrorCode.IDEMPOTENCY_CONFLICT, 409, REQUEST, "idempotency_conflict"),
    (ErrorCode.PATH_NOT_FOUND, 404, REQUEST, "unknown_url"),
    (ErrorCode.METHOD_NOT_ALLOWED, 405, REQUEST, "method_not_supported"),
    (ErrorCode.TASK_NOT_FOUND, 404, REQUEST, "not_found"),
    (ErrorCode.RESULT_NOT_READY, 400, REQUEST, "not_ready"),
    (ErrorCode.RESULT_EXPIRED, 404, REQUEST, "expired"),
    (ErrorCode.CONTENT_REFUSED, 400, REQUEST, "moderation_blocked"),
    (ErrorCode.NO_ROUTE, 502, SERVER, "no_upstream"),
    (ErrorCode.UPSTREAM_FAILED, 502, SERVER, "generation_failed"),
    (ErrorCode.UPSTREAM_TIMEOUT, 504, SERVER, "generation_timeout"),
    (ErrorCode.CANCELLED, 400, REQUEST, "cancelled"),
    (ErrorCode.OVERLOADED, 503, SERVER, "overloaded"),
    (ErrorCode.INTERNAL, 500, SERVER, "internal_error"),
]


def test_every_error_code_has_its_words():
    assert set(ERRORS) == set(ErrorCode) == {row[0] for row in TABLE}


@pytest.mark.parametrize(("code", "status", "kind", "word"), TABLE)
def test_error_is_said_as_openai_does(code: ErrorCode, status: int, kind: str, word: str | None):
    answer = render_error(PorticoError(code, "as said", param="size"))

    assert answer.status_code == status
    assert json.loads(bytes(answer.body)) == {
        "error": {"message": "as said", "type": kind, "param": "size", "code": word}
    }


@pytest.mark.parametrize("code", [ErrorCode.INSUFFICIENT_CREDITS, ErrorCode.UPSTREAM_TIMEOUT])
def test_useless_repetition_is_forbidden(code: ErrorCode):
    answer = render_error(PorticoError(code, "no", retry_after_s=5))

    assert answer.headers["x-should-retry"] == "false"
    assert "retry-after" not in answer.headers


def test_useful_repetition_is_told_when():
    answer = render_error(PorticoError(ErrorCode.RATE_LIMITED, "slow down", retry_after_s=7))

    assert answer.headers["retry-after"] == "7"
    assert "x-should-retry" not in answer.headers


def test_field_at_fault_is_called_as_the_path_calls_it():
    with pytest.raises(PorticoError) as refused, spelled({"duration": "seconds"}):
        raise PorticoError(ErrorCode.INVALID_REQUEST, "duration must be 4", param="duration")

    assert (refused.value.message, refused.value.param) == ("seconds must be 4", "seconds")
    assert error_body(refused.value).param == "seconds"
