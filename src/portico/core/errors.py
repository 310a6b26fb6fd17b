"""The one error Portico raises on purpose, with its closed set of codes.

There is no HTTP here: the same fact is 402 in one dialect, 400 in another and 429 in a
third, so each dialect owns a total table from code to status and body.
"""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Everything that may go wrong and that somebody outside may be told about."""

    INVALID_REQUEST = "invalid_request"
    UNKNOWN_MODEL = "unknown_model"
    UNSUPPORTED_OPTION = "unsupported_option"
    MEDIA_UNREACHABLE = "media_unreachable"
    MEDIA_REJECTED = "media_rejected"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    UNAUTHENTICATED = "unauthenticated"
    ACCOUNT_SUSPENDED = "account_suspended"
    NOT_ALLOWED = "not_allowed"
    INSUFFICIENT_CREDITS = "insufficient_credits"
    RATE_LIMITED = "rate_limited"
    CONCURRENCY_LIMITED = "concurrency_limited"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    PATH_NOT_FOUND = "path_not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TASK_NOT_FOUND = "task_not_found"
    RESULT_NOT_READY = "result_not_ready"
    RESULT_EXPIRED = "result_expired"
    CONTENT_REFUSED = "content_refused"
    NO_ROUTE = "no_route"
    UPSTREAM_FAILED = "upstream_failed"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    CANCELLED = "cancelled"
    OVERLOADED = "overloaded"
    INTERNAL = "internal"


class Fault(StrEnum):
    """Who has to act on an error; decides log level, alerts and whether a retry makes sense."""

    CLIENT = "client"
    OPERATOR = "operator"
    UPSTREAM = "upstream"
    PORTICO = "portico"


FAULTS: dict[ErrorCode, Fault] = dict.fromkeys(ErrorCode, Fault.CLIENT) | {
    ErrorCode.ACCOUNT_SUSPENDED: Fault.OPERATOR,
    ErrorCode.NO_ROUTE: Fault.OPERATOR,
    ErrorCode.UPSTREAM_FAILED: Fault.UPSTREAM,
    ErrorCode.UPSTREAM_TIMEOUT: Fault.UPSTREAM,
    ErrorCode.OVERLOADED: Fault.PORTICO,
    ErrorCode.INTERNAL: Fault.PORTICO,
}


class PorticoError(Exception):
    """A failure somebody outside may be told about.

    Args:
        code: what happened, from the closed set.
        message: short English, safe to show a customer: never an upstream's text, URL or key.
        param: the request field at fault, in the caller's own spelling.
        retry_after_s: how long to wait before the same request may work, in seconds.
        facts: for the operator's log only (ids, sizes, codes; never keys or prompts).
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        **facts: object,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        self.facts = facts

    @property
    def fault(self) -> Fault:
        """Who has to act on this error."""
        return FAULTS[self.code]
