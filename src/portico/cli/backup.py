"""`portico backup`: copy the database to a file, also while the server runs."""

from pathlib import Path
from typing import Annotated

import typer

from portico.cli.configuration import read_settings
from portico.cli.desk import require_database
from portico.cli.failure import refusal
from portico.cli.options import Data, Json, plain
from portico.cli.output import answer
from portico.store.open import is_postgres, sqlite_path
from portico.store.sqlite import back_up

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
    settings = read_settings(data)
    if is_postgres(settings.database):
        message = f"copy a Postgres database with its own tool: pg_dump -Fc --file={target}"
        raise refusal(message)
    require_database(settings)
    back_up(sqlite_path(settings.database), target)
    size_bytes = target.stat().st_size
    text = f"Copied the database to {target} ({size_bytes:,} bytes)."
    answer({"file": str(target), "size_bytes": size_bytes}, text, as_json=as_json)
