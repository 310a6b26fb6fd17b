"""Start one render child and follow it to its end, whatever that end is."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

import portico
from portico.core.errors import ErrorCode, PorticoError
from portico.providers.local.request import (
    COVER_NAME,
    OUTPUT_STEM,
    PART_PREFIX,
    Progress,
    Refused,
    Rendered,
    RenderRequest,
    Report,
)

_LINE_BYTES_MAX = 1024 * 1024
_BOOT = (
    "import runpy, sys; sys.path.append(sys.argv.pop(1)); "
    "runpy.run_module('portico.providers.local.child', run_name='__main__', alter_sys=True)"
)
_ROOT = str(Path(next(iter(portico.__path__))).parent)
_ENVIRONMENT = {
    "PATH": os.defpath,
    "LANG": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


async def run_child(
    request: RenderRequest,
    *,
    on_progress: Callable[[float], None],
    on_start: Callable[[int], None] = lambda _: None,
) -> Rendered:
    """Render in a child process of its own group, and return what it made.

    When this is cancelled, times out or the child fails, the whole group is killed and its
    files are removed.

    Raises:
        PorticoError: the child's own code, or UPSTREAM_FAILED when it died or ran too long.
    """
    process = await _spawn()
    on_start(process.pid)
    finished = False
    try:
        async with asyncio.timeout(request.limits.wall_s):
            last = await _follow(process, request, on_progress)
            await process.wait()
        finished = isinstance(last, Rendered)
    except TimeoutError:
        raise PorticoError(ErrorCode.UPSTREAM_FAILED, "The render took too long") from None
    finally:
        kill_group(process)
        await asyncio.shield(process.wait())
        if not finished:
            remove_files(Path(request.folder))
    if isinstance(last, Rendered):
        return last
    if isinstance(last, Refused):
        raise PorticoError(ErrorCode(last.code), last.message, detail=last.detail)
    raise PorticoError(
        ErrorCode.UPSTREAM_FAILED, "The render process died", exit_code=process.returncode
    )


def kill_group(process: asyncio.subprocess.Process) -> None:
    """Kill the child and everything it started; nothing happens when it has ended."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def remove_files(folder: Path) -> None:
    """Remove what a child may have left in its folder."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        ours = path.name.startswith((PART_PREFIX, f"{OUTPUT_STEM}.")) or path.name == COVER_NAME
        if ours and path.is_file():
            path.unlink(missing_ok=True)


async def _spawn() -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-c", _BOOT, _ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=_ENVIRONMENT,
            limit=_LINE_BYTES_MAX,
            close_fds=True,
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise PorticoError(
            ErrorCode.UPSTREAM_FAILED, "The render process could not start"
        ) from error


async def _follow(
    process: asyncio.subprocess.Process,
    request: RenderRequest,
    on_progress: Callable[[float], None],
) -> Report | None:
    """Hand the request over, pass progress on, and return the child's last report."""
    if process.stdin is None or process.stdout is None:
        return None
    last: Report | None = None
    with contextlib.suppress(ConnectionError, ValueError, msgspec.DecodeError):
        process.stdin.write(msgspec.json.encode(request) + b"\n")
        await process.stdin.drain()
        async for line in process.stdout:
            last = msgspec.json.decode(line, type=Report)
            if isinstance(last, Progress):
                on_progress(last.done)
    return last
