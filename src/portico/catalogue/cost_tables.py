"""Assemble upstream costs from what the files say, checking all that can be checked."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from portico.catalogue.costs import Cost, CostRule
from portico.catalogue.files import CostSpec, FileSpec, RouteSpec
from portico.catalogue.offerings import Param
from portico.catalogue.params import CANON, read
from portico.catalogue.prices import Cell, Condition
from portico.catalogue.tariffs import credits_of, instant_of
from portico.core.jobs import Mode, ParamValue, Role

_KNOWN: Mapping[str, set[object]] = {
    "mode": {mode.value for mode in Mode},
    "input": {True, False, *(role.value for role in Role)},
}


def assemble_costs(spec: FileSpec) -> Iterator[tuple[str, tuple[Cost, ...]]]:
    """Yield the costs of one file by name, each with its versions, oldest first.

    Raises:
        ValueError: naming the cost and the field.
    """
    for name, given in spec.costs.items():
        try:
            if name[:1].isdigit():
                message = "a name may not begin like an amount"
                raise ValueError(message)  # noqa: TRY301 - one place names the cost
            yield name, _versions(given if isinstance(given, tuple) else (given,))
        except ValueError as error:
            message = f"costs {name}: {error}"
            raise ValueError(message) from error


def route_costs(route: RouteSpec, known: Mapping[str, tuple[Cost, ...]]) -> tuple[Cost, ...]:
    """Return what is known of a route's costs.

    Its `upstream_cost` is one amount for every job, or names a table; without one it has the table
    that is called `<provider>/<upstream model>`, so that an operator can tell what shipped routes
    cost him.

    Raises:
        ValueError: it is neither an amount nor the name of a table.
    """
    given = route.upstream_cost
    if given is None:
        return known.get(f"{route.provider}/{route.upstream_model}", ())
    if given in known:
        return known[given]
    if not given[:1].isdigit():
        message = f'upstream_cost: "{given}" is neither an amount nor one of [costs.*]'
        raise ValueError(message)
    return (Cost(amount=credits_of("upstream_cost", given)),)


def _versions(specs: tuple[CostSpec, ...]) -> tuple[Cost, ...]:
    if not specs:
        message = "at least one version is needed"
        raise ValueError(message)
    costs = sorted(map(_cost, specs), key=lambda one: one.since or 0)
    for earlier, later in pairwise(costs):
        if earlier.until is None or later.since is None or later.since < earlier.until:
            message = "two versions are valid at the same time; give from and to"
            raise ValueError(message)
    return tuple(costs)


def _cost(spec: CostSpec) -> Cost:
    cost = Cost(
        rule=spec.rule,
        amount=credits_of("amount", spec.amount),
        matrix=tuple(map(_cell, spec.matrix)),
        input=credits_of("input", spec.input) or 0,
        cached=credits_of("cached", spec.cached),
        output=credits_of("output", spec.output) or 0,
        off_peak_percent=spec.off_peak_percent,
        minimum=credits_of("minimum", spec.minimum) or 0,
        video_tokens_per_second=spec.video_tokens_per_second,
        typical=credits_of("typical", spec.typical),
        since=instant_of(spec.since),
        until=instant_of(spec.until),
    )
    for problem in _problems(cost):
        raise ValueError(problem)
    return cost


def _problems(cost: Cost) -> Iterator[str]:
    is_text = cost.rule is CostRule.PER_LLM_TOKEN
    if is_text and cost.matrix:
        yield "matrix: per_llm_token has none"
    if not is_text and (cost.input or cost.output or cost.cached is not None):
        yield "input, cached and output belong to per_llm_token"
    if not is_text and cost.amount is None and not cost.matrix:
        yield "amount: an amount or a matrix is needed"
    if cost.video_tokens_per_second and cost.rule is not CostRule.PER_VIDEO_TOKEN:
        yield "video_tokens_per_second: belongs to per_video_token"
    if cost.since is not None and cost.until is not None and cost.since >= cost.until:
        yield "to: must be later than from"


def _cell(row: Mapping[str, Any]) -> Cell:
    amount = row.get("amount")
    if not isinstance(amount, str):
        message = "matrix.amount: a decimal string is needed"
        raise ValueError(message)  # noqa: TRY004 - the file is at fault, not our code
    conditions = tuple(
        Condition(key, _values(key, value)) for key, value in row.items() if key != "amount"
    )
    return Cell(conditions, credits_of("matrix.amount", amount) or 0)


def _values(key: str, given: object) -> tuple[ParamValue, ...]:
    values = tuple(given) if isinstance(given, list) else (given,)
    if key in CANON:
        return tuple(_param_value(key, value) for value in values)
    known = _KNOWN.get(key)
    if known is None:
        message = f"matrix.{key}: neither a parameter, nor mode, nor input"
        raise ValueError(message)
    if not known.issuperset(values):
        message = f"matrix.{key}: must be among {', '.join(sorted(map(str, known)))}"
        raise ValueError(message)
    return values


def _param_value(key: str, value: object) -> ParamValue:
    exact = read(Param(name=key, type=CANON[key].type), value)
    if exact is None:
        message = f"matrix.{key}: {value!r} is no value of it"
        raise ValueError(message)
    return exact
