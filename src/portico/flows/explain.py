"""Say where a request would go, and why: every route of a model, for and against it."""

from collections.abc import Mapping, Sequence

import msgspec

from portico.catalogue import Catalogue, Model, ModeRules, Route, expected_cost
from portico.catalogue.params import coerce
from portico.core.clock import SECOND_MS, Instant
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatJob, Kind, MediaJob, Message, Mode, ParamValue, RouteClass
from portico.core.money import Credits
from portico.flows.connected import Providers
from portico.flows.routing import appraise, routes_of, want_of
from portico.routes import Objection, Offer, RouteState, priced
from portico.routes.breaker import State
from portico.routes.choice import cheapest


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One route with one credential; `reason` says why it may be taken, or why not."""

    provider: str
    credential: str  # empty: none is connected
    upstream_model: str
    takes: bool  # it may be taken now
    reason: str
    weight: int
    cost: Credits | None
    success: float | None = None  # of lately, as this process saw it; None: there is none
    latency_s: float | None = None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request would go."""

    model: str
    goes_to: tuple[str, ...]  # credentials; several: mostly the better of two drawn by weight
    because: str
    candidates: tuple[Candidate, ...]


def example(
    catalogue: Catalogue,
    model: Model,
    mode: Mode,
    route_class: RouteClass,
    given: Mapping[str, str],
) -> MediaJob | ChatJob:
    """Return a job as a customer might ask for it: with the defaults of the first offering.

    Raises:
        PorticoError: INVALID_REQUEST or UNSUPPORTED_OPTION for a parameter, with its name.
    """
    sold = catalogue.sold_as(model.id)
    offering = sold[0].id if sold else ""
    if model.kind is Kind.TEXT:
        for name in given:
            raise _unknown(name)
        words = (Message("user", "Hello"),)
        length = sold[0].chat.output_tokens_default if sold else 1
        return ChatJob(
            offering=offering,
            model=model.id,
            messages=words,
            max_tokens=length,
            route_class=route_class,
        )
    rules = next((each.modes[mode] for each in sold if mode in each.modes), None)
    return MediaJob(
        offering=offering,
        model=model.id,
        kind=model.kind,
        mode=mode,
        params=_params(rules, given),
        route_class=route_class,
    )


def _params(rules: ModeRules | None, given: Mapping[str, str]) -> dict[str, ParamValue]:
    params: dict[str, ParamValue] = dict(rules.defaults) if rules else {}
    for name, raw in given.items():
        if rules is None or name not in rules.params:
            raise _unknown(name)
        params[name] = coerce(rules.params[name], raw)
    return params


def _unknown(name: str) -> PorticoError:
    message = f"This model has no {name}"
    return PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param=name)


def explain(
    model: Model,
    job: MediaJob | ChatJob,
    providers: Providers,
    state: RouteState,
    *,
    now: Instant,
    only: str | None = None,
) -> Explanation:
    """Explain the choice of a route without making it.

    Args:
        model: what is asked for.
        job: how; its costs are those by which `value` chooses.
        providers: what is connected.
        state: pauses, and how well each route went.
        now: by which pauses are judged.
        only: the one provider to which everything goes, if there is one.
    """
    found = _priced(appraise(model, want_of(job), providers, only), job, now)
    candidates = [
        _candidate(offer, state, now, None if reason is None else reason.value)
        for offer, reason in found
    ]
    free = [offer for (offer, _), each in zip(found, candidates, strict=True) if each.takes]
    connected = {offer.provider for offer, _ in found}
    candidates += [
        _unconnected(route, job, now)
        for route in routes_of(model, only)
        if route.provider not in connected
    ]
    taken, because = _verdict(free, candidates, state, job, now)
    return Explanation(
        model=model.id,
        goes_to=tuple(each.key.credential for each in taken),
        because=because,
        candidates=tuple(candidates),
    )


def _priced(
    found: Sequence[tuple[Offer, Objection | None]], job: MediaJob | ChatJob, now: Instant
) -> list[tuple[Offer, Objection | None]]:
    offers = priced([offer for offer, _ in found], job, now=now)
    return [(offer, reason) for offer, (_, reason) in zip(offers, found, strict=True)]


def _unconnected(route: Route, job: MediaJob | ChatJob, now: Instant) -> Candidate:
    return Candidate(
        provider=route.provider,
        credential="",
        upstream_model=route.upstream_model,
        takes=False,
        reason="no credential that it may use is connected",
        weight=route.weight,
        cost=expected_cost(route.costs, job, at=now),
    )


def _candidate(offer: Offer, state: RouteState, now: Instant, reason: str | None) -> Candidate:
    standing = state.health.standing(offer.key)
    breaker = state.breakers.state(offer.key, now)
    return Candidate(
        provider=offer.provider,
        credential=offer.key.credential,
        upstream_model=offer.key.model,
        takes=reason is None and breaker is not State.OPEN,
        reason=reason or _of_breaker(offer, state, now, breaker),
        weight=offer.weight,
        cost=offer.cost,
        success=standing.success,
        latency_s=standing.latency_s,
    )


def _of_breaker(offer: Offer, state: RouteState, now: Instant, breaker: State) -> str:
    if breaker is State.CLOSED:
        return "it can serve this and is free"
    pauses = state.breakers.over(offer.key)
    troubles = " and ".join(sorted({each.reason.value for each in pauses}))
    if breaker is State.HALF_OPEN:
        return f"its pause ({troubles}) is over, so the next attempt looks whether it is back"
    left_s = (state.breakers.opens_at(offer.key, now) - now) / SECOND_MS
    return f"it is paused for another {left_s:.0f} s ({troubles})"


def _verdict(
    free: Sequence[Offer],
    candidates: Sequence[Candidate],
    state: RouteState,
    job: MediaJob | ChatJob,
    now: Instant,
) -> tuple[Sequence[Offer], str]:
    if not free:
        waits = any("paused" in each.reason for each in candidates)
        later = "every route that can serve it is paused, so it waits"
        return (), later if waits else "no route can serve it"
    for one in free:
        if state.breakers.state(one.key, now) is State.HALF_OPEN:
            return (one,), "its pause is over and somebody has to look whether it is back"
    if len(free) == 1:
        return free, "it is the only route that can serve this now"
    if job.route_class is RouteClass.VALUE:
        return (cheapest(free, state),), "it is the cheapest that is well"
    weighted = [one for one in free if one.weight] or free
    return weighted, "of two drawn by weight mostly the one that does better is taken"
