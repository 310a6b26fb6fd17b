"""What a bucket's errors mean, in a word: their own text may hold addresses, bodies and key ids."""

import os
import re

from portico.core.errors import ErrorCode, PorticoError

RETRY_AFTER_S = 5
_NO_BUCKET = frozenset({"NoSuchBucket", "ContainerNotFound"})
_CODE = re.compile(r"<Code>([A-Za-z]{1,64})</Code>")
_STATUS = re.compile(r"status code: ([0-9]{3})")
_PAST_END = re.compile(r"status code: 416\b|\bStartTooLarge\b")
_SHAPES = (
    (re.compile(r"\bkind: Timeout\b|operation timed out"), "no answer in time"),
    (re.compile(r"\bkind: Connect\b"), "no connection"),
    (re.compile(r"\bBadScheme\b"), "http is not allowed (AWS_ALLOW_HTTP)"),
    (re.compile(r"\bMissingAccount\b"), "no account is named"),
    (re.compile(r"\bUnrecognised\b"), "it names no bucket"),
)


def word_for(error: BaseException) -> str:
    """Return the store's own code or status, or what became of the connection."""
    if isinstance(error, OSError) and error.errno:  # of this machine, not of the bucket
        return os.strerror(error.errno)
    text = str(error)
    if found := _CODE.search(text) or _STATUS.search(text):
        return found[1]
    said = next((word for shape, word in _SHAPES if shape.search(text)), None)
    return said or type(error).__name__


def is_missing(error: BaseException) -> bool:
    """Whether one file has gone, and not the whole bucket."""
    return isinstance(error, FileNotFoundError) and word_for(error) not in _NO_BUCKET


def is_past_end(error: BaseException) -> bool:
    """Whether a part was asked for that begins where the file has ended already."""
    return _PAST_END.search(str(error)) is not None


def unavailable(error: BaseException) -> PorticoError:
    """Return the refusal of everybody's requests while a bucket is away."""
    return PorticoError(
        ErrorCode.OVERLOADED,
        "Storage is unavailable, try again",
        retry_after_s=RETRY_AFTER_S,
        kind=type(error).__name__,
    )


def shortened(error: BaseException) -> OSError:
    """Return an error that may be shown to an operator in place of the library's own."""
    return OSError(word_for(error))
