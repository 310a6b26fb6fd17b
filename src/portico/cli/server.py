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
from portico.cli.connections import CONNECTIONS_MAX, IDLE_S, GuardedConnection
from portico.cli.failure import refusal
from portico.settings import Settings

FILES_BESIDE_CONNECTIONS = 1_024  # databases, results, uploads, connections to upstreams
BACKLOG = 2_048
CUT_OFF_WITHIN_S = 2.0
SETTLE_WITHIN_S = 0.2  # texts settle in tasks of their own, a commit or two after their request
_log = structlog.get_logger("portico.server")

Prepare = Callable[[App], Awaitable[Callable[[], None] | None]]


def run_server(settings: Settings, prepare: Prepare) -> None:
    """Serve until a signal says stop; a second signal ends the process at once.

    Args:
        settings: port 0 takes any free port.
        prepare: awaited once the application has started; what it returns is called once the
            server listens.

    Raises:
        PorticoError: INVALID_REQUEST when the address cannot be used or the start fails.
    """
    listener = _bind(settings)
    settings = msgspec.structs.replace(settings, port=listener.getsockname()[1])
    _allow_files(CONNECTIONS_MAX + FILES_BESIDE_CONNECTIONS)
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(_serve(settings, listener, prepare))


async def _serve(settings: Settings, listener: socket.socket, prepare: Prepare) -> None:
    app = App(settings)
    try:
        await app.start()
        announce = await prepare(app)
    except (OSError, ValueError) as error:
        message = f"cannot start: {error}"
        raise refusal(message) from None
    gc.collect()
    gc.freeze()  # what was made so far stays for ever: no later collection looks at it
    gc.enable()
    server = _Server(_config(app, settings), announce)
    _end_by_signals(server)
    try:
        await server.serve(sockets=[listener])
        await _let_go(server.server_state.tasks)
    finally:
        await app.stop()
    _log.info("stopped")


class _Server(uvicorn.Server):
    """uvicorn's server, with our signals, and a word once it listens."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._announce = announce

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


async def _let_go(requests: set[asyncio.Task[None]]) -> None:
    """Wait for requests that were cut off: a text still settles what was delivered."""
    if requests:
        await asyncio.wait(requests, timeout=CUT_OFF_WITHIN_S)
        await asyncio.sleep(SETTLE_WITHIN_S)


def _end_by_signals(server: _Server) -> None:
    def stop(number: int) -> None:
        if server.should_exit:
            # Whatever is cut off here is taken up at the next start: nothing rests on stopping.
            sys.stdout.flush()
            os._exit(128 + number)
        _log.info("stopping", signal=number)
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop, int(each))


def _config(app: App, settings: Settings) -> uvicorn.Config:
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
        timeout_graceful_shutdown=settings.stop_within_s,
    )


def _bind(settings: Settings) -> socket.socket:
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
