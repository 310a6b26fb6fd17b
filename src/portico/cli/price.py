"""`portico price`: put prices from a file into the catalogue."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from portico.catalogue.price_files import DIALECTS, compose, keep_file, try_file
from portico.cli.configuration import read_settings
from portico.cli.failure import refusal
from portico.cli.importing import read_number
from portico.cli.options import Data, Json, group
from portico.cli.output import answer
from portico.cli.price_sheets import Rates, file_name, read_sheet
from portico.dialects import BUILDERS
from portico.flows.adoption import plain
from portico.predecessors import CREDITS_PER_USD

app = group("Put prices from a file into the catalogue.")
UNITS_PER_CREDIT = Decimal(500_000) / CREDITS_PER_USD
SHOWN_MAX = 20


@app.command("import")
def import_prices(  # noqa: PLR0913 - one argument an option
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv, .toml or .json file.")],
    *,
    dialects: Annotated[
        str, typer.Option(metavar="D,…", help="Where the prices apply.")
    ] = ",".join(DIALECTS),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be written.")
    ] = False,
    quota_per_credit: Annotated[
        str | None,
        typer.Option("--quota-per-credit", metavar="N", help="Of a ratio export; usually 5000."),
    ] = None,
    completion_ratio: Annotated[
        str | None,
        typer.Option("--completion-ratio", metavar="N", help="Of an export without one."),
    ] = None,
    group_name: Annotated[
        str, typer.Option("--group", metavar="G", help="Of a ratio export: whose ratio counts.")
    ] = "default",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Write a catalogue file with these prices into the operator's folder (PORTICO_CATALOGUE).

    A CSV or TOML file names each model and its price; a JSON file is what new-api answers at
    /api/ratio_config. The catalogue is loaded with the new file before anything is kept, and a
    file of the same name is replaced. A running server reads it at its next start.
    """
    folder = _folder(data)
    rates = Rates(
        per_credit=read_number("--quota-per-credit", quota_per_credit) or UNITS_PER_CREDIT,
        completion=read_number("--completion-ratio", completion_ratio),
        group=group_name,
    )
    sheet = read_sheet(file, rates)
    name = file_name(file)
    try:
        composed = compose(
            sheet.prices,
            folder=folder,
            name=name,
            dialects=_dialects(dialects),
            heading="Written by `portico price import`; the next list of this name replaces it.",
        )
        try_file(folder, name, composed.text)
    except (ValueError, OSError) as error:
        message = f"nothing was written: {error}"
        raise refusal(message) from None
    skipped = {**sheet.skipped, **composed.skipped}
    if skipped and sheet.is_by_hand:
        model, reason = next(iter(skipped.items()))
        message = f"nothing was written: {plain(model)}: {reason}"
        raise refusal(message)
    changed = bool(composed.models) and not dry_run and keep_file(folder, name, composed.text)
    result = {
        "file": str(folder / name),
        "dry_run": dry_run,
        "changed": changed,
        "models": composed.models,
        "skipped": skipped,
    }
    answer(result, _text(result, composed.models, skipped), as_json=as_json)


def _folder(data: Path | None) -> Path:
    settings = read_settings(data)
    if not settings.catalogue:
        message = "there is no folder for it: set PORTICO_CATALOGUE"
        raise refusal(message)
    return Path(settings.catalogue)


def _dialects(text: str) -> list[str]:
    named = [part for part in (each.strip() for each in text.split(",")) if part]
    if not named or not BUILDERS.keys() >= set(named):
        message = f"--dialects takes {', '.join(sorted(BUILDERS))}"
        raise refusal(message)
    return named


def _text(result: dict[str, object], models: tuple[str, ...], skipped: dict[str, str]) -> str:
    lines = [
        f"skipped  {plain(model)}: {reason}" for model, reason in list(skipped.items())[:SHOWN_MAX]
    ]
    if len(skipped) > SHOWN_MAX:
        lines.append(f"… and {len(skipped) - SHOWN_MAX} more; --json names all")
    if not models:
        return "\n".join([*lines, "There is no price to write."])
    if result["dry_run"]:
        return "\n".join([*lines, f"Would write {len(models)} prices to {result['file']}."])
    done = "Wrote" if result["changed"] else "There already were"
    end = ": restart the server." if result["changed"] else "."
    return "\n".join([*lines, f"{done} {len(models)} prices in {result['file']}{end}"])
