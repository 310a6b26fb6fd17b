"""Run one render: a JSON line on standard input, JSON lines on standard output.

Started as `python -m portico.providers.local.child`, one process per job. It limits itself
before it reads anything, ends when its parent's pipe closes, and never opens a URL.
"""

import os
import sys
import threading
from typing import BinaryIO

import msgspec

from portico.core.errors import ErrorCode, PorticoError
from portico.providers.local.limits import limit_self
from portico.providers.local.request import (
    Progress,
    Refused,
    Rendered,
    RenderRequest,
    Report,
)

_REQUEST_BYTES_MAX = 1024 * 1024
_PROGRESS_STEP = 0.02


def main() -> int:
    """Serve one request and return the exit code: 0 rendered, 1 refused."""
    out = sys.stdout.buffer
    line = sys.stdin.buffer.readline(_REQUEST_BYTES_MAX)
    try:
        request = msgspec.json.decode(line, type=RenderRequest)
    except msgspec.DecodeError:
        _say(out, Refused(code=ErrorCode.INTERNAL, message="The render request is unreadable"))
        return 1
    limit_self(request.limits)
    if request.watch_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    last = _render(request, out)
    _say(out, last)
    return 0 if isinstance(last, Rendered) else 1


def _render(request: RenderRequest, out: BinaryIO) -> Rendered | Refused:
    told = 0.0

    def tell(done: float) -> None:
        nonlocal told
        if done - told >= _PROGRESS_STEP:
            told = done
            _say(out, Progress(min(done, 1.0)))

    try:
        from portico.providers.local.drawing.works import render  # noqa: PLC0415 - after the limits

        return render(request, tell)
    except PorticoError as error:
        return Refused(code=error.code, message=error.message, detail=str(error.facts or ""))
    except MemoryError:
        return Refused(code=ErrorCode.UPSTREAM_FAILED, message="The render needs too much memory")
    except Exception as error:  # noqa: BLE001 - the child's last word must always be a report
        detail = f"{type(error).__name__}: {error}"[:500]
        return Refused(
            code=ErrorCode.UPSTREAM_FAILED, message="The local renderer failed", detail=detail
        )


def _say(out: BinaryIO, report: Report) -> None:
    out.write(msgspec.json.encode(report) + b"\n")
    out.flush()


def _end_with_parent() -> None:
    """Wait for the end of standard input, which only comes when the parent is gone."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
