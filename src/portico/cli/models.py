"""`portico models`: list what can be made, and what it costs."""

from typing import Annotated

import typer

from portico.catalogue import Catalogue
from portico.catalogue.offerings import Offering
from portico.catalogue.prices import Price, Rule, version_at
from portico.cli.configuration import read_settings
from portico.cli.failure import refusal
from portico.cli.options import Data, Json, plain
from portico.cli.output import answer, print_table
from portico.cli.provider import read_catalogue
from portico.core.clock import Instant, SystemClock
from portico.core.errors import PorticoError
from portico.core.jobs import Kind, MediaAsk, MediaInput
from portico.core.money import format_credits
from portico.dialects import BUILDERS

app = plain()

_ANY_URL = "https://example.com/file"  # stands for an input when a price is asked for


@app.command()
def models(
    *,
    dialect: Annotated[
        str, typer.Option("--dialect", "-d", help="Whose names: portico, xiaoyang, xpilot, …")
    ] = "portico",
    kind: Annotated[Kind | None, typer.Option(help="Only text, image or video.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List what can be made under a dialect's names, and what it costs with its defaults.

    Needs no running server. Prices are in credits.
    """
    if dialect not in BUILDERS:
        message = f"no dialect {dialect}; there are: {', '.join(BUILDERS)}"
        raise refusal(message)
    catalogue = read_catalogue(read_settings(data))
    now = SystemClock().now()
    rows = [_row(catalogue, each, now) for each in catalogue.offerings(dialect, kind)]
    if as_json:
        answer({"models": rows}, "", as_json=True)
        return
    print_table(
        ("MODEL", "KIND", "MODES", "PRICE"),
        ((row["name"], row["kind"], row["modes"], row["price"]) for row in rows),
    )


def _row(catalogue: Catalogue, offering: Offering, now: Instant) -> dict[str, str]:
    variant = f" {offering.variant}" if offering.variant else ""
    return {
        "name": offering.name + variant,
        "title": offering.title,
        "kind": offering.kind.value,
        "modes": ", ".join(mode.value for mode in offering.modes) or "chat",
        "price": _price(catalogue, offering, now),
    }


def _price(catalogue: Catalogue, offering: Offering, now: Instant) -> str:
    """Say what a job with nothing but defaults costs, and how that came about."""
    try:
        price = version_at(offering.prices, now)
        if price.rule is Rule.PER_LLM_TOKEN:
            return _text_price(price)
        quote = catalogue.quote(catalogue.resolve(_plainest(offering)), at=now)
    except PorticoError as error:
        return f"- ({error.message})"
    amount = format_credits(quote.amount)
    return amount if price.rule is Rule.FLAT else f"{amount} ({quote.lines[0].label})"


def _text_price(price: Price) -> str:
    read, written = format_credits(price.input), format_credits(price.output)
    return f"{read} in, {written} out, per million LLM tokens"


def _plainest(offering: Offering) -> MediaAsk:
    """Return the least that can be asked of the offering's first mode."""
    mode, rules = next(iter(offering.modes.items()))
    inputs = tuple(
        MediaInput(role, url=_ANY_URL)
        for role, rule in rules.inputs.items()
        for _ in range(rule.minimum)
    )
    return MediaAsk(
        dialect=offering.dialect,
        name=offering.name,
        variant=offering.variant,
        function=offering.function,
        kind=offering.kind,
        mode=mode,
        prompt="a lake",
        inputs=inputs,
    )
