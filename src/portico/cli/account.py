"""`portico account`: create, show, suspend and resume accounts."""

from typing import Annotated

import typer

from portico.app import server_secret
from portico.cli.configuration import read_settings
from portico.cli.desk import at_desk
from portico.cli.options import Data, Email, Json, group
from portico.cli.output import answer
from portico.core.money import format_credits, parse_credits
from portico.flows import administer

app = group("Create, show, suspend and resume accounts.")


@app.command()
def create(
    *,
    email: Annotated[str, typer.Option(metavar="EMAIL", help="Its address; one account each.")],
    amount: Annotated[
        str, typer.Option("--credits", metavar="N", help="Credits to begin with, such as 12.5.")
    ] = "0",
    admin: Annotated[
        bool, typer.Option("--admin", help="The account belongs to an operator of this server.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Create an account. It needs a key before it can do anything: `portico key create`."""
    opening = parse_credits(amount)
    account = at_desk(
        data,
        lambda desk: administer.create_account(desk, email, amount=opening, is_operator=admin),
        creates=True,
    )
    shown = format_credits(opening)
    result = {"account_id": account.id, "email": account.email, "available": shown}
    answer(result, f"Created {account.email} with {shown} credits.", as_json=as_json)


@app.command()
def show(email: Email, *, data: Data = None, as_json: Json = False) -> None:
    """Show an account: whether it may work, and what it has."""
    sheet = at_desk(data, lambda desk: administer.show_account(desk, email))
    result = {
        "account_id": sheet.account.id,
        "email": sheet.account.email,
        "status": sheet.account.status,
        "admin": sheet.account.is_operator,
        "available": format_credits(sheet.balance.available),
        "held": format_credits(sheet.balance.held),
        "keys": len([key for key in sheet.keys if key.revoked_at is None]),
    }
    text = "\n".join(f"{name:<11} {value}" for name, value in result.items())
    answer(result, text, as_json=as_json)


@app.command()
def suspend(email: Email, *, data: Data = None, as_json: Json = False) -> None:
    """Refuse an account's requests from now on; tasks under way still end and are settled."""
    account = at_desk(data, lambda desk: administer.set_suspended(desk, email, suspended=True))
    result = {"account_id": account.id, "email": account.email, "status": account.status}
    answer(result, f"{account.email} is suspended.", as_json=as_json)


@app.command()
def resume(email: Email, *, data: Data = None, as_json: Json = False) -> None:
    """Let a suspended account work again."""
    account = at_desk(data, lambda desk: administer.set_suspended(desk, email, suspended=False))
    result = {"account_id": account.id, "email": account.email, "status": account.status}
    answer(result, f"{account.email} may work again.", as_json=as_json)


@app.command("webhook-secret")
def webhook_secret(email: Email, *, data: Data = None, as_json: Json = False) -> None:
    """Print the secret with which an account checks that callbacks come from here."""
    secret = server_secret(read_settings(data))
    found = at_desk(data, lambda desk: administer.webhook_secret(desk, secret, email))
    answer({"webhook_secret": found}, found, as_json=as_json)
