"""Ratios, as prices in credits.

A ratio multiplies LLM tokens into units of quota: one million at ratio 1 is one million units,
2 USD at the usual 500,000 a dollar. A model price is in USD a call. A group's ratio multiplies
either. Sources: the options ModelRatio, CompletionRatio, CacheRatio, ModelPrice, GroupRatio and
QuotaPerUnit, and what new-api answers at /api/ratio_config.
"""

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any

import msgspec

from portico.predecessors.source import UNITS_PER_USD
from portico.predecessors.values import refused

ENTRIES_MAX = 20_000  # of one table of ratios
CREDITS_PER_USD = 100
_TABLES = {
    "model": "ModelRatio",
    "completion": "CompletionRatio",
    "cache": "CacheRatio",
    "price": "ModelPrice",
    "group": "GroupRatio",
}
_UNITS = "QuotaPerUnit"
PRICE_OPTIONS = frozenset({*_TABLES.values(), _UNITS})
_PER_MILLION = 1_000_000
_STEP = Decimal("0.000001")  # a microcredit
_LARGEST = Decimal(10) ** 9
_CREDITS_MAX = Decimal(10) ** 8  # a price; what a sum of prices may come to is far more

Numbers = Mapping[str, Decimal]


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What one model costs in credits, as decimal text: a call, or a million LLM tokens."""

    model: str
    amount: str | None = None
    input: str | None = None
    cached: str | None = None
    output: str | None = None


class Ratios(msgspec.Struct, frozen=True, kw_only=True):
    """Every table of ratios a predecessor has; what it does not hold, its own code decided."""

    model: Numbers = {}
    completion: Numbers = {}
    cache: Numbers = {}
    price: Numbers = {}  # USD a call
    group: Numbers = {}
    units_per_usd: Decimal = Decimal(UNITS_PER_USD)

    def listing(
        self,
        model: str,
        *,
        quota_per_credit: Decimal,
        group: str = "default",
        completion: Decimal | None = None,
    ) -> Listing | str:
        """Return what a model costs, or why that is not known.

        Args:
            model: as clients name it.
            quota_per_credit: units of quota that one credit is worth.
            group: whose ratio applies; the same for every customer.
            completion: the ratio of written to read LLM tokens where none is on record.
        """
        factor = self.group.get(group, Decimal(1)) / quota_per_credit
        if (usd := self.price.get(model)) is not None:
            return _listing(model, amount=usd * self.units_per_usd * factor)
        ratio = self.model.get(model)
        if ratio is None:
            return "it has no price in the source's options"
        written = self.completion.get(model, completion)
        if written is None:
            return "its completion ratio is not in the source's options: give --completion-ratio"
        read = ratio * _PER_MILLION * factor
        cached = self.cache.get(model)
        return _listing(
            model,
            input=read,
            cached=None if cached is None else read * min(cached, Decimal(1)),
            output=read * written,
        )


def ratios_of(options: Mapping[str, str]) -> Ratios:
    """Read the options of a predecessor.

    Raises:
        PorticoError: INVALID_REQUEST naming the option that cannot be read.
    """
    tables = {
        field: _numbers(option, _decoded(option, options)) for field, option in _TABLES.items()
    }
    return Ratios(**tables, units_per_usd=_units(options.get(_UNITS, "")))


def read_ratio_export(text: bytes) -> Ratios:
    """Read what new-api answers at /api/ratio_config, with or without its envelope.

    Raises:
        PorticoError: INVALID_REQUEST when it is something else.
    """
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        message = "the file is no JSON"
        raise refused(message) from None
    inside = found.get("data", found) if isinstance(found, dict) else None
    if not isinstance(inside, dict) or not inside.keys() & {"model_ratio", "model_price"}:
        message = "the file has neither model_ratio nor model_price: is it a ratio export?"
        raise refused(message)
    return Ratios(
        model=_numbers("model_ratio", inside.get("model_ratio")),
        completion=_numbers("completion_ratio", inside.get("completion_ratio")),
        cache=_numbers("cache_ratio", inside.get("cache_ratio")),
        price=_numbers("model_price", inside.get("model_price")),
        group=_numbers("group_ratio", inside.get("group_ratio")),
    )


def _decoded(name: str, options: Mapping[str, str]) -> Any:
    try:
        return msgspec.json.decode(options[name]) if options.get(name) else None
    except (msgspec.DecodeError, RecursionError):
        message = f"the option {name} is no JSON"
        raise refused(message) from None


def _numbers(name: str, found: Any) -> dict[str, Decimal]:
    """Return a table of ratios; a negative one, or none at all, is left out as unknown."""
    if found is None:
        return {}
    if not isinstance(found, dict) or len(found) > ENTRIES_MAX:
        message = f"{name} is no table of at most {ENTRIES_MAX:,} numbers"
        raise refused(message)
    read = {key: _number(value) for key, value in found.items()}
    return {key: value for key, value in read.items() if value is not None}


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and 0 <= number <= _LARGEST else None


def _units(text: str) -> Decimal:
    number = _number(text) if text else None
    return number or Decimal(UNITS_PER_USD)


def _listing(model: str, **amounts: Decimal | None) -> Listing | str:
    known = {name: amount for name, amount in amounts.items() if amount is not None}
    if max(known.values()) > _CREDITS_MAX:
        return "its price is larger than any there may be"
    return Listing(model=model, **{name: _credits(amount) for name, amount in known.items()})


def _credits(amount: Decimal) -> str:
    """Write a price in credits, rounded up to a microcredit as every price here is."""
    text = f"{amount.quantize(_STEP, ROUND_CEILING):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
