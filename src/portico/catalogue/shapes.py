"""Assemble the modes of an offering: its inputs, its parameter tables, its defaults."""

from collections.abc import Mapping
from typing import Any

import msgspec

from portico.catalogue.files import ModeSpec, OfferingSpec, ParamSpec, ShapeSpec, VariantSpec
from portico.catalogue.offerings import InputRule, ModeRules, Param, ParamType, PromptUse
from portico.catalogue.params import CANON, coerce, read
from portico.core.errors import PorticoError
from portico.core.jobs import Kind, Mode, ParamValue, Role

# Words of the wires that name one thing: XiaoYang's image_url is a first frame for one model
# and the picture to enlarge for another, so the offering's own word wins.
_SAME_ROLE = {
    Role.FIRST_FRAME: (Role.SOURCE_IMAGE,),
    Role.SOURCE_IMAGE: (Role.FIRST_FRAME,),
    Role.MOTION_VIDEO: (Role.SOURCE_VIDEO,),
    Role.SOURCE_VIDEO: (Role.MOTION_VIDEO,),
}
_PICTURES = (Role.SOURCE_IMAGE, Role.REFERENCE_IMAGE, Role.FIRST_FRAME)


def assemble_modes(
    spec: OfferingSpec, variant: VariantSpec, shape: ShapeSpec
) -> dict[Mode, ModeRules]:
    """Return the modes of one offering, in the order in which they are tried.

    Raises:
        ValueError: naming the field.
    """
    modes: dict[Mode, ModeRules] = {}
    for mode in spec.modes or tuple(shape.modes):
        if mode not in shape.modes:
            message = f"modes: the shape has no mode {mode.value}"
            raise ValueError(message)
        tables = _tables(spec, variant, shape.modes[mode], shape)
        modes[mode] = _mode(mode, shape.modes[mode], tables)
    return modes


def assemble_roles(kind: Kind, modes: Mapping[Mode, ModeRules]) -> dict[Role, Role]:
    """Return, for every role a caller may say, the role these modes know it by."""
    listed = {role for rules in modes.values() for role in rules.inputs}
    roles = {role: role for role in listed}
    for role in Role:
        others: tuple[Role, ...] = _SAME_ROLE.get(role, ())
        if kind is Kind.IMAGE and role in _PICTURES:
            others = _PICTURES
        if role not in roles:
            meant = next((other for other in others if other in listed), None)
            if meant is not None:
                roles[role] = meant
    return roles


def _tables(
    spec: OfferingSpec, variant: VariantSpec, mode: ModeSpec, shape: ShapeSpec
) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {}
    common = {name: table for name, table in shape.params.items() if name not in mode.without}
    for layer in (common, mode.params, spec.params):
        for name, fields in layer.items():
            tables[name] = tables.get(name, {}) | fields
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
