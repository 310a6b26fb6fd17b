"""Choose who does a job: the catalogue's routes, with the credentials that are connected."""

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from portico.catalogue import LOCAL_PROVIDER, Catalogue, Model, Route, expected_cost
from portico.core.clock import SECOND_MS, Instant
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatJob, Kind, MediaJob, Mode
from portico.engines import RENDER, UPSTREAM
from portico.flows.connected import Connected, Providers
from portico.flows.gateway import Gateway
from portico.flows.retry import RETRYABLE
from portico.routes import Key, Objection, Offer, Want, choose, key_of, objection, priced
from portico.routes.breaker import State
from portico.routes.choice import CostOf
from portico.tasks import Attempt, RouteTaken

LOOK_AGAIN_S = 15.0  # at most, while every route is paused; another process may end a pause
_FIRST_STAGE = "generate"
_EVER = {Objection.KIND, Objection.DISABLED}  # objections also where everything goes to one


class Tried(msgspec.Struct, frozen=True):
    """What one stage of a task has behind it."""

    times: Counter[Key] = Counter()
    for_good: frozenset[Key] = frozenset()  # waiting would not help there
    last_at: Instant = 0  # when the newest attempt began

    @classmethod
    def of(cls, attempts: Sequence[Attempt], stage: int) -> "Tried":
        """Read it from the rows; an attempt still open counts as well."""
        of_stage = [each for each in attempts if each.stage == stage]
        times = Counter(key_of(each.credential, each.upstream_model) for each in of_stage)
        for_good = {
            key_of(each.credential, each.upstream_model)
            for each in of_stage
            if each.failure_code is not None and each.failure_code not in RETRYABLE
        }
        last_at = max((each.started_at for each in of_stage), default=0)
        return cls(times, frozenset(for_good), last_at)


def want_of(job: MediaJob | ChatJob, stage: int = 0) -> Want:
    """Return what of a job's stage decides who may do it."""
    if isinstance(job, ChatJob):
        return Want(job.route_class, Mode.CHAT, _FIRST_STAGE)
    return Want(job.route_class, job.mode, job.stages[stage], is_later_stage=stage > 0)


def eligible(gateway: Gateway, job: MediaJob | ChatJob, stage: int = 0) -> tuple[Offer, ...]:
    """Return every route that can serve a stage of a job, whatever its state; maybe none.

    Raises:
        PorticoError: UNKNOWN_MODEL when the model is gone.
    """
    want, providers = want_of(job, stage), gateway.providers
    model = gateway.catalogue.model(job.model)
    only = gateway.limits.only_provider
    found: tuple[Offer, ...] = gateway.routes.once(
        (gateway.catalogue, providers.version, model.id, want, only),
        lambda: _eligible(model, want, providers, only),
    )
    return found


def least_tried(offers: Sequence[Offer], tried: Tried) -> list[Offer]:
    """Return the routes that were tried least: a round goes through all before the next begins."""
    least = min((tried.times[one.key] for one in offers), default=0)
    return [one for one in offers if tried.times[one.key] == least]


def possible(offers: Sequence[Offer], tried: Tried, *, times_max: int) -> list[Offer]:
    """Return the routes at which a job may still be tried, now or later."""
    return [
        one for one in offers if one.key not in tried.for_good and tried.times[one.key] < times_max
    ]


def is_free(gateway: Gateway, offer: Offer) -> bool:
    """Whether something may be begun at a route now."""
    return gateway.routes.breakers.state(offer.key, gateway.clock.now()) is not State.OPEN


def pick(gateway: Gateway, job: MediaJob | ChatJob, offers: Sequence[Offer]) -> Offer | None:
    """Return the route to take of several; None while all of them are paused."""
    now = gateway.clock.now()
    return choose(
        priced(offers, job, now=now) if len(offers) > 1 else offers,
        gateway.routes,
        job.route_class,
        now=now,
        random_bits=gateway.ids.random_bits,
    )


def free_after_s(gateway: Gateway, offers: Sequence[Offer]) -> float:
    """Return after how many seconds it is worth looking at paused routes again."""
    now = gateway.clock.now()
    ends = [gateway.routes.breakers.opens_at(one.key, now) for one in offers]
    first = min((each for each in ends if each > now), default=now + LOOK_AGAIN_S * SECOND_MS)
    return min((first - now) / SECOND_MS, LOOK_AGAIN_S)


