"""The catalogue's files: what one TOML file may say, read strictly.

One file per model family: `[[models]]` say what makes a result and by which routes, `[shapes.*]`
what is accepted, mode by mode, `[prices.*]` what it costs, and `[[offerings]]` give a model a name,
a shape and a price in one or several dialects. `[costs.*]` say what upstreams take. A field
that is not known here is refused, with its place.
"""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from portico.catalogue.costs import CostRule
from portico.catalogue.offerings import PROMPT_LENGTH_MAX, ChatLimits, PromptUse
from portico.catalogue.prices import Rounding, Rule
from portico.core.jobs import Kind, Mode, ParamValue, Role

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Whole = Annotated[int, msgspec.Meta(ge=0)]
Stage = Literal["generate", "enhance"]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table in which every field must be known."""


class RouteSpec(_Strict, frozen=True, kw_only=True):
    """A `[[models]].routes` entry."""

    provider: Name
    upstream_model: Name
    credential: str | None = None
    modes: Annotated[tuple[Mode, ...], msgspec.Meta(min_length=1)] | None = None
    stages: Annotated[tuple[Stage, ...], msgspec.Meta(min_length=1)] | None = None
    region: str = ""
    first_party: bool = False
    weight: Whole = 1
    upstream_cost: str | None = None  # an amount for every job, or the name of a [costs.*]


class ModelSpec(_Strict, frozen=True, kw_only=True):
    """A `[[models]]` table."""

    id: Name
    title: str
    kind: Kind
    provider_label: str
    routes: tuple[RouteSpec, ...]
    deadline_s: Annotated[int, msgspec.Meta(ge=1)] = 1_800
    preview: bool = False


class ParamSpec(_Strict, frozen=True, kw_only=True):
    """A parameter's table; type, unit and description follow from its name unless given."""

    type: str
    unit: str | None
    description: str
    values: tuple[ParamValue, ...] = ()
    min: float | int | None = None
    max: float | int | None = None
    max_length: Whole | None = None
    default: ParamValue | None = None
    required: bool = False
    ignored: bool = False
    aliases: dict[str, ParamValue] = {}
    replaces: tuple[str, ...] = ()


class ModeSpec(_Strict, frozen=True, kw_only=True):
    """A `[shapes.*.modes.*]` table: what one mode takes, beside its shape's parameters."""

    inputs: dict[Role, tuple[Whole, Whole]] = {}
    params: dict[str, dict[str, Any]] = {}
    without: tuple[str, ...] = ()  # parameters of the shape this mode does not have
    prompt: PromptUse = PromptUse.REQUIRED
    prompt_length_max: Whole = PROMPT_LENGTH_MAX


class ShapeSpec(_Strict, frozen=True, kw_only=True):
    """A `[shapes.*]` table: parameters common to its modes, and the modes in order of choice."""

    params: dict[str, dict[str, Any]] = {}
    modes: dict[Mode, ModeSpec] = {}


class PriceSpec(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"since": "from", "until": "to"},
):
    """A price; amounts are decimal strings of credits."""

    rule: Rule = Rule.FLAT
    amount: str | None = None
    matrix: tuple[dict[str, Any], ...] = ()  # `amount`, everything else is a condition
    block_s: Annotated[int, msgspec.Meta(ge=1)] = 5
    rounding: Rounding = Rounding.CEIL
    input: str = "0"
    cached: str | None = None
    output: str = "0"
    off_peak_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] = 100
    surcharges: tuple[dict[str, Any], ...] = ()  # `label`, `amount`, `percent`, conditions
    minimum: str = "0"
    whole: bool = False
    ceiling: str | None = None
    since: Moment | None = None
    until: Moment | None = None


class CostSpec(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"since": "from", "until": "to"},
):
    """A `[costs.*]` table: what an upstream takes; amounts are decimal strings of credits."""

    rule: CostRule = CostRule.FLAT
    amount: str | None = None
    matrix: tuple[dict[str, Any], ...] = ()  # `amount`, everything else is a condition
    input: str = "0"
    cached: str | None = None
    output: str = "0"
    off_peak_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] = 100
    minimum: str = "0"
    video_tokens_per_second: dict[str, Whole] = {}
    typical: str | None = None
    since: Moment | None = None
    until: Moment | None = None


class VariantSpec(_Strict, frozen=True, kw_only=True):
    """One of several things sold under one name: XiaoYang's option_key, Yuanjing's model."""

    name: Name
    title: str | None = None
    model: str | None = None
    default: bool = False
    enabled: bool = True
    amount: str | None = None  # replaces the offering's amount
    price: str | PriceSpec | tuple[PriceSpec, ...] | None = None  # replaces its price
    set: dict[str, ParamValue] = {}  # parameters this variant settles


class OfferingSpec(_Strict, frozen=True, kw_only=True):
    """An `[[offerings]]` table."""

    dialects: tuple[Name, ...]
    name: Name
    model: str
    price: str | PriceSpec | tuple[PriceSpec, ...]  # text: a [prices.*] name or a flat amount
    aliases: tuple[Name, ...] = ()  # other names it answers to, never listed
    title: str | None = None
    shape: str | None = None
    modes: tuple[Mode, ...] | None = None  # of the shape's; None: all
    params: dict[str, dict[str, Any]] = {}
    function: Literal["t2v", "i2v", "r2v", "t2i", "t2t"] | None = None
    variants: tuple[VariantSpec, ...] = ()
    siblings: dict[Mode, str] = {}
    chat: ChatLimits = ChatLimits()
    display: dict[str, ParamValue | list[ParamValue]] = {}
    fallback: bool = False
    enabled: bool = True


class FileSpec(_Strict, frozen=True, kw_only=True):
    """A whole file."""

    models: tuple[ModelSpec, ...] = ()
    shapes: dict[str, ShapeSpec] = {}
    prices: dict[str, PriceSpec] = {}
    costs: dict[str, CostSpec | tuple[CostSpec, ...]] = {}  # several: its versions
    offerings: tuple[OfferingSpec, ...] = ()


def read_folder(folder: Path) -> Mapping[str, FileSpec]:
    """Read every `*.toml` file of a folder, in the order of their names.

    Raises:
        ValueError: naming the file and the field, when a file is not as it should be.
    """
    return {
        path.name: read_text(path.name, path.read_text("utf-8"))
        for path in sorted(folder.glob("*.toml"))
    }


def read_text(name: str, text: str) -> FileSpec:
    """Read the text of one file.

    Raises:
        ValueError: naming the file and the field, when it is not as it should be.
    """
    try:
        return msgspec.convert(tomllib.loads(text), FileSpec)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        message = f"{name}: {error}"
        raise ValueError(message) from error
