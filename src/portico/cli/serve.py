"""`portico serve`: start the server."""

from collections.abc import Callable
from typing import Annotated

import typer

from portico import __version__
from portico.app import App
from portico.cli import demo as demonstration
from portico.cli.logs import set_up
from portico.cli.options import Data, plain, read_settings
from portico.cli.server import run_server
from portico.flows.administer import Desk
from portico.settings import Settings

app = plain()


@app.command()
def serve(
    *,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; 127.0.0.1 unless set.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port to listen on; 8080 unless set.")
    ] = None,
    data: Data = None,
    demo: Annotated[
        bool,
        typer.Option("--demo", help="Make a demo account with 1,000 credits, and print its key."),
    ] = False,
) -> None:
    """Start the server, and run until Ctrl-C or SIGTERM.

    Without --demo no account exists until you make one with `portico account create`. With
    --demo the server listens on this machine only.
    """
    settings = read_settings(data, host=host, port=port)
    if demo and not demonstration.is_loopback(settings.host):
        message = f"--demo listens on this machine only, not on {settings.host}."
        raise typer.BadParameter(message, param_hint="--host")
    set_up(level=settings.log_level, as_json=settings.log_json)
    run_server(settings, _demo if demo else _plain)


async def _demo(app: App) -> Callable[[], None]:
    desk, folder = _desk(app), app.settings.folder
    key = await demonstration.ensure_account(desk, folder)
    text = demonstration.banner(
        version=__version__,
        url=app.settings.shown_url,
        key=key,
        credits_left=await demonstration.available(desk),
    )
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
