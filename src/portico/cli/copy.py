"""`portico copy`: copy the database into an empty one, of the same kind or another."""

import asyncio
import sys
import time
from typing import Annotated

import typer

from portico.cli.desk import shown_url
from portico.cli.failure import refusal
from portico.cli.options import Json, plain
from portico.cli.output import answer
from portico.cli.progress import progress_bar
from portico.core import faults
from portico.flows.move import Moved, move
from portico.store import open_store
from portico.store.condition import Condition, examine
from portico.store.copying import Target
from portico.store.open import HEAD, is_postgres, migrate, sqlite_path

app = plain()

WHERE = "sqlite:///path or postgresql://…"
STAYS = "what it accepts from now on stays behind"


@app.command()
def copy(
    source: Annotated[
        str, typer.Option("--from", metavar="URL", help=f"What to copy: {WHERE}. Only read.")
    ],
    target: Annotated[
        str, typer.Option("--to", metavar="URL", help="Where to; empty, or not there yet.")
    ],
    *,
    while_running: Annotated[
        bool,
        typer.Option("--while-running", help=f"Go on although a server uses the source: {STAYS}."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Copy the whole database into an empty one, of the same kind or another.

    Stop the server first. Everything is copied as it stands at one moment, compared row by
    row, and the ledger recomputed on both sides, before the copy is kept; if anything fails,
    the target stays empty. Files and secret.key are not in the database: they stay where they
    are. Serve only one of the two databases afterwards.
    """
    faults.arm_from_environment()
    names = (_name(source, "--from"), _name(target, "--to"))
    if source == target:
        message = "--from and --to are the same database"
        raise refusal(message)
    in_use = _require_source(names[0], examine(source), while_running=while_running)
    _require_target(names[1], examine(target))
    if in_use:
        print(f"portico: a server uses {names[0]}: {STAYS}", file=sys.stderr)
    migrate(target)
    began_at = time.monotonic()
    moved = asyncio.run(_copy(source, target, may_change=while_running))
    _report(moved, names, time.monotonic() - began_at, as_json=as_json)


async def _copy(source: str, target: str, *, may_change: bool) -> Moved:
    filled = await _open_target(target)
    try:
        store = await open_store(source)
        try:
            with progress_bar("copying") as show:
                return await move(
                    store,
                    filled,
                    tell=lambda what, done, of: show(what, done / of if of else 1.0),
                    may_change=may_change,
                )
        finally:
            await store.close()
    finally:
        await filled.close()


async def _open_target(url: str) -> Target:
    if is_postgres(url):
        from portico.store.postgres_target import open_postgres_target  # noqa: PLC0415

        return await open_postgres_target(url)
    from portico.store.sqlite_target import SqliteTarget  # noqa: PLC0415

    return SqliteTarget(sqlite_path(url))


def _name(url: str, option: str) -> str:
    """Return how a database is called where others may read it.

    Raises:
        PorticoError: INVALID_REQUEST for another kind; it does not repeat the URL.
    """
    try:
        return shown_url(url)
    except ValueError:
        message = f"{option} must be {WHERE}"
        raise refusal(message) from None


def _require_source(name: str, found: Condition, *, while_running: bool) -> bool:
    """Go on only with a database this version knows; returns whether others use it."""
    if found.revision is None:
        message = f"there is no Portico database at {name}"
        raise refusal(message)
    if found.revision != HEAD:
        message = (
            f"{name} is at revision {found.revision}, this version copies {HEAD}: "
            "run the version that fits, or `portico migrate` first"
        )
        raise refusal(message)
    if found.is_in_use and not while_running:
        message = f"{name} is in use: stop the server first, or copy with --while-running: {STAYS}"
        raise refusal(message)
    return found.is_in_use


def _require_target(name: str, found: Condition) -> None:
    """Go on only with a database that nobody uses, and that is ours or nobody's."""
    if found.is_in_use:
        message = f"{name} is in use: stop what uses it first"
        raise refusal(message)
    if found.revision is None and not found.is_blank:
        message = f"{name} is not empty: it has tables, but no finished schema of Portico's"
        raise refusal(message)
    if found.revision not in {None, HEAD}:
        message = f"{name} is at revision {found.revision}, not at {HEAD}: copy into a new database"
        raise refusal(message)


def _report(moved: Moved, names: tuple[str, str], seconds: float, *, as_json: bool) -> None:
    rows = sum(each.rows for each in moved.tables)
    result = {
        "from": names[0],
        "to": names[1],
        "revision": HEAD,
        "rows": rows,
        "tables": [each._asdict() for each in moved.tables],
        "sound": True,
        "left_behind": moved.left_behind,
        "seconds": round(seconds, 1),
    }
    width = max(len(each.table) for each in moved.tables)
    lines = [f"{each.table:<{width}}  {each.rows:>12,}  the same" for each in moved.tables]
    lines.append(
        f"Copied {rows:,} rows to {names[1]} in {seconds:.1f} s. Every table is the same on both "
        "sides, both ledgers are sound."
    )
    if moved.left_behind:
        lines.append("The source has changed since the copy was begun: that stays behind.")
    answer(result, "\n".join(lines), as_json=as_json)
