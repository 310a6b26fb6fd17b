"""Files of prices: CSV and TOML as people write them, JSON as new-api exports its ratios."""

import csv
import io
import re
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from portico.catalogue.files import RouteSpec
from portico.catalogue.price_files import NewPrice
from portico.cli.failure import refusal
from portico.predecessors import read_ratio_export

FILE_BYTES_MAX = 16 * 1024 * 1024
PRICES_MAX = 20_000
_ROUTE = ("provider", "upstream_model", "credential")
_NOT_NAME = re.compile(r"[^a-z0-9]+")


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """How a ratio export is turned into credits."""

    per_credit: Decimal
    completion: Decimal | None
    group: str


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says."""

    prices: tuple[NewPrice, ...]
    skipped: dict[str, str] = {}  # why, by model
    is_by_hand: bool = True  # so whatever is wrong in it is a mistake


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a CSV file, or a `[[prices]]` table."""

    model: str
    amount: str | None = None
    input: str | None = None
    cached: str | None = None
    output: str | None = None
    rule: str | None = None
    block_s: int | None = None
    title: str | None = None
    kind: str | None = None
    provider: str | None = None
    upstream_model: str | None = None
    credential: str | None = None


def read_sheet(path: Path, rates: Rates) -> Sheet:
    """Read a file by what its name ends in.

    Raises:
        PorticoError: INVALID_REQUEST saying where it is not as it should be.
    """
    readers = {".csv": _read_csv, ".toml": _read_toml}
    ending = path.suffix.lower()
    if ending not in {*readers, ".json"}:
        message = "the file's name must end in .csv, .toml or .json"
        raise refusal(message)
    raw = _read(path)
    if ending == ".json":
        return _read_ratios(raw, rates)
    try:
        lines = readers[ending](raw.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, csv.Error) as error:
        message = f"{path.name} cannot be read: {error}"
        raise refusal(message) from None
    return Sheet(prices=tuple(_prices(path.name, lines)))


def file_name(path: Path) -> str:
    """Return how the catalogue's file is called that comes of this one."""
    return f"prices-{_NOT_NAME.sub('-', path.stem.lower()).strip('-') or 'file'}.toml"


def _read(path: Path) -> bytes:
    if not path.is_file():
        message = f"there is no file {path}"
        raise refusal(message)
    with path.open("rb") as file:
        raw = file.read(FILE_BYTES_MAX + 1)
    if len(raw) > FILE_BYTES_MAX:
        message = f"{path.name} has more than {FILE_BYTES_MAX:,} bytes"
        raise refusal(message)
    return raw


def _read_csv(text: str) -> list[Mapping[str, Any]]:
    rows = csv.DictReader(io.StringIO(text), restkey="", strict=True)
    return [{name: value for name, value in row.items() if value != ""} for row in rows]


def _read_toml(text: str) -> list[Mapping[str, Any]]:
    found = tomllib.loads(text)
    lines = found.get("prices")
    if found.keys() != {"prices"} or not isinstance(lines, list):
        message = "a TOML file of prices has [[prices]] tables and nothing else"
        raise refusal(message)
    return lines


def _prices(name: str, lines: Iterable[Mapping[str, Any]]) -> Iterable[NewPrice]:
    for number, raw in enumerate(lines, start=1):
        if number > PRICES_MAX:
            message = f"{name} has more than {PRICES_MAX:,} prices"
            raise refusal(message)
        try:
            line = msgspec.convert(raw, _Line, strict=False)
        except msgspec.ValidationError as error:
            message = f"{name}, price {number}: {error}"
            raise refusal(message) from None
        yield _price(line, f"{name}, price {number}")


def _price(line: _Line, where: str) -> NewPrice:
    if line.amount is None and (line.input is None or line.output is None):
        message = f"{where}: amount, or input and output, must be given"
        raise refusal(message)
    if (line.provider is None) is not (line.upstream_model is None):
        message = f"{where}: provider and upstream_model belong together"
        raise refusal(message)
    given = msgspec.structs.asdict(line)
    route = {field: given.pop(field) for field in _ROUTE}
    routes = (RouteSpec(**route),) if route["provider"] else ()
    return NewPrice(**given, routes=routes)


def _read_ratios(raw: bytes, rates: Rates) -> Sheet:
    ratios = read_ratio_export(raw)
    prices, skipped = [], {}
    for model in sorted({*ratios.model, *ratios.price}):
        found = ratios.listing(
            model, quota_per_credit=rates.per_credit, group=rates.group, completion=rates.completion
        )
        if isinstance(found, str):
            skipped[model] = found
        else:
            prices.append(NewPrice(**msgspec.structs.asdict(found)))
    return Sheet(prices=tuple(prices), skipped=skipped, is_by_hand=False)
