"""`portico serve`: start the server."""

import argparse
from collections.abc import Callable
from pathlib import Path

from portico import __version__
from portico.app import App
from portico.cli import demo as demonstration
from portico.cli.berth import Berth
from portico.cli.configuration import read_settings
from portico.cli.crew import run_crew
from portico.cli.logs import set_up
from portico.cli.server import run_server
from portico.flows.administer import Desk
from portico.settings import Settings

PORT_MAX = 65_535
WORKERS_MAX = 64
ABOUT = """Start the server, and run until Ctrl-C or SIGTERM. Without --demo no account exists
until you make one with `portico account create`."""


def serve(arguments: list[str]) -> None:
    """Run `portico serve` with these arguments, until it is told to stop.

    Raises:
        PorticoError: INVALID_REQUEST for unusable settings or a taken address.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    settings = read_settings(given.data, host=given.host, port=given.port)
    if given.demo and not demonstration.is_loopback(settings.host):
        parser.error(f"--demo listens on this machine only, not on {settings.host}")
    if given.workers > 1 and given.demo:
        parser.error("--demo is one process; leave out --workers")
    set_up(level=settings.log_level, as_json=settings.log_json)
    if given.workers > 1:
        run_crew(settings, arguments, size=given.workers, announce=_announce)
    else:
        run_server(settings, _demo if given.demo else _plain, berth=given.berth)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("portico serve", description=ABOUT, allow_abbrev=False)
    parser.add_argument("--host", help="address to listen on; 127.0.0.1 unless set")
    parser.add_argument("--port", type=_port, help="port to listen on; 8080 unless set")
    parser.add_argument(
        "--data", metavar="DIR", type=Path, help="folder with everything Portico keeps"
    )
    parser.add_argument(
        "--demo",
        action="store_true",
        help="make a demo account with 1,000 credits, print its key, and listen on this "
        "machine only",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=_size,
        default=1,
        help="so many API processes on one port, on a Postgres database; SIGHUP replaces them "
        "one after the other",
    )
    parser.add_argument("--berth", type=Berth.read, help=argparse.SUPPRESS)  # from `crew`
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= PORT_MAX):
        message = f"{text!r} is not a port from 0 to {PORT_MAX}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= WORKERS_MAX):
        message = f"{text!r} is not a number from 1 to {WORKERS_MAX}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


async def _demo(app: App) -> Callable[[], None]:
    desk, folder = _desk(app), app.settings.folder
    key = await demonstration.ensure_account(desk, folder)
    left = await demonstration.available(desk)
    text = demonstration.banner(app.settings, key=key, credits_left=left)
    return lambda: print(text, flush=True)


async def _plain(app: App) -> Callable[[], None]:
    return lambda: _announce(app.settings)


def _announce(settings: Settings) -> None:
    print(f"Portico {__version__} is ready at {settings.shown_url}/", flush=True)


def _desk(app: App) -> Desk:
    gateway = app.gateway
    assert gateway is not None  # it has started
    return Desk(store=gateway.store, clock=gateway.clock, ids=gateway.ids)
