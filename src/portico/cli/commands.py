"""Every command's name and its line in `portico --help`; each is imported when it runs."""

import importlib
from typing import Annotated, Any

import typer
import typer.core
from typer.main import get_command

from portico import __version__

COMMANDS = {
    "serve": "Start the server.",
    "generate": "Make a picture or video with a running server, and save it.",
    "models": "List what can be made, and what it costs.",
    "account": "Create, show, suspend and resume accounts.",
    "key": "Create, list and revoke API keys.",
    "credit": "Give an account credits.",
    "ledger": "Check the money.",
    "margins": "Show what was charged, and what upstreams took for it.",
    "usage": "Say what was used and what it cost, by day, model or key.",
    "provider": "Connect upstreams, and list who makes what is asked for.",
    "route": "Say where a request would go, and why.",
    "health": "Ask a running server whether it is alive.",
    "emulate": "Stand in for a vendor's service on this machine.",
    "doctor": "Check this installation, and say what to do about what is wrong.",
    "backup": "Copy the database to a file, also while the server runs.",
    "copy": "Copy the database into an empty one, of the same kind or another.",
    "import": "Take over the accounts, keys, balances and channels of new-api or one-api.",
    "price": "Put prices from a file into the catalogue.",
    "migrate": "Bring the database to the newest schema.",
    "worker": "Run tasks without answering requests.",
}
_MODULES = {"import": "importing"}  # no module can have this name


class Commands(typer.core.TyperGroup):
    """The outermost command; knows every other by name, and imports the one that is run."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for name, line in COMMANDS.items():
            self.commands[name] = typer.core.TyperCommand(name, help=line)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return all names in the order of the table above."""
        return list(self.commands) if ctx else []

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that is asked for, and import it."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in COMMANDS else command, rest


def load(name: str) -> Any:
    """Import one command."""
    return get_command(importlib.import_module(f"portico.cli.{_MODULES.get(name, name)}").app)


app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # it would print the values of variables
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - a callback of the option
    if wanted:
        print(f"portico {__version__}")
        raise typer.Exit


@app.callback(epilog="Each command explains itself: portico COMMAND --help")
def portico(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Run a credit-metered gateway for generated text, image and video."""
