"""How OpenAI says what went wrong: `{"error": {"message", "type", "param", "code"}}`.

Its client repeats 408, 409, 429 and everything from 500 on, unless `x-should-retry` says no: so no
final answer about a task uses those, and an empty account, which is 429 here, forbids it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from starlette.responses import Response

from portico.core.errors import ErrorCode, PorticoError
from portico.dialects.body import json_answer
from portico.dialects.endpoint import with_retry_after
from portico.dialects.openai.wire import ErrorBody
from portico.dialects.spelling import respelled

_REQUEST = "invalid_request_error"
_SERVER = "server_error"


class Words(NamedTuple):
    """How one error is said."""

    status: int
    type: str
    code: str | None


ERRORS: dict[ErrorCode, Words] = {
    ErrorCode.INVALID_REQUEST: Words(400, _REQUEST, None),
    ErrorCode.UNKNOWN_MODEL: Words(404, _REQUEST, "model_not_found"),
    ErrorCode.UNSUPPORTED_OPTION: Words(400, _REQUEST, "unsupported_parameter"),
    ErrorCode.MEDIA_UNREACHABLE: Words(400, _REQUEST, "invalid_image_url"),
    ErrorCode.MEDIA_REJECTED: Words(400, _REQUEST, "invalid_image_file"),
    ErrorCode.PAYLOAD_TOO_LARGE: Words(413, _REQUEST, "request_too_large"),
    ErrorCode.UNSUPPORTED_ENCODING: Words(415, _REQUEST, "unsupported_encoding"),
    ErrorCode.UNAUTHENTICATED: Words(401, _REQUEST, "invalid_api_key"),
    ErrorCode.ACCOUNT_SUSPENDED: Words(403, _REQUEST, "account_deactivated"),
    ErrorCode.NOT_ALLOWED: Words(403, _REQUEST, "insufficient_permissions"),
    ErrorCode.INSUFFICIENT_CREDITS: Words(429, "insufficient_quota", "insufficient_quota"),
    ErrorCode.RATE_LIMITED: Words(429, "requests", "rate_limit_exceeded"),
    ErrorCode.CONCURRENCY_LIMITED: Words(429, "requests", "rate_limit_exceeded"),
    ErrorCode.IDEMPOTENCY_CONFLICT: Words(409, _REQUEST, "idempotency_conflict"),
    ErrorCode.PATH_NOT_FOUND: Words(404, _REQUEST, "unknown_url"),
    ErrorCode.METHOD_NOT_ALLOWED: Words(405, _REQUEST, "method_not_supported"),
    ErrorCode.TASK_NOT_FOUND: Words(404, _REQUEST, "not_found"),
    ErrorCode.RESULT_NOT_READY: Words(400, _REQUEST, "not_ready"),
    ErrorCode.RESULT_EXPIRED: Words(404, _REQUEST, "expired"),
    ErrorCode.CONTENT_REFUSED: Words(400, _REQUEST, "moderation_blocked"),
    ErrorCode.NO_ROUTE: Words(502, _SERVER, "no_upstream"),
    ErrorCode.UPSTREAM_FAILED: Words(502, _SERVER, "generation_failed"),
    ErrorCode.UPSTREAM_TIMEOUT: Words(504, _SERVER, "generation_timeout"),
    ErrorCode.CANCELLED: Words(400, _REQUEST, "cancelled"),
    ErrorCode.OVERLOADED: Words(503, _SERVER, "overloaded"),
    ErrorCode.INTERNAL: Words(500, _SERVER, "internal_error"),
}

# one more try would cost the caller time and bring the same
_NEVER_AGAIN = frozenset({ErrorCode.INSUFFICIENT_CREDITS, ErrorCode.UPSTREAM_TIMEOUT})


def render_error(error: PorticoError) -> Response:
    """Render an error as an HTTP answer."""
    answer = json_answer({"error": error_body(error)}, status=ERRORS[error.code].status)
    if error.code in _NEVER_AGAIN:
        answer.headers["x-should-retry"] = "false"
        return answer
    return with_retry_after(answer, error)


def error_body(error: PorticoError) -> ErrorBody:
    """Return what stands under `error`, in an answer or in a stream."""
    words = ERRORS[error.code]
    return ErrorBody(error.message, words.type, error.param, words.code)


@contextmanager
def spelled(fields: Mapping[str, str]) -> Iterator[None]:
    """Name fields at fault as this path spells them; `fields` says how."""
    try:
        yield
    except PorticoError as error:
        raise respelled(error, fields) from error
