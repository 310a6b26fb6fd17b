"""Assemble models and offerings from what the files say, checking all that can be checked."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from portico.catalogue.files import (
    FileSpec,
    ModelSpec,
    ModeSpec,
    OfferingSpec,
    ParamSpec,
    ShapeSpec,
    VariantSpec,
)
from portico.catalogue.offerings import (
    InputRule,
    Model,
    ModeRules,
    Offering,
    Param,
    ParamType,
    PromptUse,
    Route,
)
from portico.catalogue.params import CANON, coerce, read
from portico.catalogue.tariffs import assemble_prices, credits_of
from portico.core.errors import PorticoError
from portico.core.jobs import Kind, Mode, ParamValue, Role

_ONE = VariantSpec(name="-")

# Words of the wires that name one thing: XiaoYang's image_url is a first frame for one model
# and the picture to enlarge for another, so the offering's own word wins.
_SAME_ROLE = {
    Role.FIRST_FRAME: (Role.SOURCE_IMAGE,),
    Role.SOURCE_IMAGE: (Role.FIRST_FRAME,),
    Role.MOTION_VIDEO: (Role.SOURCE_VIDEO,),
    Role.SOURCE_VIDEO: (Role.MOTION_VIDEO,),
}
_PICTURES = (Role.SOURCE_IMAGE, Role.REFERENCE_IMAGE, Role.FIRST_FRAME)


def assemble_models(spec: FileSpec) -> Iterator[Model]:
    """Yield the models of one file."""
    for model in spec.models:
        if not model.routes:
            message = f"models {model.id}: routes: at least one is needed"
            raise ValueError(message)
        yield _model(model)


class Entry(msgspec.Struct, frozen=True):
    """Everything one dialect sells under one name: one offering per variant."""

    dialect: str
    name: str
    aliases: tuple[str, ...]
    offerings: tuple[Offering, ...]


def assemble_offerings(spec: FileSpec, models: Mapping[str, Model]) -> Iterator[Entry]:
    """Yield what one file sells, by dialect and name.

    Raises:
        ValueError: naming the offering and the field.
    """
    for offering in spec.offerings:
        where = f"offerings {offering.name}"
        try:
            shape = _shape(spec, offering)
            for dialect in offering.dialects:
                found = tuple(
                    _offering(offering, variant, dialect, shape=shape, models=models)
                    for variant in offering.variants or (_ONE,)
                )
                yield Entry(dialect, offering.name, offering.aliases, found)
        except (ValueError, PorticoError) as error:
            message = f"{where}: {error}"
            raise ValueError(message) from error


def _model(spec: ModelSpec) -> Model:
    routes = tuple(
        Route(
            provider=route.provider,
            upstream_model=route.upstream_model,
            credential=route.credential,
            first_party=route.first_party,
            weight=route.weight,
            upstream_cost=credits_of("upstream_cost", route.upstream_cost),
        )
        for route in spec.routes
    )
    return Model(
        id=spec.id,
        title=spec.title,
        kind=spec.kind,
        provider_label=spec.provider_label,
        routes=routes,
        deadline_s=spec.deadline_s,
        preview=spec.preview,
    )


def _shape(spec: FileSpec, offering: OfferingSpec) -> ShapeSpec:
    if offering.shape is None:
        return ShapeSpec()
    if offering.shape not in spec.shapes:
        message = f"shape: no [shapes.{offering.shape}] in this file"
        raise ValueError(message)
    return spec.shapes[offering.shape]


def _offering(
    spec: OfferingSpec,
    variant: VariantSpec,
    dialect: str,
    *,
    shape: ShapeSpec,
    models: Mapping[str, Model],
) -> Offering:
    model = models.get(variant.model or spec.model)
    if model is None:
        message = f"model: no model {variant.model or spec.model}"
        raise ValueError(message)
    named = None if variant is _ONE else variant.name
    modes = dict(_modes(spec, variant, shape))
    if (model.kind is Kind.TEXT) is bool(modes):
        message = "shape: pictures and videos need one, texts have none"
        raise ValueError(message)
    return Offering(
        id=f"{dialect}:{spec.name}" + (f"/{named}" if named else ""),
        dialect=dialect,
        name=spec.name,
        variant=named,
        model=model.id,
        kind=model.kind,
        title=variant.title or spec.title or model.title,
        prices=assemble_prices(spec.price, modes, amount=variant.amount),
        is_default=_is_default(spec, variant),
        is_fallback=spec.fallback,
        function=spec.function,
        modes=modes,
        roles=_roles(model.kind, modes),
        siblings=spec.siblings,
        chat=spec.chat,
        display=spec.display,
        enabled=spec.enabled and variant.enabled,
    )


def _is_default(spec: OfferingSpec, variant: VariantSpec) -> bool:
    enabled = [other for other in spec.variants if other.enabled]
    return variant.default or variant is _ONE or (len(enabled) == 1 and enabled[0] is variant)


def _modes(
    spec: OfferingSpec, variant: VariantSpec, shape: ShapeSpec
) -> Iterator[tuple[Mode, ModeRules]]:
    for mode in spec.modes or tuple(shape.modes):
        if mode not in shape.modes:
            message = f"modes: the shape has no mode {mode.value}"
            raise ValueError(message)
        yield mode, _mode(mode, shape.modes[mode], _tables(spec, variant, shape.modes[mode], shape))


def _tables(
    spec: OfferingSpec, variant: VariantSpec, mode: ModeSpec, shape: ShapeSpec
) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {}
    for layer in (shape.params, mode.params, spec.params):
        for name, fields in layer.items():
            tables[name] = tables.get(name, {}) | fields
    for name in mode.without:
        tables.pop(name, None)
    for name, value in variant.set.items():
        tables[name] = tables.get(name, {}) | {"values": [value], "default": value}
    return tables


def _mode(mode: Mode, spec: ModeSpec, tables: Mapping[str, dict[str, Any]]) -> ModeRules:
    params = {name: _param(name, fields) for name, fields in tables.items()}
    inputs = {role: InputRule(role, low, high) for role, (low, high) in spec.inputs.items()}
    for rule in inputs.values():
        if rule.minimum > rule.maximum or not rule.maximum:
            message = f"modes.{mode.value}.inputs.{rule.role.value}: not a range"
            raise ValueError(message)
    return ModeRules(
        mode=mode,
        inputs=inputs,
        params=params,
        defaults={
            name: param.default
            for name, param in params.items()
            if param.default is not None and not param.ignored
        },
        required=tuple(name for name, param in params.items() if param.required),
        prompt=spec.prompt,
        prompt_length_max=0 if spec.prompt is PromptUse.IGNORED else spec.prompt_length_max,
    )


def _param(name: str, fields: Mapping[str, Any]) -> Param:
    where = f"params.{name}"
    canon = CANON.get(name)
    if canon is None:
        message = f"{where}: no such parameter; there are {', '.join(CANON)}"
        raise ValueError(message)
    known = {"type": canon.type.value, "unit": canon.unit, "description": canon.description}
    try:
        spec = msgspec.convert(known | dict(fields), ParamSpec)
        param = Param(
            name=name,
            type=ParamType(spec.type),
            minimum=spec.min,
            maximum=spec.max,
            max_length=spec.max_length,
            required=spec.required,
            ignored=spec.ignored,
            unit=spec.unit,
            description=spec.description,
            aliases=spec.aliases,
            replaces=spec.replaces,
        )
        param = msgspec.structs.replace(
            param, values=tuple(_exact(param, value) for value in spec.values)
        )
        if spec.default is None:
            return param
        return msgspec.structs.replace(param, default=coerce(param, spec.default))
    except (ValueError, PorticoError) as error:  # msgspec's own errors are ValueErrors
        message = f"{where}: {error}"
        raise ValueError(message) from error


def _exact(param: Param, value: ParamValue) -> ParamValue:
    exact = read(param, value)
    if exact is None:
        message = f"values: {value!r} is not of type {param.type.value}"
        raise ValueError(message)
    return exact


def _roles(kind: Kind, modes: Mapping[Mode, ModeRules]) -> dict[Role, Role]:
    listed = {role for rules in modes.values() for role in rules.inputs}
    roles = {role: role for role in listed}
    for role in Role:
        others = _SAME_ROLE.get(role, ())
        if kind is Kind.IMAGE and role in _PICTURES:
            others = _PICTURES
        if role not in roles:
            meant = next((other for other in others if other in listed), None)
            if meant is not None:
                roles[role] = meant
    return roles
