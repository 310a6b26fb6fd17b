"""`portico worker`: run tasks without answering requests, beside processes that do."""

from typing import Annotated

import typer

from portico.app import App
from portico.cli.configuration import read_settings
from portico.cli.failure import refusal
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
        message = (
            "with the embedded database tasks run inside `portico serve`; a worker needs "
            "PORTICO_DATABASE_URL=postgresql://…"
        )
        raise refusal(message)
    if not settings.queue_names:
        message = "a worker that takes no tasks has nothing to do: --queues render,upstream"
        raise refusal(message)
    set_up(level=settings.log_level, as_json=settings.log_json)
    if port is None:
        run_tasks(settings, lambda: print("Portico runs tasks", flush=True))
    else:
        run_server(settings, _ready, only_health=True)


async def _ready(started: App) -> None:
    print(f"Portico runs tasks; its health is at {started.settings.shown_url}/readyz", flush=True)
