"""`portico backup`: copy the database to a file, also while the server runs."""

from pathlib import Path
from typing import Annotated

import typer

from portico.cli.desk import at_desk
from portico.cli.failure import refusal
from portico.cli.options import Data, Json, plain
from portico.cli.output import answer
from portico.flows.administer import Desk

app = plain()


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; must not exist yet.")],
    *,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Copy the whole database to a file, at one moment, also while the server runs.

    Copy the folder with the files afterwards, and secret.key from the data folder with them.
    """
    target = file.absolute()
    if target.exists():
        message = f"{target} exists already"
        raise refusal(message)
    if not target.parent.is_dir():
        message = f"there is no folder {target.parent}"
        raise refusal(message)

    async def copy(desk: Desk) -> None:
        await desk.store.copy_to(str(target))

    at_desk(data, copy)
    size_bytes = target.stat().st_size
    text = f"Copied the database to {target} ({size_bytes:,} bytes)."
    answer({"file": str(target), "size_bytes": size_bytes}, text, as_json=as_json)
