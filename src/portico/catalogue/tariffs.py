"""Assemble prices from what the files say, checking that they cover what can be asked."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise, product
from typing import Any

from portico.catalogue.files import PriceSpec
from portico.catalogue.offerings import ModeRules
from portico.catalogue.params import CANON, read
from portico.catalogue.prices import Cell, Condition, Price, Rule, Surcharge
from portico.core.clock import Instant
from portico.core.errors import PorticoError
from portico.core.jobs import Mode, ParamValue, Role
from portico.core.money import Credits, parse_credits

PriceSpecs = str | PriceSpec | tuple[PriceSpec, ...]

_NOT_CONDITIONS = {"amount", "label", "percent"}
_INPUTS = {True, False, *(role.value for role in Role)}


def assemble_prices(
    spec: PriceSpecs,
    modes: Mapping[Mode, ModeRules],
    *,
    amount: str | None = None,
) -> tuple[Price, ...]:
    """Return the versions of a price, oldest first; `amount` replaces theirs when given.

    Raises:
        ValueError: naming the field.
    """
    if isinstance(spec, str):
        spec = PriceSpec(amount=spec)
    specs = spec if isinstance(spec, tuple) else (spec,)
    prices = sorted((_price(one, modes, amount) for one in specs), key=lambda one: one.since or 0)
    if not prices:
        message = "price: at least one version is needed"
        raise ValueError(message)
    for earlier, later in pairwise(prices):
        if earlier.until is None or later.since is None or later.since < earlier.until:
            message = "price: two versions are valid at the same time; give from and to"
            raise ValueError(message)
    return tuple(prices)


def credits_of(field: str, text: str | None) -> Credits | None:
    """Read an amount of a file.

    Raises:
        ValueError: naming the field.
    """
    if text is None:
        return None
    try:
        return parse_credits(text)
    except PorticoError as error:
        message = f'{field}: "{text}": {error.message}'
        raise ValueError(message) from error


def _price(spec: PriceSpec, modes: Mapping[Mode, ModeRules], amount: str | None) -> Price:
    price = Price(
        rule=spec.rule,
        amount=credits_of("price.amount", amount or spec.amount),
        matrix=tuple(_cell(row, modes) for row in spec.matrix),
        block_s=spec.block_s,
        rounding=spec.rounding,
        input=_amount("price.input", spec.input),
        cached=credits_of("price.cached", spec.cached),
        output=_amount("price.output", spec.output),
        off_peak_percent=spec.off_peak_percent,
        surcharges=tuple(_surcharge(row, modes) for row in spec.surcharges),
        minimum=_amount("price.minimum", spec.minimum),
        whole=spec.whole,
        ceiling=credits_of("price.ceiling", spec.ceiling),
        since=instant_of(spec.since),
        until=instant_of(spec.until),
    )
    for problem in _problems(price, modes):
        message = f"price.{problem}"
        raise ValueError(message)
    return price


def _problems(price: Price, modes: Mapping[Mode, ModeRules]) -> Iterator[str]:
    if (price.rule is Rule.PER_LLM_TOKEN) is bool(modes):
        yield "rule: per_llm_token is for texts, and texts have no other"
    if price.cached is not None and price.cached > price.input:
        yield "cached: may not exceed input, or a charge could exceed its hold"
    if price.since is not None and price.until is not None and price.since >= price.until:
        yield "to: must be later than from"
    for mode, rules in modes.items():
        timed = price.rule in (Rule.PER_SECOND, Rule.PER_BLOCK)
        if timed and not _is_always_there(rules, "duration"):
            yield f"rule: mode {mode.value} has no duration with a default"
        if price.amount is None and not _is_covered(price, rules):
            yield f"matrix: does not cover every combination of mode {mode.value}; add an amount"


def _is_always_there(rules: ModeRules, name: str) -> bool:
    replaced = any(name in param.replaces for param in rules.params.values())
    return (name in rules.defaults or name in rules.required) and not replaced


def _is_covered(price: Price, rules: ModeRules) -> bool:
    axes: dict[str, tuple[ParamValue, ...]] = {"mode": (rules.mode.value,)}
    for key in {condition.key for cell in price.matrix for condition in cell.when} - {"mode"}:
        param = rules.params.get(key)
        if param is None or not _is_always_there(rules, key):
            return False
        axes[key] = param.values or ((True, False) if param.default in (True, False) else ())
    combinations = product(*axes.values())
    return all(
        any(_matches(cell, dict(zip(axes, values, strict=True))) for cell in price.matrix)
        for values in combinations
    )


def _matches(cell: Cell, job: Mapping[str, ParamValue]) -> bool:
    return all(job.get(condition.key) in condition.values for condition in cell.when)


def _cell(row: Mapping[str, Any], modes: Mapping[Mode, ModeRules]) -> Cell:
    if not {"label", "percent"}.isdisjoint(row):
        message = "price.matrix: label and percent belong to surcharges"
        raise ValueError(message)
    return Cell(_conditions("price.matrix", row, modes), _row_amount("price.matrix", row, None))


def _surcharge(row: Mapping[str, Any], modes: Mapping[Mode, ModeRules]) -> Surcharge:
    label, percent = row.get("label"), row.get("percent", 0)
    if not isinstance(label, str) or type(percent) is not int or percent < 0:
        message = "price.surcharges: label must be text, percent a whole number"
        raise ValueError(message)
    when = _conditions("price.surcharges", row, modes)
    return Surcharge(label, when, _row_amount("price.surcharges", row, "0"), percent)


def _row_amount(where: str, row: Mapping[str, Any], absent: str | None) -> Credits:
    text = row.get("amount", absent)
    if not isinstance(text, str):
        message = f"{where}.amount: a decimal string is needed"
        raise ValueError(message)  # noqa: TRY004 - the file is at fault, not our code
    return _amount(f"{where}.amount", text)


def _conditions(
    where: str, row: Mapping[str, Any], modes: Mapping[Mode, ModeRules]
) -> tuple[Condition, ...]:
    return tuple(
        Condition(key, _condition_values(f"{where}.{key}", key, value, modes))
        for key, value in row.items()
        if key not in _NOT_CONDITIONS
    )


def _condition_values(
    where: str, key: str, given: object, modes: Mapping[Mode, ModeRules]
) -> tuple[ParamValue, ...]:
    values = tuple(given) if isinstance(given, list) else (given,)
    if key == "mode":
        known: set[object] = {mode.value for mode in Mode}
    elif key == "input":
        known = set(_INPUTS)
    elif key in CANON:
        return tuple(_param_value(where, key, value, modes) for value in values)
    else:
        message = f"{where}: neither a parameter, nor mode, nor input"
        raise ValueError(message)
    if not known.issuperset(values):
        message = f"{where}: must be among {', '.join(sorted(map(str, known)))}"
        raise ValueError(message)
    return values


def _param_value(
    where: str, key: str, value: object, modes: Mapping[Mode, ModeRules]
) -> ParamValue:
    params = [rules.params[key] for rules in modes.values() if key in rules.params]
    exact = read(params[0], value) if params else None
    if exact is None:
        message = f"{where}: {value!r} is no value of this offering"
        raise ValueError(message)
    return exact


def _amount(field: str, text: str) -> Credits:
    return credits_of(field, text) or 0


def instant_of(moment: datetime | None) -> Instant | None:
    """Return a file's moment as an instant."""
    return None if moment is None else int(moment.timestamp() * 1000)
