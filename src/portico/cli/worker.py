"""`portico worker`: run tasks without answering requests, where that is a process of its own."""

import sys

import typer

from portico.cli.options import plain

app = plain()


@app.command()
def worker() -> None:
    """Say where tasks run: with the embedded database, inside `portico serve`.

    Several processes on one database come with a later version; until then this command
    always ends with exit code 2.
    """
    print(
        "portico: with the embedded database tasks run inside `portico serve`; "
        "there is nothing for a worker to do",
        file=sys.stderr,
    )
    raise typer.Exit(2)