def require_route(gateway: Gateway, job: MediaJob | ChatJob) -> Offer:
    """Return one of a job's routes, for what is the same for all of them.

    Raises:
        PorticoError: NO_ROUTE when nobody who is connected serves the model in the class asked
            for.
    """
    offers = eligible(gateway, job)
    if not offers:
        raise no_route()
    return offers[0]


def no_route() -> PorticoError:
    """Return the error of a job that nobody can do."""
    return PorticoError(ErrorCode.NO_ROUTE, "No upstream is available for this model")


def taken(offer: Offer) -> RouteTaken:
    """Return what an attempt at a route notes of it."""
    return RouteTaken(offer.provider, offer.key.credential, offer.key.model)


def queue_of(provider: str) -> str:
    """Return what a provider needs of its runner: a machine that renders, or only the network."""
    return RENDER if provider == LOCAL_PROVIDER else UPSTREAM


def appraise(
    model: Model, want: Want, providers: Providers, only: str | None = None
) -> list[tuple[Offer, Objection | None]]:
    """Return every route of a model with every credential it may use, and what speaks against it.

    Args:
        model: whose routes.
        want: what is asked of them.
        providers: what is connected.
        only: the one provider to which everything goes, such as the simulator.
    """
    offers = [
        _offer(model, route, one, providers)
        for route in routes_of(model, only)
        for one in _credentials(route, providers)
    ]
    found = [(each, objection(each, want)) for each in offers]
    if only is None:
        return found
    return [(each, reason if reason in _EVER else None) for each, reason in found]


def routes_of(model: Model, only: str | None) -> tuple[Route, ...]:
    """Return a model's routes; where everything goes to one provider, the only one there is."""
    if only is None:
        return model.routes
    return (msgspec.structs.replace(model.routes[0], provider=only, credential=None),)


def unknown_providers(catalogue: Catalogue, known: Collection[str]) -> list[str]:
    """Return what is wrong with routes whose provider does not exist, a sentence each."""
    return [
        f"models {model.id}: routes.provider: there is no provider {route.provider}"
        for model in catalogue.models()
        for route in model.routes
        if route.provider not in known
    ]


def _eligible(
    model: Model, want: Want, providers: Providers, only: str | None
) -> tuple[Offer, ...]:
    found = tuple(each for each, reason in appraise(model, want, providers, only) if reason is None)
    if found or not want.is_later_stage:
        return found
    return tuple(_renderers(model, want, providers))


def _renderers(model: Model, want: Want, providers: Providers) -> list[Offer]:
    """Return the built-in renderer for a later stage that no upstream of the model serves."""
    return [
        Offer(key=key_of(one.name, want.stage), whole=key_of(one.name), provider=one.provider)
        for one in providers.of(LOCAL_PROVIDER)
        if one.tasks is not None and model.kind is not Kind.TEXT
    ]


def _credentials(route: Route, providers: Providers) -> list[Connected]:
    return [
        one
        for one in providers.all()
        if one.provider == route.provider and route.credential in (None, one.name)
    ]


def _cost_of(route: Route) -> CostOf | None:
    if not route.costs:
        return None
    return lambda job, at: expected_cost(route.costs, job, at=at)


def _offer(model: Model, route: Route, one: Connected, providers: Providers) -> Offer:
    is_own = all(each.provider == LOCAL_PROVIDER for each in model.routes)
    stands_in = route.provider == LOCAL_PROVIDER and not is_own
    return Offer(
        key=key_of(one.name, route.upstream_model),
        whole=key_of(one.name),
        provider=one.provider,
        modes=route.modes,
        stages=route.stages,
        region=route.region,
        credential_region=one.region,
        weight=route.weight,
        # Portico makes its own models; a stand-in shows what would come, and bills nobody's rival
        first_party=route.first_party or route.provider == LOCAL_PROVIDER,
        cost_of=_cost_of(route),
        makes=(one.chat if model.kind is Kind.TEXT else one.tasks) is not None,
        is_enabled=one.is_enabled,
        is_stand_in=stands_in and providers.has_upstreams,
        models=one.models,
    )
