"""How Portico's own dialect says what went wrong: `{"error": {"code", "message", "param"}}`."""

from starlette.responses import Response

from portico.core.errors import ErrorCode, PorticoError
from portico.dialects.body import json_answer
from portico.dialects.endpoint import with_retry_after

STATUS: dict[ErrorCode, int] = {
    ErrorCode.INVALID_REQUEST: 400,
    ErrorCode.UNKNOWN_MODEL: 400,
    ErrorCode.UNSUPPORTED_OPTION: 400,
    ErrorCode.MEDIA_UNREACHABLE: 400,
    ErrorCode.MEDIA_REJECTED: 400,
    ErrorCode.PAYLOAD_TOO_LARGE: 413,
    ErrorCode.UNSUPPORTED_ENCODING: 415,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.ACCOUNT_SUSPENDED: 403,
    ErrorCode.NOT_ALLOWED: 403,
    ErrorCode.INSUFFICIENT_CREDITS: 402,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.CONCURRENCY_LIMITED: 429,
    ErrorCode.IDEMPOTENCY_CONFLICT: 409,
    ErrorCode.PATH_NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.TASK_NOT_FOUND: 404,
    ErrorCode.RESULT_NOT_READY: 409,
    ErrorCode.RESULT_EXPIRED: 410,
    ErrorCode.CONTENT_REFUSED: 400,
    ErrorCode.NO_ROUTE: 503,
    ErrorCode.UPSTREAM_FAILED: 502,
    ErrorCode.UPSTREAM_TIMEOUT: 504,
    ErrorCode.CANCELLED: 409,
    ErrorCode.OVERLOADED: 503,
    ErrorCode.INTERNAL: 500,
}


def render_error(error: PorticoError) -> Response:
    """Render an error as an HTTP answer."""
    body = {"error": {"code": error.code, "message": error.message, "param": error.param}}
    return with_retry_after(json_answer(body, status=STATUS[error.code]), error)
