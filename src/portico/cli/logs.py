"""Logs: one line an event, of ids, sizes, durations and codes only.

What may be logged is an allow-list of field names, and every text must look like an id or a
code. So a prompt, a key or a signed link cannot get into a log, whatever a line of code passes.
"""

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, TextIO

import msgspec
import structlog

from portico.cli.failure import refusal

LEVELS = ("debug", "info", "warning", "error")
_IDS = {"account_id", "asset_id", "attempt_id", "delivery_id", "key_id", "request_id", "task_id"}
_MEASURES = {
    "count",
    "differences",
    "duration_ms",
    "duration_s",
    "for_s",
    "open_tasks",
    "retry_after_s",
    "size_bytes",
}
_CODES = {"cause", "check", "code", "dialect", "direct", "errno", "error", "exit_code", "kind"}
_MORE_CODES = {"library", "number", "port", "provider", "refusal", "signal", "stage", "state"}
_OF_ROUTES = {"credential", "model", "trouble"}  # the first is a credential's name
FIELDS = frozenset(_IDS | _MEASURES | _CODES | _MORE_CODES | _OF_ROUTES | {"offering", "status"})
_OWN = {"event", "level", "time", "message", "trace"}  # written by this module alone
_CODE = re.compile(r"[\w.:+/@-]{1,120}", re.ASCII)
_SPEAKERS = ("asyncio", "uvicorn")  # libraries whose messages hold no values of requests
_FRAMES_MAX = 12
_MESSAGE_LENGTH_MAX = 200

Event = MutableMapping[str, Any]


def set_up(*, level: str, as_json: bool, stream: TextIO | None = None) -> None:
    """Send every log line of this process, our own and the libraries', to one stream.

    Raises:
        PorticoError: INVALID_REQUEST for a level that is none.
    """
    if level.lower() not in LEVELS:
        message = f"PORTICO_LOG_LEVEL must be one of: {', '.join(LEVELS)}"
        raise refusal(message)
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            describe_error,
            keep_allowed,
            render_json if as_json else render_text,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[FromLibraries()], level=max(number, logging.WARNING), force=True)
    # what the web server warns of, anybody on the network can cause at will
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    logging.getLogger("uvicorn.access").disabled = True


def keep_allowed(_: object, __: str, event: Event) -> Event:
    """Drop every field that is not listed, and every value that is not a number or a code."""
    kept = {name: event[name] for name in _OWN if name in event}
    for name, value in event.items():
        if name in FIELDS:
            kept[name] = value if value is None or isinstance(value, (int, float)) else _code(value)
    return kept


def describe_error(_: object, __: str, event: Event) -> Event:
    """Replace an exception by its kind and its place; its words may be a customer's."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        event["trace"] = " < ".join(_places(error.__traceback__))
        cause = error.__cause__ or error.__context__
        if cause is not None:
            event["cause"] = type(cause).__name__
    return event


def render_text(_: object, __: str, event: Event) -> str:
    """Write an event for a person: time, level, what happened, then its fields."""
    head = [event.pop(name, "") for name in ("time", "level", "event")]
    words = (f"{name}={value}" for name, value in sorted(event.items()))
    return " ".join([f"{head[0]} {head[1]:<7} {head[2]}", *words])


def render_json(_: object, __: str, event: Event) -> str:
    """Write an event as one JSON object."""
    return msgspec.json.encode(event, order="sorted").decode()


class FromLibraries(logging.Handler):
    """Takes what libraries log: who, how bad, and the fixed part of the message."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on, without the values that were put into its message."""
        known = record.name.startswith(_SPEAKERS)
        message = str(record.msg).partition("\n")[0][:_MESSAGE_LENGTH_MAX] if known else ""
        printable = "".join(each for each in message if each.isprintable())
        structlog.get_logger().log(
            min(record.levelno, logging.CRITICAL),
            "library_message",
            library=record.name,
            message=printable,
            exc_info=record.exc_info,
        )


def _places(trace: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(trace)[-_FRAMES_MAX:]
    return [f"{_short(frame.filename)}:{frame.lineno}" for frame in reversed(frames)]


def _short(path: str) -> str:
    return "/".join(path.split("/")[-2:])


def _code(value: object) -> str:
    text = str(value)
    return text if _CODE.fullmatch(text) else f"<{type(value).__name__}>"
