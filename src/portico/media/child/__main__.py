"""One request in, one answer out, within limits set before the first byte is decoded (M3)."""

import ctypes
import json
import os
import resource
import sys
from typing import Any

from portico.media.child.refusal import Refusal, RefusedError

NICENESS = 10
DESCRIPTORS_MAX = 64
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000


def main() -> None:
    """Answer the request on standard input as JSON on standard output."""
    request = json.loads(sys.stdin.buffer.read())
    limit_resources(request["limits"])
    lock_down()
    try:
        answer: dict[str, Any] = {"facts": perform(request)}
    except RefusedError as error:
        answer = {"refusal": error.refusal}
    except Exception:  # noqa: BLE001 - decoders raise anything: a broken file, whatever it is
        answer = {"refusal": Refusal.BROKEN}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)  # decoders may have left threads and exit hooks behind


def perform(request: dict[str, Any]) -> dict[str, Any]:
    """Inspect or strip one file; only the library that is needed is loaded."""
    if request["media_type"].startswith("image/"):
        from portico.media.child import pictures  # noqa: PLC0415 - 30 ms

        if request["verb"] == "strip":
            pictures.strip(request["path"], request["media_type"], to=request["to"])
            return {}
        return pictures.inspect(request)
    from portico.media.child import films  # noqa: PLC0415 - 60 ms

    return films.inspect(request)


def limit_resources(limits: dict[str, int]) -> None:
    """Limit memory, processor time, written bytes and descriptors of this process for good."""
    os.nice(NICENESS)
    for kind, amount in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_CPU, limits["cpu_s"]),
        (resource.RLIMIT_FSIZE, limits["written_bytes"]),
        (resource.RLIMIT_NOFILE, DESCRIPTORS_MAX),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (amount, amount))


def lock_down() -> None:
    """Give up new privileges and the network; best effort, for not every system allows it."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


if __name__ == "__main__":
    main()
