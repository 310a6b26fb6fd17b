"""How XiaoYang says what went wrong: `{"detail": "…"}`, always a string.

The page lists 400, 401, 402, 403, 404 and 502; 405, 409, 413, 415 and 429 are ours.
"""

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
    ErrorCode.RESULT_NOT_READY: 400,  # the page has neither 409 nor 425
    ErrorCode.RESULT_EXPIRED: 404,
    ErrorCode.CONTENT_REFUSED: 400,
    ErrorCode.NO_ROUTE: 502,
    ErrorCode.UPSTREAM_FAILED: 502,
    ErrorCode.UPSTREAM_TIMEOUT: 502,
    ErrorCode.CANCELLED: 400,
    ErrorCode.OVERLOADED: 502,
    ErrorCode.INTERNAL: 502,
}

# the page's own words, whatever the flows say
DETAIL: dict[ErrorCode, str] = {
    ErrorCode.UNAUTHENTICATED: "Invalid API key",
    ErrorCode.INSUFFICIENT_CREDITS: "Không đủ credit",
    ErrorCode.ACCOUNT_SUSPENDED: "Account suspended",
    ErrorCode.TASK_NOT_FOUND: "Task not found",
    ErrorCode.RESULT_NOT_READY: "Task not finished",
    ErrorCode.PATH_NOT_FOUND: "Not found",
}

_DIRECT_MEDIA = frozenset({ErrorCode.MEDIA_UNREACHABLE, ErrorCode.MEDIA_REJECTED})


def render_error(error: PorticoError) -> Response:
    """Render an error as an HTTP answer."""
    detail = DETAIL.get(error.code) or worded(error.code, error.message)
    answer = json_answer({"detail": detail}, status=STATUS[error.code])
    return with_retry_after(answer, error)


def worded(code: ErrorCode, message: str) -> str:
    """Put the page's mark before whatever is wrong with a media link, at submit and later."""
    return f"E_DIRECT_MEDIA_URL: {message}" if code in _DIRECT_MEDIA else message
