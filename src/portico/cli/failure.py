"""How a command ends when it cannot do what was asked: one line on stderr, exit code 1."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from portico.core.errors import ErrorCode, PorticoError


def refusal(message: str) -> PorticoError:
    """Return the error that ends a command with this line."""
    return PorticoError(ErrorCode.INVALID_REQUEST, message)


@contextmanager
def one_clear_line() -> Iterator[None]:
    """End the process with one line for whatever was foreseen; bugs keep their trace."""
    try:
        yield
    except PorticoError as error:
        cause = error.__cause__
        _end(f"{error.message} ({cause})" if isinstance(cause, _OUTSIDE) else error.message)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except _OUTSIDE as error:
        _end(str(error))


_OUTSIDE = (OSError, sqlite3.Error)


def _end(line: str) -> NoReturn:
    print(f"portico: {line}", file=sys.stderr)
    sys.exit(1)
