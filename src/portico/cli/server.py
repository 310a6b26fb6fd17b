"""The life of one server process: listen, serve, stop in order."""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec
import structlog
import uvicorn

from portico.app import App
from portico.cli.berth import Berth
from portico.cli.connections import CONNECTIONS_MAX, IDLE_S, GuardedConnection
from portico.cli.failure import refusal
from portico.settings import Settings

FILES_BESIDE_CONNECTIONS = 1_024  # databases, results, uploads, connections to upstreams
BACKLOG = 2_048
DRAIN_LOOK_S = 0.05
CUT_OFF_WITHIN_S = 2.0
SETTLE_WITHIN_S = 0.2  # texts settle in tasks of their own, a commit or two after their request
HAND_OVER_WITHIN_S = 5.0  # tasks to other processes, and connections closed
_log = structlog.get_logger("portico.server")

Prepare = Callable[[App], Awaitable[Callable[[], None] | None]]


def run_server(
    settings: Settings,
    prepare: Prepare,
    *,
    berth: Berth | None = None,
    only_health: bool = False,
) -> None:
    """Serve until a signal says stop; a second signal ends the process at once.

    Args:
        settings: port 0 takes any free port.
        prepare: awaited once the application has started; what it returns is called once the
            server listens.
        berth: for one of several processes on one port, what its parent gave it.
        only_health: answer nothing but questions for this process's health.

    Raises:
        PorticoError: INVALID_REQUEST when the address cannot be used or the start fails.
    """
    listener = berth.take_listener() if berth else bind(settings)
    settings = msgspec.structs.replace(settings, port=listener.getsockname()[1])
    _allow_files(CONNECTIONS_MAX + FILES_BESIDE_CONNECTIONS)
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(_serve(App(settings, only_health=only_health), listener, prepare, berth))


def run_tasks(settings: Settings, announce: Callable[[], None]) -> None:
    """Run tasks, and listen to nobody, until a signal says stop.

    Raises:
        PorticoError: INVALID_REQUEST when the start fails.
    """
    _allow_files(FILES_BESIDE_CONNECTIONS)
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(_work(App(settings), announce))


def stop_takes_s(settings: Settings) -> float:
    """Return how many seconds after a stop signal a process has ended, at the latest."""
    requests_s = settings.drain_s + settings.stop_within_s + CUT_OFF_WITHIN_S + SETTLE_WITHIN_S
    streams_and_tasks_s = settings.stop_within_s / 2  # a quarter each
    return requests_s + streams_and_tasks_s + HAND_OVER_WITHIN_S


async def _work(app: App, announce: Callable[[], None]) -> None:
    await _start(app)
    announce()
    stopping = asyncio.Event()
    _end_by_signals(stopping.is_set, stopping.set)
    await stopping.wait()
    app.leave()
    await app.stop()
    _log.info("stopped")


async def _start(app: App) -> None:
    try:
        await app.start()
    except (OSError, ValueError) as error:
        message = f"cannot start: {error}"
        raise refusal(message) from None
    gc.collect()
    gc.freeze()  # what was made so far stays for ever: no later collection looks at it
    gc.enable()


async def _serve(app: App, listener: socket.socket, prepare: Prepare, berth: Berth | None) -> None:
    await _start(app)
    announce = await prepare(app)
    server = _Server(app, berth.announce if berth else announce, shares_port=berth is not None)
    _end_by_signals(lambda: server.should_exit, server.stop)
    if berth is not None:
        berth.watch(server.stop_with_all)
    try:
        await server.serve(sockets=[listener])
        await _let_go(server.server_state.tasks)
    finally:
        await app.stop()
    _log.info("stopped")


class _Server(uvicorn.Server):
    """uvicorn's server, with our signals, a word once it listens, and an end without a cut.

    Args:
        app: what answers.
        announce: called once it listens.
        shares_port: others take what comes in while this one ends.
    """

    def __init__(
        self,
        app: App,
        announce: Callable[[], None] | None,
        *,
        shares_port: bool = False,
    ) -> None:
        super().__init__(_config(app))
        self._app = app
        self._announce = announce
        self._shares_port = shares_port

    def stop(self) -> None:
        """Begin to stop."""
        self.should_exit = True

    def stop_with_all(self) -> None:
        """Begin to stop, as everyone on this port does: nobody else takes what comes in."""
        self._shares_port = False
        self.stop()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: `_end_by_signals` has them, until the application has stopped."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self._announce is not None:
            with suppress(BrokenPipeError):  # nobody reads what we print; the clients do not mind
                self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer those who are connected until they have moved on, then end the rest.

        Every answer from now on asks the client to connect anew, and readiness says no: whoever
        balances the load sends nothing more.
        """
        self._app.leave()
        if self._shares_port:
            for listening in self.servers:
                listening.close()
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._app.settings.drain_s
        while loop.time() < until_s:
            if self._shares_port and not self.server_state.connections:
                break
            await asyncio.sleep(DRAIN_LOOK_S)
        await super().shutdown(sockets)


async def _let_go(requests: set[asyncio.Task[None]]) -> None:
    """Wait for requests that were cut off: a text still settles what was delivered."""
    if requests:
        await asyncio.wait(requests, timeout=CUT_OFF_WITHIN_S)
        await asyncio.sleep(SETTLE_WITHIN_S)


def _end_by_signals(is_stopping: Callable[[], bool], begin: Callable[[], None]) -> None:
    def stop(number: int) -> None:
        if is_stopping():
            # Whatever is cut off here is taken up at the next start: nothing rests on stopping.
            sys.stdout.flush()
            os._exit(128 + number)
        _log.info("stopping", signal=number)
        begin()

    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop, int(each))


def _config(app: App) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=GuardedConnection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=app.settings.stop_within_s,
    )


def bind(settings: Settings) -> socket.socket:
    """Take the address before anything else is touched.

    Raises:
        PorticoError: INVALID_REQUEST when it is taken or not ours.
    """
    try:
        found = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        message = f"cannot listen on {settings.host} port {settings.port}: {reason}"
        raise refusal(message) from None
    listener.settimeout(0)
    return listener


def _allow_files(wanted: int) -> None:
    """Raise this process's own limit of open files, where it may."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - there is none on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _new_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop  # noqa: PLC0415 - there is none on Windows

    return uvloop.new_event_loop()
