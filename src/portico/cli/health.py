"""`portico health`: ask a running server how it is; what a container's health check runs."""

import http.client
from typing import Annotated

import typer

from portico.cli.configuration import read_settings
from portico.cli.failure import refusal
from portico.cli.options import Data, Json, plain
from portico.cli.output import answer
from portico.settings import Settings

app = plain()

ANSWER_WITHIN_S = 5.0
_ANY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask


@app.command()
def health(
    *,
    ready: Annotated[
        bool, typer.Option("--ready", help="Ask whether database and storage work, too.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65_535, help="Port to ask at, as `portico worker --port` has one."),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Ask the server on this machine whether it is alive; exit code 1 when it is not.

    The address is that of PORTICO_HOST and PORTICO_PORT, unless --port says another. Costs the
    server nothing worth counting.
    """
    settings = read_settings(data, port=port)
    path = "/readyz" if ready else "/healthz"
    status = _ask(settings, path)
    good = status == http.client.OK
    answer({"good": good, "path": path, "status": status}, f"{path}: {status}", as_json=as_json)
    if not good:
        raise typer.Exit(1)


def _ask(settings: Settings, path: str) -> int:
    host = _ANY_ADDRESS.get(settings.host, settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=ANSWER_WITHIN_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        message = f"no server answers at {host} port {settings.port}: {error}"
        raise refusal(message) from None
    finally:
        connection.close()
