"""`portico serve`: start the server."""

import argparse
from collections.abc import Callable
from pathlib import Path

from portico import __version__
from portico.app import App
from portico.cli import demo as demonstration
from portico.cli.configuration import read_settings
from portico.cli.logs import set_up
from portico.cli.server import run_server
from portico.flows.administer import Desk
from portico.settings import Settings

PORT_MAX = 65_535
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
    set_up(level=settings.log_level, as_json=settings.log_json)
    run_server(settings, _demo if given.demo else _plain)


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
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= PORT_MAX):
        message = f"{text!r} is not a port from 0 to {PORT_MAX}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


async def _demo(app: App) -> Callable[[], None]:
    desk, folder = _desk(app), app.settings.folder
    key = await demonstration.ensure_account(desk, folder)
    left = await demonstration.available(desk)
    text = demonstration.banner(app.settings, key=key, credits_left=left)
    return lambda: print(text, flush=True)


async def _plain(app: App) -> Callable[[], None]:
    text = _first_steps(app.settings)
    return lambda: print(text, flush=True)


def _first_steps(settings: Settings) -> str:
    return f"Portico {__version__} is ready at {settings.shown_url}/"


def _desk(app: App) -> Desk:
    gateway = app.gateway
    assert gateway is not None  # it has started
    return Desk(store=gateway.store, clock=gateway.clock, ids=gateway.ids)
