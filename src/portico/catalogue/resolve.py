"""Resolve an ask into a job: choose the mode by the inputs, check, fill in the defaults.

What is asked and cannot be honoured is refused by name, never dropped in silence; what is
resolved here is what is priced, stored and sent upstream.
"""

from collections.abc import Iterable, Mapping

from msgspec import structs

from portico.catalogue.offerings import ModeRules, Offering, Param, PromptUse
from portico.catalogue.params import coerce, has_no_effect
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import MediaAsk, MediaInput, MediaJob, Mode, ParamValue, Role

_STAGES = ("generate",)
_STAGES_ENHANCED = ("generate", "enhance")


def resolve_media(offering: Offering, ask: MediaAsk) -> MediaJob:
    """Return the job that an ask for this offering means.

    Raises:
        PorticoError: UNSUPPORTED_OPTION or INVALID_REQUEST, with the canonical name at fault.
    """
    inputs = cast_inputs(offering, ask.inputs)
    rules = _choose(offering, ask.mode, inputs)
    params = _params(rules, ask.given)
    return MediaJob(
        offering=offering.id,
        model=offering.model,
        kind=offering.kind,
        mode=rules.mode,
        prompt=_prompt(rules, ask.prompt),
        params=params,
        inputs=inputs,
        stages=_STAGES_ENHANCED if params.get("enhance") is True else _STAGES,
        route_class=ask.route_class,
    )


def cast_inputs(offering: Offering, inputs: tuple[MediaInput, ...]) -> tuple[MediaInput, ...]:
    """Give each input the role this offering knows it by."""
    if all(offering.roles.get(item.role) in (item.role, None) for item in inputs):
        return inputs
    return tuple(
        structs.replace(item, role=offering.roles.get(item.role, item.role)) for item in inputs
    )


def fits(rules: ModeRules, inputs: Iterable[MediaInput]) -> bool:
    """Tell whether a mode takes exactly these inputs."""
    counts = _count(inputs)
    return rules.inputs.keys() >= counts.keys() and all(
        rule.minimum <= counts.get(role, 0) <= rule.maximum for role, rule in rules.inputs.items()
    )


def _choose(offering: Offering, wanted: Mode | None, inputs: tuple[MediaInput, ...]) -> ModeRules:
    candidates = tuple(offering.modes.values())
    if wanted is not None:
        if wanted not in offering.modes:
            message = "This model has no such mode"
            raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param="mode")
        candidates = (offering.modes[wanted],)
    for rules in candidates:
        if fits(rules, inputs):
            return rules
    raise _misfit(candidates, _count(inputs))


def _misfit(candidates: tuple[ModeRules, ...], counts: Mapping[Role, int]) -> PorticoError:
    """Say what is wrong with the inputs: one too many, one not known, or one missing."""
    for role, count in counts.items():
        most = max((c.inputs[role].maximum for c in candidates if role in c.inputs), default=0)
        if not most:
            message = f"{role.value} cannot be used with this model in this mode"
            return PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param=role.value)
        if count > most:
            message = f"{role.value}: at most {most}"
            return PorticoError(ErrorCode.INVALID_REQUEST, message, param=role.value)
    takers = [rules for rules in candidates if rules.inputs.keys() >= counts.keys()]
    for rules in takers:
        for role, rule in rules.inputs.items():
            if counts.get(role, 0) < rule.minimum:
                message = f"{role.value} is required"
                return PorticoError(ErrorCode.INVALID_REQUEST, message, param=role.value)
    message = "These inputs cannot be used together"
    return PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param=next(iter(counts)).value)


def _params(rules: ModeRules, given: Mapping[str, object]) -> dict[str, ParamValue]:
    params = dict(rules.defaults)
    for name, raw in given.items():
        if raw is None:
            continue
        param = rules.params.get(name)
        if param is None:
            if not has_no_effect(name, raw):
                message = f"{name} is not supported by this model in this mode"
                raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param=name)
        elif not param.ignored:
            params[name] = coerce(param, raw)
            if param.replaces:
                _replace(param, given, params)
    for name in rules.required:
        if name not in params:
            message = f"{name} is required"
            raise PorticoError(ErrorCode.INVALID_REQUEST, message, param=name)
    return params


def _replace(param: Param, given: Mapping[str, object], params: dict[str, ParamValue]) -> None:
    for name in param.replaces:
        if given.get(name) is not None:
            message = f"Give {param.name} or {name}, not both"
            raise PorticoError(ErrorCode.INVALID_REQUEST, message, param=name)
        params.pop(name, None)


def _prompt(rules: ModeRules, prompt: str) -> str:
    if rules.prompt is PromptUse.IGNORED:
        return ""
    if rules.prompt is PromptUse.REQUIRED and not prompt.strip():
        raise PorticoError(ErrorCode.INVALID_REQUEST, "prompt is required", param="prompt")
    if len(prompt) > rules.prompt_length_max:
        message = f"prompt must have at most {rules.prompt_length_max} characters"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="prompt")
    return prompt


def _count(inputs: Iterable[MediaInput]) -> dict[Role, int]:
    counts: dict[Role, int] = {}
    for item in inputs:
        counts[item.role] = counts.get(item.role, 0) + 1
    return counts
