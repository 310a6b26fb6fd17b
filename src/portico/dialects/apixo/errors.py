"""How APIXO says what went wrong: the HTTP status is the envelope's `code`, `data` is null.

The page lists 400, 401 and 429, and two of the words for failed tasks (`FAIL_CODE`); the other
statuses are ours, the other words stand on the vendor's general pages.
"""

from starlette.responses import Response

from portico.core.errors import ErrorCode, PorticoError
from portico.dialects.apixo.wire import Envelope
from portico.dialects.body import json_answer
from portico.dialects.endpoint import Rules, with_retry_after

STATUS: dict[ErrorCode, int] = {
    ErrorCode.INVALID_REQUEST: 400,
    ErrorCode.UNKNOWN_MODEL: 404,  # the model is a part of the path
    ErrorCode.UNSUPPORTED_OPTION: 400,
    ErrorCode.MEDIA_UNREACHABLE: 400,
    ErrorCode.MEDIA_REJECTED: 400,
    ErrorCode.PAYLOAD_TOO_LARGE: 413,
    ErrorCode.UNSUPPORTED_ENCODING: 415,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.ACCOUNT_SUSPENDED: 401,
    ErrorCode.NOT_ALLOWED: 403,
    ErrorCode.INSUFFICIENT_CREDITS: 400,  # 402 on the vendor's newer pages: a setting
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.CONCURRENCY_LIMITED: 429,
    ErrorCode.IDEMPOTENCY_CONFLICT: 409,
    ErrorCode.PATH_NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.TASK_NOT_FOUND: 404,
    ErrorCode.RESULT_NOT_READY: 400,
    ErrorCode.RESULT_EXPIRED: 404,
    ErrorCode.CONTENT_REFUSED: 400,
    ErrorCode.NO_ROUTE: 503,
    ErrorCode.UPSTREAM_FAILED: 500,
    ErrorCode.UPSTREAM_TIMEOUT: 500,
    ErrorCode.CANCELLED: 400,
    ErrorCode.OVERLOADED: 503,
    ErrorCode.INTERNAL: 500,
}

# the page's own words, whatever the flows say
MESSAGE: dict[ErrorCode, str] = {
    ErrorCode.UNAUTHENTICATED: "Invalid or missing API Key",
    ErrorCode.INSUFFICIENT_CREDITS: "Insufficient credits",
    ErrorCode.RATE_LIMITED: "Rate limit exceeded",
    ErrorCode.CONCURRENCY_LIMITED: "Concurrent task limit exceeded",
    ErrorCode.UNKNOWN_MODEL: "Model not found",
    ErrorCode.TASK_NOT_FOUND: "Task not found",
    ErrorCode.PATH_NOT_FOUND: "Not found",
}

# what a failed task's `failCode` says; our codes that no task can end with say the general word
FAIL_CODE: dict[ErrorCode, str] = dict.fromkeys(ErrorCode, "GENERATION_FAILED") | {
    ErrorCode.CONTENT_REFUSED: "CONTENT_VIOLATION",
    ErrorCode.MEDIA_UNREACHABLE: "INVALID_IMAGE_URL",
    ErrorCode.MEDIA_REJECTED: "INVALID_IMAGE_URL",
    ErrorCode.PAYLOAD_TOO_LARGE: "IMAGE_TOO_LARGE",
    ErrorCode.UPSTREAM_TIMEOUT: "PROCESSING_TIMEOUT",
    ErrorCode.NO_ROUTE: "MODEL_UNAVAILABLE",
    ErrorCode.UNKNOWN_MODEL: "MODEL_UNAVAILABLE",
    ErrorCode.INSUFFICIENT_CREDITS: "INSUFFICIENT_CREDITS",
}

PAYMENT_REQUIRED = 402


def render_error(error: PorticoError, *, insufficient_status: int = 400) -> Response:
    """Render an error as an HTTP answer."""
    status = STATUS[error.code]
    if error.code is ErrorCode.INSUFFICIENT_CREDITS:
        status = insufficient_status
    body = Envelope(code=status, message=MESSAGE.get(error.code, error.message))
    return with_retry_after(json_answer(body, status=status), error)


def insufficient_status(rules: Rules) -> int:
    """Return the operator's status for an empty account: 402 when set so, else the page's 400."""
    wanted = rules.options.get("insufficient_status")
    if wanted == PAYMENT_REQUIRED:
        return PAYMENT_REQUIRED
    return STATUS[ErrorCode.INSUFFICIENT_CREDITS]
