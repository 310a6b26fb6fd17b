"""`portico key`: create, list and revoke API keys."""

from typing import Annotated

import typer

from portico.accounts import KeyLimits
from portico.accounts.model import KeyView
from portico.cli.desk import at_desk
from portico.cli.options import Data, Json, group
from portico.cli.output import answer, print_table, shown_date
from portico.core.clock import DAY_MS, SystemClock
from portico.core.money import format_credits, parse_credits
from portico.flows import administer

app = group("Create, list and revoke API keys.")

Account = Annotated[
    str, typer.Option("--account", metavar="EMAIL", help="Whose key: the account's address.")
]


@app.command()
def create(  # noqa: PLR0913 - one argument an option
    *,
    account: Account,
    name: Annotated[str, typer.Option(help="A word to know it by, such as laptop.")] = "",
    prefix: Annotated[str, typer.Option(help="What the key begins with.")] = "sk-",
    expires_days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="Days until it stops working.")
    ] = None,
    credits_max: Annotated[
        str | None, typer.Option(metavar="N", help="Credits this key may spend in all.")
    ] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(min=1, help="Requests a minute.")
    ] = None,
    open_tasks_max: Annotated[int | None, typer.Option(min=1, help="Tasks under way at once.")] = (
        None
    ),
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Create a key and print it. This is the only time: only its hash is kept."""
    days_ms = None if expires_days is None else expires_days * DAY_MS
    limits = KeyLimits(
        requests_per_minute=requests_per_minute,
        open_tasks_max=open_tasks_max,
        credits_max=None if credits_max is None else parse_credits(credits_max),
        expires_at=None if days_ms is None else SystemClock().now() + days_ms,
    )
    made = at_desk(
        data,
        lambda desk: administer.create_key(desk, account, name=name, prefix=prefix, limits=limits),
    )
    answer({"key": made.key, "key_id": made.key_id}, made.key, as_json=as_json)


@app.command("list")
def list_keys(*, account: Account, data: Data = None, as_json: Json = False) -> None:
    """List an account's keys; the keys themselves cannot be shown again."""
    sheet = at_desk(data, lambda desk: administer.show_account(desk, account))
    if as_json:
        answer({"keys": [_view(key) for key in sheet.keys]}, "", as_json=True)
        return
    print_table(
        ("KEY ID", "NAME", "KEY", "CREATED", "EXPIRES", "REVOKED"),
        (
            (
                key.id,
                key.name or "-",
                f"{key.prefix}…{key.last_four}",
                shown_date(key.created_at),
                shown_date(key.expires_at),
                shown_date(key.revoked_at),
            )
            for key in sheet.keys
        ),
    )


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY_ID_OR_KEY", help="Its id, or the key itself.")],
    *,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a key useless from the next request on; it cannot be taken back."""
    at_desk(data, lambda desk: administer.revoke_key(desk, key))
    answer({"revoked": True}, "Revoked.", as_json=as_json)


def _view(key: KeyView) -> dict[str, object]:
    return {
        "key_id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "last_four": key.last_four,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "credits_max": None if key.credits_max is None else format_credits(key.credits_max),
        "spent": format_credits(key.spent),
    }
