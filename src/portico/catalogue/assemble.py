"""Assemble models and offerings from what the files say, checking all that can be checked."""

from collections.abc import Iterator, Mapping

import msgspec

from portico.catalogue.cost_tables import route_costs
from portico.catalogue.costs import Cost
from portico.catalogue.files import FileSpec, ModelSpec, OfferingSpec, ShapeSpec, VariantSpec
from portico.catalogue.offerings import Model, Offering, Route
from portico.catalogue.prices import quote_media
from portico.catalogue.shapes import assemble_modes, assemble_roles
from portico.catalogue.tariffs import PriceSpecs, assemble_prices
from portico.core.errors import PorticoError
from portico.core.jobs import Kind, MediaJob

_ONE = VariantSpec(name="-")


def assemble_models(spec: FileSpec, costs: Mapping[str, tuple[Cost, ...]]) -> Iterator[Model]:
    """Yield the models of one file; `costs` are the tables of all files, by name.

    Raises:
        ValueError: naming the model and the field.
    """
    for model in spec.models:
        if not model.routes:
            message = f"models {model.id}: routes: at least one is needed"
            raise ValueError(message)
        yield _model(model, costs)


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
            _check_variants(offering)
            for dialect in offering.dialects:
                found = tuple(
                    _offering(spec, offering, variant, dialect=dialect, models=models)
                    for variant in offering.variants or (_ONE,)
                )
                yield Entry(dialect, offering.name, offering.aliases, found)
        except (ValueError, PorticoError) as error:
            message = f"{where}: {error}"
            raise ValueError(message) from error


def _model(spec: ModelSpec, costs: Mapping[str, tuple[Cost, ...]]) -> Model:
    routes = tuple(
        Route(
            provider=route.provider,
            upstream_model=route.upstream_model,
            credential=route.credential,
            modes=None if route.modes is None else frozenset(route.modes),
            stages=None if route.stages is None else frozenset(route.stages),
            region=route.region,
            first_party=route.first_party,
            weight=route.weight,
            costs=route_costs(route, costs),
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


def _price_spec(file: FileSpec, spec: OfferingSpec, variant: VariantSpec) -> PriceSpecs:
    price = spec.price if variant.price is None else variant.price
    return file.prices.get(price, price) if isinstance(price, str) else price


def _check_variants(spec: OfferingSpec) -> None:
    names = [variant.name for variant in spec.variants]
    if len(names) != len(set(names)) or sum(one.default for one in spec.variants) > 1:
        message = "variants: a name or a default is there twice"
        raise ValueError(message)


def _check_quotable(offering: Offering) -> None:
    """Refuse prices that do not cover, or lie above their ceiling at, an offering's defaults."""
    for rules in offering.modes.values():
        job = MediaJob(
            offering=offering.id,
            model=offering.model,
            kind=offering.kind,
            mode=rules.mode,
            params=rules.defaults,
        )
        for price in offering.prices:
            try:
                quote_media(price, job)
            except PorticoError as error:
                message = f"price: mode {rules.mode.value} at its defaults: {error.message}"
                raise ValueError(message) from error


def _offering(
    file: FileSpec,
    spec: OfferingSpec,
    variant: VariantSpec,
    *,
    dialect: str,
    models: Mapping[str, Model],
) -> Offering:
    model = models.get(variant.model or spec.model)
    if model is None:
        message = f"model: no model {variant.model or spec.model}"
        raise ValueError(message)
    modes = assemble_modes(spec, variant, _shape(file, spec))
    if (model.kind is Kind.TEXT) is bool(modes):
        message = "shape: pictures and videos need one, texts have none"
        raise ValueError(message)
    price = _price_spec(file, spec, variant)
    named = None if variant is _ONE else variant.name
    offering = Offering(
        id=f"{dialect}:{spec.name}" + (f"/{named}" if named else ""),
        dialect=dialect,
        name=spec.name,
        variant=named,
        model=model.id,
        kind=model.kind,
        title=variant.title or spec.title or model.title,
        prices=assemble_prices(price, modes, amount=variant.amount),
        is_default=_is_default(spec, variant),
        is_fallback=spec.fallback,
        function=spec.function,
        modes=modes,
        roles=assemble_roles(model.kind, modes),
        siblings=spec.siblings,
        chat=spec.chat,
        display=spec.display,
        enabled=spec.enabled and variant.enabled,
    )
    _check_quotable(offering)
    return offering


def _is_default(spec: OfferingSpec, variant: VariantSpec) -> bool:
    enabled = [other for other in spec.variants if other.enabled]
    return variant.default or variant is _ONE or (len(enabled) == 1 and enabled[0] is variant)
