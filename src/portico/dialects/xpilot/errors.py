"""How xPilot says what went wrong: `{"error": {"message", "code"}}`.

The page lists six codes; NOT_FOUND, and the statuses 404, 405, 409, 413 and 415, are our choice.
A suspended account is 401: the page has no 403.
"""

from starlette.responses import Response

from portico.core.errors import ErrorCode, PorticoError
from portico.dialects.body import json_answer
from portico.dialects.endpoint import with_retry_after
from portico.dialects.spelling import respelled

BAD_KEY = "Invalid or missing API key"  # the page's own words

ERRORS: dict[ErrorCode, tuple[int, str]] = {
    ErrorCode.INVALID_REQUEST: (400, "INVALID_PARAMS"),
    ErrorCode.UNKNOWN_MODEL: (400, "INVALID_MODEL"),
    ErrorCode.UNSUPPORTED_OPTION: (400, "INVALID_PARAMS"),
    ErrorCode.MEDIA_UNREACHABLE: (400, "INVALID_PARAMS"),
    ErrorCode.MEDIA_REJECTED: (400, "INVALID_PARAMS"),
    ErrorCode.PAYLOAD_TOO_LARGE: (413, "INVALID_PARAMS"),
    ErrorCode.UNSUPPORTED_ENCODING: (415, "INVALID_PARAMS"),
    ErrorCode.UNAUTHENTICATED: (401, "UNAUTHORIZED"),
    ErrorCode.ACCOUNT_SUSPENDED: (401, "UNAUTHORIZED"),
    ErrorCode.NOT_ALLOWED: (401, "UNAUTHORIZED"),
    ErrorCode.INSUFFICIENT_CREDITS: (402, "INSUFFICIENT_CREDITS"),
    ErrorCode.RATE_LIMITED: (429, "RATE_LIMITED"),
    ErrorCode.CONCURRENCY_LIMITED: (429, "RATE_LIMITED"),
    ErrorCode.IDEMPOTENCY_CONFLICT: (409, "INVALID_PARAMS"),
    ErrorCode.PATH_NOT_FOUND: (404, "NOT_FOUND"),
    ErrorCode.METHOD_NOT_ALLOWED: (405, "INVALID_PARAMS"),
    ErrorCode.TASK_NOT_FOUND: (404, "NOT_FOUND"),
    ErrorCode.RESULT_NOT_READY: (404, "NOT_FOUND"),
    ErrorCode.RESULT_EXPIRED: (404, "NOT_FOUND"),
    ErrorCode.CONTENT_REFUSED: (400, "INVALID_PARAMS"),
    ErrorCode.NO_ROUTE: (500, "GENERATION_FAILED"),
    ErrorCode.UPSTREAM_FAILED: (500, "GENERATION_FAILED"),
    ErrorCode.UPSTREAM_TIMEOUT: (500, "GENERATION_FAILED"),
    ErrorCode.CANCELLED: (500, "GENERATION_FAILED"),
    ErrorCode.OVERLOADED: (500, "GENERATION_FAILED"),
    ErrorCode.INTERNAL: (500, "GENERATION_FAILED"),
}

# canonical name -> the page's
FIELDS = {
    "ratio": "aspect_ratio",
    "audio": "generate_audio",
    "first_frame": "image_url",
    "reference_image": "image_url",
}


def render_error(error: PorticoError) -> Response:
    """Render an error as an HTTP answer."""
    status, code = ERRORS[error.code]
    unknown = error.code is ErrorCode.UNAUTHENTICATED
    message = BAD_KEY if unknown else respelled(error, FIELDS).message
    body = {"error": {"message": message, "code": code}}
    return with_retry_after(json_answer(body, status=status), error)
