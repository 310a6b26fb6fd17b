"""`portico import`: take over what new-api or one-api holds."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer

from portico.cli.configuration import read_settings
from portico.cli.desk import at_desk
from portico.cli.failure import refusal
from portico.cli.options import Data, Json, group
from portico.cli.output import answer
from portico.cli.workshop import open_workshop
from portico.credentials import checked_name
from portico.flows.administer import Desk
from portico.flows.adopt import adopt
from portico.flows.adopt_channels import Terms
from portico.flows.adoption import Adoption
from portico.flows.credentials import Workshop
from portico.predecessors import open_source

app = group("Take over the accounts, keys, balances and channels of new-api or one-api.")
NAME_LENGTH_MAX = 24  # the rest of a credential's name says which channel
RATE_MAX = 10**12

SourceName = Annotated[
    str, typer.Argument(metavar="SOURCE", help="SQLite file, MySQL dump, or postgresql://… URL.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
PerCredit = Annotated[
    str | None,
    typer.Option(
        "--quota-per-credit",
        metavar="N",
        help="Units of quota that make one credit; usually 5000, so that 1 USD is 100 credits.",
    ),
]
CompletionRatio = Annotated[
    str | None,
    typer.Option(
        "--completion-ratio",
        metavar="N",
        help="For texts whose ratio of written to read LLM tokens is not on record.",
    ),
]
Group = Annotated[
    str, typer.Option("--group", metavar="G", help="Whose channels and price ratio count.")
]
Name = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Of this source, where there are several of one kind."),
]
WithoutLimits = Annotated[
    bool,
    typer.Option(
        "--without-limits",
        help="Take tokens limited to models or addresses too; here nothing limits them.",
    ),
]


@app.command("new-api")
def new_api(  # noqa: PLR0913 - one argument an option
    source: SourceName,
    *,
    dry_run: DryRun = False,
    quota_per_credit: PerCredit = None,
    completion_ratio: CompletionRatio = None,
    group: Group = "default",
    name: Name = None,
    without_limits: WithoutLimits = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Take over a new-api: users, tokens, balances, channels and prices.

    The source is only read. A second run makes nothing twice. Begin with --dry-run.
    """
    given = (quota_per_credit, completion_ratio, group, name, without_limits)
    _run(source, _terms("new-api", given, data), data, dry_run=dry_run, as_json=as_json)


@app.command("one-api")
def one_api(  # noqa: PLR0913 - one argument an option
    source: SourceName,
    *,
    dry_run: DryRun = False,
    quota_per_credit: PerCredit = None,
    completion_ratio: CompletionRatio = None,
    group: Group = "default",
    name: Name = None,
    without_limits: WithoutLimits = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Take over a one-api: users, tokens, balances, channels and prices.

    The source is only read. A second run makes nothing twice. Begin with --dry-run.
    """
    given = (quota_per_credit, completion_ratio, group, name, without_limits)
    _run(source, _terms("one-api", given, data), data, dry_run=dry_run, as_json=as_json)


def read_number(option: str, text: str | None) -> Decimal | None:
    """Read a positive number.

    Raises:
        PorticoError: INVALID_REQUEST naming the option, for anything else.
    """
    if text is None:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(0)
    if not number.is_finite() or not Decimal(1) / RATE_MAX <= number <= RATE_MAX:
        message = f"{option} must be a positive number"
        raise refusal(message)
    return number


def _terms(
    kind: str, given: tuple[str | None, str | None, str, str | None, bool], data: Path | None
) -> Terms:
    per_credit, completion, whose, name, without_limits = given
    rate = read_number("--quota-per-credit", per_credit)
    settings = read_settings(data)
    if len(checked_name(name or kind)) > NAME_LENGTH_MAX:
        message = f"--name must have at most {NAME_LENGTH_MAX} characters"
        raise refusal(message)
    return Terms(
        kind=kind,
        name=name or kind,
        quota_per_credit=None if rate is None else Fraction(rate),
        completion=read_number("--completion-ratio", completion),
        group=whose,
        without_limits=without_limits,
        catalogue=Path(settings.catalogue) if settings.catalogue else None,
    )


def _run(source: str, terms: Terms, data: Path | None, *, dry_run: bool, as_json: bool) -> None:
    shop = open_workshop(read_settings(data))
    found = at_desk(data, lambda desk: _adopt(desk, shop, source, terms, dry=dry_run), creates=True)
    view = {"source": terms.name, "kind": terms.kind, "dry_run": dry_run} | found.view()
    answer(view, "\n".join(_lines(view)), as_json=as_json)
    if not found.is_sound:
        raise typer.Exit(1)


async def _adopt(desk: Desk, shop: Workshop, source: str, terms: Terms, *, dry: bool) -> Adoption:
    opened = await open_source(source)
    try:
        return await adopt(desk, shop, opened, terms, dry=dry)
    finally:
        await opened.close()


def _lines(view: Mapping[str, Any]) -> list[str]:
    dry = view["dry_run"]
    lines = [f"{'':<12} {'THERE':>9} {'WOULD MAKE' if dry else 'MADE':>11} {'KNOWN':>9}"]
    for what in ("accounts", "keys", "credentials", "prices"):
        tally = view[what]
        lines.append(f"{what:<12} {tally['found']:>9} {tally['made']:>11} {tally['known']:>9}")
    for what in ("accounts", "keys", "credentials", "prices"):
        for sort in ("skipped", "changed"):
            for each in view[what][sort]:
                some = ", ".join(each["such_as"])
                lines.append(f"{what} {sort}: {each['count']} ({some}): {each['reason']}")
    lines += _balance_lines(view)
    lines += [f"note: {note}" for note in view["notes"]]
    if view["catalogue_file_changed"]:
        lines.append(
            f"{'Would write' if dry else 'Wrote'} {view['catalogue_file']}: restart the server."
        )
    if dry:
        return [*lines, "Nothing was taken over."]
    sound = "The ledger is sound." if view["ledger_sound"] else "THE LEDGER DOES NOT ADD UP."
    return [*lines, sound]


def _balance_lines(view: Mapping[str, Any]) -> list[str]:
    sums = view["balances"]
    total = f"{sums['source']} credits: {sums['source_quota']} units of quota"
    lines = [f"balances there  {total} at {view['quota_per_credit']} a credit"]
    sayings = {
        "opened": "opening balances here",
        "known": "in accounts that were here already, whose balances stay as they are",
        "skipped": "of users who are not taken over",
        "capped": "beyond the largest balance there can be here",
        "rounding": "given away by rounding up",
        "forgiven": "of debts forgiven: a balance here begins at 0",
    }
    lines += [
        f"  {name:<13} {sums[name]} credits {saying}"
        for name, saying in sayings.items()
        if sums[name] != "0" or name == "opened"
    ]
    return lines
