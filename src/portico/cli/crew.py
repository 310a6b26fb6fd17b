"""Several API processes on one port: a parent that starts them, watches them, replaces them.

All take connections from one listening socket, which the parent keeps open: while one process
makes room for its successor, what comes in goes to the others, and nothing is turned away.
"""

import asyncio
import os
import signal
import socket
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence

import msgspec
import structlog

from portico.cli.berth import Berth
from portico.cli.failure import refusal
from portico.cli.server import BACKLOG, bind, stop_takes_s
from portico.settings import Settings
from portico.store.open import is_postgres

READY_WITHIN_S = 30.0
AGAIN_MIN_S, AGAIN_MAX_S = 0.5, 30.0  # between a crash and the next start
SHORT_LIFE_S = 60.0  # who lived longer did not die of its start
DRAIN_S = 3  # unless it is set: clients that go on asking move to another process meanwhile
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # by this the library sums over processes
_log = structlog.get_logger("portico.crew")


def run_crew(
    settings: Settings, arguments: list[str], *, size: int, announce: Callable[[Settings], None]
) -> None:
    """Keep several processes serving on one port until a signal says stop.

    Args:
        settings: port 0 takes any free port.
        arguments: those of `portico serve`, for every process.
        size: how many processes.
        announce: called once all are ready, with the port that was taken.

    Raises:
        PorticoError: INVALID_REQUEST when the database is one process's alone, the address
            cannot be used, or a process does not start.
    """
    if not is_postgres(settings.database):
        message = "several processes need a Postgres database: set PORTICO_DATABASE_URL"
        raise refusal(message)
    listener = bind(settings)
    listener.listen(BACKLOG)
    settings = msgspec.structs.replace(settings, port=listener.getsockname()[1])
    share = max(1, (os.cpu_count() or 1) // size)
    settings = msgspec.structs.replace(settings, drain_s=settings.drain_s or DRAIN_S)
    os.environ["PORTICO_RENDER_PROCESSES"] = str(settings.render_processes or share)
    os.environ["PORTICO_DRAIN_S"] = str(settings.drain_s)
    with tempfile.TemporaryDirectory(prefix="portico-metrics-") as folder:
        os.environ[METRICS_FOLDER] = folder
        crew = Crew(
            [sys.executable, "-m", "portico", "serve", *arguments, "--workers", "1", "--berth"],
            listener,
            size=size,
            stop_within_s=stop_takes_s(settings),
            ready=lambda: announce(settings),
        )
        asyncio.run(crew.run())


class Crew:
    """Keeps so many processes running until it is told to stop.

    SIGTERM and SIGINT stop all of them in order, a second one at once; SIGHUP replaces them one
    after the other, each only when its successor is ready. One that is replaced leaves the port to
    the others; those that stop together learn it from their lifeline, and answer while they drain.

    Args:
        command: starts one process; its berth is added at the end.
        listener: the socket that all of them take connections from.
        size: how many there are.
        stop_within_s: what a process may take to end.
        ready: called once, when all are ready.
    """

    def __init__(
        self,
        command: Sequence[str],
        listener: socket.socket,
        *,
        size: int,
        stop_within_s: float,
        ready: Callable[[], None],
    ) -> None:
        self._command = command
        self._listener = listener
        self._size = size
        self._stop_within_s = stop_within_s
        self._ready = ready
        self._members: set[Process] = set()
        self._starting: set[Process] = set()
        self._leaving: set[Process] = set()  # replaced, and told to stop
        self._keeping: set[asyncio.Task[None]] = set()
        self._deaths = 0  # soon after a start, one after the other
        self._stopping = asyncio.Event()
        self._replacing = asyncio.Lock()
        self._lifeline = os.pipe()

    async def run(self) -> None:
        """Start all, keep all, stop all.

        Raises:
            PorticoError: INVALID_REQUEST when one cannot even start.
        """
        self._obey_signals()
        try:
            first = await asyncio.gather(*(self._start() for _ in range(self._size)))
            if not all(first):
                message = "a process did not start; its own words are above"
                raise refusal(message)
            for each in first:
                self._keep(each)
            self._ready()
            await self._stopping.wait()
        finally:
            for task in tuple(self._keeping):
                task.cancel()
            self._listener.close()  # what the processes do not take any more is refused at once
            os.close(self._lifeline[1])
            for each in self._starting:
                if each.returncode is None:
                    each.terminate()
            await asyncio.gather(*(self._ended(each) for each in tuple(self._members)))
            os.close(self._lifeline[0])

    async def _start(self) -> Process | None:
        """Start one process; returns it once it takes connections, None when it never did."""
        ready, tell_ready = os.pipe()
        berth = Berth(self._listener.fileno(), tell_ready, self._lifeline[0])
        process = await asyncio.create_subprocess_exec(
            *self._command,
            berth.text,
            pass_fds=(berth.listener, berth.ready, berth.lifeline),
            start_new_session=True,  # a Ctrl-C reaches the parent alone, which passes it on
        )
        os.close(tell_ready)
        self._members.add(process)
        self._starting.add(process)
        is_ready = await _written(ready, within_s=READY_WITHIN_S)
        self._starting.discard(process)
        if is_ready:
            return process
        await self._end(process)
        return None

    def _keep(self, member: Process | None) -> None:
        if member is not None:
            task = asyncio.create_task(self._watch(member))
            self._keeping.add(task)
            task.add_done_callback(self._keeping.discard)

    async def _watch(self, member: Process) -> None:
        """Put another process in the place of one that dies."""
        began_s = time.monotonic()
        status = await member.wait()
        self._members.discard(member)
        if member in self._leaving:
            self._leaving.discard(member)
            return
        _log.error("process_died", status=status)
        again_s = AGAIN_MIN_S
        if time.monotonic() - began_s < SHORT_LIFE_S:
            self._deaths += 1
            again_s = min(AGAIN_MAX_S, AGAIN_MIN_S * 2**self._deaths)
        else:
            self._deaths = 0
        while True:
            await asyncio.sleep(again_s)
            if successor := await self._start():
                break
            again_s = AGAIN_MAX_S
        self._keep(successor)

    async def _replace_all(self) -> None:
        """Replace one process after the other; the old one goes when the new one is ready."""
        async with self._replacing:
            for old in tuple(self._members - self._leaving):
                successor = await self._start()
                if successor is None:
                    _log.error("successor_did_not_start")
                    return
                self._keep(successor)
                self._leaving.add(old)
                await self._end(old)
            _log.info("all_replaced")

    async def _end(self, member: Process) -> None:
        """Tell one process to stop, and wait until it has."""
        if member.returncode is None:
            member.terminate()
        await self._ended(member)

    async def _ended(self, member: Process) -> None:
        """Wait until a process has stopped, and end it when it takes too long."""
        try:
            async with asyncio.timeout(self._stop_within_s):
                await member.wait()
        except TimeoutError:
            _log.error("process_did_not_stop")
            member.kill()
            await member.wait()
        self._members.discard(member)

    def _obey_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._renew)

    def _stop(self) -> None:
        if self._stopping.is_set():  # a second signal: nothing rests on stopping in order
            for each in self._members:
                each.kill()
        self._stopping.set()

    def _renew(self) -> None:
        if self._stopping.is_set():
            return
        task = asyncio.create_task(self._replace_all())
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)


async def _written(pipe: int, *, within_s: float) -> bool:
    """Wait until something is written to a pipe; False when its other end is closed first."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[bool] = loop.create_future()

    def read() -> None:
        if not arrived.done():
            arrived.set_result(bool(os.read(pipe, 1)))

    loop.add_reader(pipe, read)
    try:
        async with asyncio.timeout(within_s):
            return await arrived
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(pipe)
        os.close(pipe)
