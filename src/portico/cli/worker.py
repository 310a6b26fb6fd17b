"""`portico worker`: run tasks without answering requests, beside processes that do."""

import sys
from typing import Annotated, NoReturn

import typer

from portico.app import App
from portico.cli.configuration import read_settings
from portico.cli.logs import set_up
from portico.cli.options import Data, plain
from portico.cli.server import run_server, run_tasks
from portico.store.open import is_postgres

app = plain()


@app.command()
def worker(
    *,
    queues: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Kinds of tasks to take: render,upstream."),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address for /healthz, /readyz and /metrics.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Port for these; without it, nothing listens."),
    ] = None,
    data: Data = None,
) -> None:
    """Run tasks until Ctrl-C or SIGTERM, on the same Postgres database as `portico serve`.

    With the embedded database tasks run inside `portico serve`, and this command ends at once.
    """
    settings = read_settings(data, queues=queues, host=host, port=port)
    if not is_postgres(settings.database):
        _nothing_to_do(
            "with the embedded database tasks run inside `portico serve`; a worker needs "
            "PORTICO_DATABASE_URL=postgresql://…"
        )
    if not settings.queue_names:
        _nothing_to_do("a worker without queues takes nothing: --queues render,upstream")
    set_up(level=settings.log_level, as_json=settings.log_json)
    if port is None:
        run_tasks(settings, lambda: print("Portico runs tasks", flush=True))
    else:
        run_server(settings, _ready, only_health=True)


def _nothing_to_do(why: str) -> NoReturn:
    print(f"portico: {why}", file=sys.stderr)
    raise typer.Exit(2)


async def _ready(started: App) -> None:
    print(f"Portico runs tasks; its health is at {started.settings.shown_url}/readyz", flush=True)
