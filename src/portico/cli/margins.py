"""`portico margins`: what was charged, and what upstreams took for it."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from portico.cli.desk import at_desk
from portico.cli.failure import refusal
from portico.cli.options import Data, Json, plain
from portico.cli.output import answer, print_table
from portico.core.clock import DAY_MS, Instant
from portico.core.money import format_credits
from portico.flows import margins as flow
from portico.flows.administer import Desk
from portico.flows.margins import Report
from portico.tasks.margins import Margin

app = plain()

DAYS = 30


class By(StrEnum):
    """What sums are made by."""

    TASK = "task"
    MODEL = "model"
    CUSTOMER = "customer"
    CREDENTIAL = "credential"
    DAY = "day"


_HEAD = ("TASKS", "CHARGED", "COST", "MARGIN", "NEGATIVE", "UNKNOWN", "CHARGED FOR UNKNOWN")


@app.command()
def margins(
    *,
    by: Annotated[By, typer.Option(help="What sums are made by.")] = By.MODEL,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="First day, UTC; else 30 days ago.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="First day left out, UTC; else none.")
    ] = None,
    negative: Annotated[
        bool, typer.Option("--negative", help="List the tasks that cost more than they brought.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="So many rows at most.")] = 1_000,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show what tasks brought, what upstreams took for them, and what is left, in credits.

    Tasks count on the day they ended. Where an upstream's cost is not known the task is counted
    apart, and what was charged for it is no part of the margin. Works beside a running server.
    """
    asked = By.TASK if negative else by

    async def look(desk: Desk) -> Report:
        now = desk.clock.now()
        return await flow.report(
            desk,
            asked.value,
            since=now - DAYS * DAY_MS if since is None else _instant(since, "--since"),
            until=now + 1 if until is None else _instant(until, "--until"),
            only_negative=negative,
            limit=limit,
        )

    found = at_desk(data, look)
    if as_json:
        rows = [_view(row, asked) for row in found.rows]
        answer({"by": asked, "rows": rows, "total": _view(found.total, None)}, "", as_json=True)
        return
    print_table(
        (asked.upper(), *_HEAD),
        (_row(row, _key(row, asked)) for row in (*found.rows, found.total)),
    )


def _instant(text: str, option: str) -> Instant:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = f"{option} must be a date such as 2026-01-31"
        raise refusal(message) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1_000)


def _key(row: Margin, by: By | None) -> str:
    if by is By.DAY and row.key.isdigit():
        return datetime.fromtimestamp(int(row.key) * DAY_MS / 1_000, UTC).strftime("%Y-%m-%d")
    return row.key or "-"


def _view(row: Margin, by: By | None) -> dict[str, object]:
    return {
        "key": _key(row, by),
        "tasks": row.tasks,
        "charged": format_credits(row.revenue),
        "cost": format_credits(row.cost),
        "margin": format_credits(row.margin),
        "negative_tasks": row.negative_tasks,
        "unknown_tasks": row.unknown_tasks,
        "charged_for_unknown": format_credits(row.unknown_revenue),
    }


def _row(row: Margin, key: str) -> tuple[str, ...]:
    return key, *(str(value) for name, value in _view(row, None).items() if name != "key")
