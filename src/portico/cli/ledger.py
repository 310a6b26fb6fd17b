"""`portico ledger`: check the money."""

import typer

from portico.cli.desk import at_desk
from portico.cli.options import Data, Json, group
from portico.cli.output import answer
from portico.core.money import format_credits
from portico.flows import administer
from portico.ledger import Difference

app = group("Check the money.")


@app.command()
def verify(*, data: Data = None, as_json: Json = False) -> None:
    """Recompute every balance, hold and charge, also while the server runs.

    Exit code 0: everything adds up. Exit code 1: something does not; each difference is printed.
    """
    found = at_desk(data, administer.verify)
    result = {"sound": not found, "differences": [_view(each) for each in found]}
    text = "\n".join(map(_line, found)) or "The ledger is sound."
    answer(result, text, as_json=as_json)
    if found:
        raise typer.Exit(1)


def _view(found: Difference) -> dict[str, object]:
    return {
        "what": found.what,
        "account_id": found.account_id,
        "stored": format_credits(found.stored),
        "computed": format_credits(found.computed),
    }


def _line(found: Difference) -> str:
    stored, computed = format_credits(found.stored), format_credits(found.computed)
    whose = f" of {found.account_id}" if found.account_id else ""
    return f"{found.what}{whose}: {stored} is stored, {computed} is right"
