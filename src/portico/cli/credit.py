"""`portico credit`: give an account credits."""

from typing import Annotated

import typer

from portico.cli.desk import at_desk
from portico.cli.options import Data, Email, Json, group
from portico.cli.output import answer
from portico.core.money import format_credits, parse_credits
from portico.flows import administer

app = group("Give an account credits.")


@app.command()
def grant(
    email: Email,
    amount: Annotated[str, typer.Argument(metavar="N", help="How many, such as 100 or 12.5.")],
    *,
    reason: Annotated[str, typer.Option(help="Why, for the account's statement.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Give an account credits. Every call adds; the reason stays on record."""
    given = parse_credits(amount)
    balance = at_desk(data, lambda desk: administer.grant(desk, email, amount=given, reason=reason))
    available, held = format_credits(balance.available), format_credits(balance.held)
    text = f"Granted {format_credits(given)}; {available} credits are available now."
    answer({"available": available, "held": held}, text, as_json=as_json)
