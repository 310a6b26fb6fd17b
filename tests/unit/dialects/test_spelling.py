"""Errors name the field at fault as the caller spelt it."""

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.dialects.spelling import respelled

FIELDS = {"ratio": "input.aspect_ratio", "mode": "input.mode", "first_frame": "image_url"}


@pytest.mark.parametrize(
    ("param", "message", "expected"),
    [
        # the name stands in the message
        ("ratio", "ratio must be one of 16:9", "input.aspect_ratio must be one of 16:9"),
        # as a word of its own only
        ("mode", "This model has no such mode", "This model has no such input.mode"),
        # it does not
        ("first_frame", "Cannot fetch this URL", "image_url: Cannot fetch this URL"),
        # a name the wire does not have
        ("count", "count must be 1", "count must be 1"),
        # no name at all
        (None, "ratio and mode", "ratio and mode"),
    ],
)
def test_message_names_the_callers_own_field(param: str | None, message: str, expected: str):
    error = PorticoError(ErrorCode.INVALID_REQUEST, message, param=param)

    assert respelled(error, FIELDS).message == expected


def test_everything_else_of_the_error_is_kept():
    error = PorticoError(
        ErrorCode.RATE_LIMITED, "ratio", param="ratio", retry_after_s=3, direct=False
    )

    other = respelled(error, FIELDS)

    assert (other.code, other.param, other.retry_after_s, other.facts) == (
        ErrorCode.RATE_LIMITED,
        "input.aspect_ratio",
        3,
        {"direct": False},
    )
