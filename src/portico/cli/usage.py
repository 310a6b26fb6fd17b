"""`portico usage`: say what was used and what it cost."""

from typing import Annotated

import typer

from portico.cli.desk import at_desk
from portico.cli.failure import refusal
from portico.cli.options import Data, Json, plain
from portico.cli.output import answer, print_table
from portico.core.money import format_credits
from portico.core.usage import Day, Tally, parse_day
from portico.flows.usage import UsageAsk, report
from portico.usage import Grouping

app = plain()


@app.command()
def usage(
    *,
    email: Annotated[
        str | None, typer.Option("--account", metavar="EMAIL", help="Of one account only.")
    ] = None,
    by: Annotated[Grouping, typer.Option(help="One line for each day, model or key.")] = (
        Grouping.DAY
    ),
    since: Annotated[
        str | None, typer.Option(metavar="DAY", help="From this day on, such as 2027-01-31.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DAY", help="Up to this day, which counts as well.")
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Say what was used and what it cost, exact to this moment, also while the server runs.

    A task counts on the day it ended, in UTC. Tasks under way do not count yet.
    """
    ask = UsageAsk(by=by, email=email, since=_day(since), until=_day(until))
    found = at_desk(data, lambda desk: report(desk, ask))
    lines = [{by.value: line.label, **_view(line.tally)} for line in found.lines]
    total = _view(found.total)
    if as_json:
        answer({"by": by.value, "lines": lines, "total": total}, "", as_json=True)
        return
    rows = [*lines, {by.value: "total", **total}]
    head = [name.upper().replace("_", " ") for name in rows[-1]]
    print_table(head, [[str(cell) for cell in row.values()] for row in rows])


def _day(text: str | None) -> Day | None:
    if text is None:
        return None
    try:
        return parse_day(text)
    except ValueError:
        message = f"{text!r} is no day such as 2027-01-31"
        raise refusal(message) from None


def _view(tally: Tally) -> dict[str, object]:
    return {
        "tasks": tally.tasks,
        "succeeded": tally.succeeded,
        "failed": tally.failed,
        "cancelled": tally.cancelled,
        "expired": tally.expired,
        "charged": format_credits(tally.charged),
        "released": format_credits(tally.released),
        "input_tokens": tally.input_tokens,
        "output_tokens": tally.output_tokens,
    }
