"""Say where a request would go, and why: every route of a model, for and against it."""

from collections.abc import Sequence

import msgspec

from portico.catalogue import Model
from portico.core.clock import SECOND_MS, Instant
from portico.core.jobs import RouteClass
from portico.core.money import Credits
from portico.flows.connected import Providers
from portico.flows.routing import appraise, routes_of
from portico.routes import Offer, RouteState, Want
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


def explain(
    model: Model,
    want: Want,
    providers: Providers,
    state: RouteState,
    *,
    now: Instant,
    only: str | None = None,
) -> Explanation:
    """Explain the choice of a route without making it.

    Args:
        model: what is asked for.
        want: how.
        providers: what is connected.
        state: pauses, and how well each route went.
        now: by which pauses are judged.
        only: the one provider to which everything goes, if there is one.
    """
    found = appraise(model, want, providers, only)
    candidates = [
        _candidate(offer, state, now, None if reason is None else reason.value)
        for offer, reason in found
    ]
    free = [offer for (offer, _), each in zip(found, candidates, strict=True) if each.takes]
    connected = {offer.provider for offer, _ in found}
    candidates += [
        Candidate(
            provider=route.provider,
            credential="",
            upstream_model=route.upstream_model,
            takes=False,
            reason="no credential that it may use is connected",
            weight=route.weight,
            cost=route.upstream_cost,
        )
        for route in routes_of(model, only)
        if route.provider not in connected
    ]
    taken, because = _verdict(free, candidates, state, want.route_class, now)
    return Explanation(
        model=model.id,
        goes_to=tuple(each.key.credential for each in taken),
        because=because,
        candidates=tuple(candidates),
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
    wanted: RouteClass,
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
    if wanted is RouteClass.VALUE:
        return (cheapest(free, state),), "it is the cheapest that is well"
    weighted = [one for one in free if one.weight] or free
    return weighted, "of two drawn by weight mostly the one that does better is taken"
