"""How Yuanjing says what went wrong: `{"error": "…"}`, on the chat path too.

The page lists 401, 400, and 429 for an empty balance; every other status is our choice. Clients
of OpenAI's kind retry a 429, so the one for an empty balance forbids it and the one for too many
requests says when to come back.
"""

from starlette.responses import Response

from portico.core.errors import ErrorCode, PorticoError
from portico.dialects.body import json_answer
from portico.dialects.endpoint import with_retry_after
from portico.dialects.spelling import respelled

STATUS: dict[ErrorCode, int] = {
    ErrorCode.INVALID_REQUEST: 400,
    ErrorCode.UNKNOWN_MODEL: 400,
    ErrorCode.UNSUPPORTED_OPTION: 400,
    ErrorCode.MEDIA_UNREACHABLE: 400,
    ErrorCode.MEDIA_REJECTED: 400,
    ErrorCode.PAYLOAD_TOO_LARGE: 413,
    ErrorCode.UNSUPPORTED_ENCODING: 415,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.ACCOUNT_SUSPENDED: 401,
    ErrorCode.NOT_ALLOWED: 401,
    ErrorCode.INSUFFICIENT_CREDITS: 429,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.CONCURRENCY_LIMITED: 429,
    ErrorCode.IDEMPOTENCY_CONFLICT: 409,
    ErrorCode.PATH_NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.TASK_NOT_FOUND: 404,
    ErrorCode.RESULT_NOT_READY: 404,
    ErrorCode.RESULT_EXPIRED: 404,
    ErrorCode.CONTENT_REFUSED: 400,
    ErrorCode.NO_ROUTE: 500,
    ErrorCode.UPSTREAM_FAILED: 500,
    ErrorCode.UPSTREAM_TIMEOUT: 500,
    ErrorCode.CANCELLED: 500,
    ErrorCode.OVERLOADED: 503,
    ErrorCode.INTERNAL: 500,
}

# the page's own words, and one to tell too many requests from too little money
TEXT: dict[ErrorCode, str] = {
    ErrorCode.UNAUTHENTICATED: "Invalid API Key",
    ErrorCode.INSUFFICIENT_CREDITS: "Insufficient balance",
    ErrorCode.RATE_LIMITED: "Too many requests",
}

# canonical name -> the page's
FIELDS = {
    "first_frame": "image1_file",
    "last_frame": "image2_file",
    "reference_image": "image_files",
    "reference_video": "video_files",
    "reference_audio": "audio_files",
}
_MISSING = " is required"


def render_error(error: PorticoError) -> Response:
    """Render an error as an HTTP answer."""
    answer = json_answer({"error": text_of_error(error)}, status=STATUS[error.code])
    if error.code is ErrorCode.INSUFFICIENT_CREDITS:
        answer.headers["x-should-retry"] = "false"
        return answer
    return with_retry_after(answer, error)


def text_of_error(error: PorticoError) -> str:
    """Say what went wrong as the page would, with fields in its spelling."""
    if fixed := TEXT.get(error.code):
        return fixed
    message = respelled(error, FIELDS).message
    if error.code is ErrorCode.INVALID_REQUEST and message.endswith(_MISSING):
        name = message.removesuffix(_MISSING)
        return f"Missing required parameter: {'model' if name == 'variant' else name}"
    return message
