"""Limit the running process, before it touches anything it was given."""

import contextlib
import os
import sys

from portico.providers.local.request import RenderLimits

_NICE = 10
_THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def limit_self(limits: RenderLimits) -> None:
    """Cap CPU, memory, file size and core dumps of this process, and lower its priority.

    Memory is capped on Linux only: elsewhere the limit is unreliable.
    """
    for name in _THREAD_VARIABLES:
        os.environ[name] = "1"
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(50_000_000)
    with contextlib.suppress(OSError, AttributeError):
        os.nice(_NICE)
    try:
        import resource  # noqa: PLC0415 - absent on Windows
    except ImportError:
        return
    _cap(resource.RLIMIT_CPU, limits.cpu_s)
    _cap(resource.RLIMIT_FSIZE, limits.file_bytes)
    _cap(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":
        _cap(resource.RLIMIT_AS, limits.memory_bytes)


def _cap(kind: int, wanted: int) -> None:
    import resource  # noqa: PLC0415 - absent on Windows

    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (wanted, wanted))
