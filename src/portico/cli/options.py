"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Folder with everything Portico keeps."),
]
Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")]
Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The account's e-mail address.")]


def group(about: str) -> typer.Typer:
    """Return a command that has commands below it."""
    made = typer.Typer(
        rich_markup_mode=None,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    made.callback(help=about)(lambda: None)
    return made


def plain() -> typer.Typer:
    """Return a place for one command; its help and errors are plain text."""
    return typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
