"""Options that several commands share, and how settings are read for them."""

from pathlib import Path
from typing import Annotated

import typer

from portico.core.errors import ErrorCode, PorticoError
from portico.settings import Settings, load

DEMO_KEY_FILE = "demo-key"  # in the data folder: `serve` keeps the demo account's key there

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


def read_settings(data: Path | None = None, **given: object) -> Settings:
    """Read the settings; options of the command win over all.

    Raises:
        PorticoError: INVALID_REQUEST naming the setting that cannot be used.
    """
    try:
        return load(None, data=None if data is None else str(data), **given)
    except ValueError as error:
        raise refusal(str(error)) from error


def refusal(message: str) -> PorticoError:
    """Return the error that ends a command with exit code 1 and one line."""
    return PorticoError(ErrorCode.INVALID_REQUEST, message)
