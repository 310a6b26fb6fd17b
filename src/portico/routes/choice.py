"""Choose a route: what can serve a job at all, and which of those is taken now."""

from collections.abc import Callable, Collection, Sequence
from enum import StrEnum

import msgspec

from portico.core.clock import Instant
from portico.core.jobs import ChatJob, MediaJob, Mode, RouteClass
from portico.core.money import Credits
from portico.routes.model import Key
from portico.routes.state import RouteState

HEALTHY = 0.5  # a success rate below it is no bargain
_DRAW_BITS = 32

CostOf = Callable[[MediaJob | ChatJob, Instant], Credits | None]


class Objection(StrEnum):
    """Why a route cannot serve a job, whatever its state; closed."""

    KIND = "its provider makes no such thing"
    DISABLED = "its credential is disabled"
    CLASS = "it is not first-party"
    STAND_IN = "the built-in renderer stands in only while nothing is connected"
    MODE = "it does not serve this mode"
    STAGE = "it does not serve this stage"
    REGION = "its credential is in another region"
    MODEL = "its upstream does not offer this model"


class Want(msgspec.Struct, frozen=True):
    """What of a job decides who may do it."""

    route_class: RouteClass
    mode: Mode
    stage: str
    is_later_stage: bool = False  # only who says that it serves a later stage does


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One route with one credential: all that is known of it without looking at its state."""

    key: Key  # its credential and the upstream's word for the model
    whole: Key  # its credential alone
    provider: str
    modes: frozenset[Mode] | None = None  # None: all
    stages: frozenset[str] | None = None  # None: the first one
    region: str = ""  # the route's wish
    credential_region: str = ""  # where the credential is; empty: anywhere
    weight: int = 1
    first_party: bool = False
    cost: Credits | None = None  # what the job at hand costs us; None: not known
    cost_of: CostOf | None = None  # works that out; None: nothing is known of its costs
    makes: bool = True  # its provider has code for this kind of job
    is_enabled: bool = True
    is_stand_in: bool = False  # built in, for another vendor's model, beside real upstreams
    models: frozenset[str] | None = None  # that its upstream offers; None: nobody asked


def priced(offers: Sequence[Offer], job: MediaJob | ChatJob, *, now: Instant) -> Sequence[Offer]:
    """Return routes with what one job costs us there; the same ones where no costs are known."""
    if all(one.cost_of is None for one in offers):
        return offers
    return [
        one if one.cost_of is None else msgspec.structs.replace(one, cost=one.cost_of(job, now))
        for one in offers
    ]


def objection(offer: Offer, want: Want) -> Objection | None:
    """Return the first reason why a route cannot serve a job; None when it can."""
    for reason, holds in (
        (Objection.STAND_IN, offer.is_stand_in),
        (Objection.KIND, not offer.makes),
        (Objection.DISABLED, not offer.is_enabled),
        (Objection.CLASS, want.route_class is RouteClass.OFFICIAL and not offer.first_party),
        (Objection.MODE, offer.modes is not None and want.mode not in offer.modes),
        (Objection.STAGE, not _serves_stage(offer, want)),
        (Objection.REGION, not _is_there(offer)),
        (Objection.MODEL, offer.models is not None and offer.key.model not in offer.models),
    ):
        if holds:
            return reason
    return None


def choose(
    offers: Sequence[Offer],
    state: RouteState,
    wanted: RouteClass,
    *,
    now: Instant,
    without: Collection[Key] = (),
    random_bits: Callable[[int], int],
) -> Offer | None:
    """Return the route to take among those that can serve a job; None: none is free now.

    A route whose pause is over is looked at again first. Of the rest, `value` takes the
    cheapest that is well, and every other class mostly the better of two drawn by weight.
    """
    free = offers
    if without:
        free = [one for one in offers if one.key not in without]
    if state.breakers.pauses:
        lasting, over = state.breakers.sorted_at(now)
        free = [one for one in free if one.key not in lasting and one.whole not in lasting]
        for one in free if over else ():
            if one.key in over or one.whole in over:
                return one
    if len(free) <= 1:
        return free[0] if free else None
    if wanted is RouteClass.VALUE:
        return cheapest(free, state)
    return _mostly_better_of_two(free, state, random_bits)


def cheapest(offers: Sequence[Offer], state: RouteState) -> Offer:
    """Return the route with the lowest known cost among those that are well, if any are."""
    ranked = sorted(offers, key=_cost)
    standing = state.health.standing
    return next((one for one in ranked if standing(one.key).success >= HEALTHY), ranked[0])


def _cost(offer: Offer) -> tuple[bool, Credits]:
    return offer.cost is None, offer.cost or 0


def beside(one: Offer, other: Offer, state: RouteState) -> float:
    """Return how much less than another a route promises: by success, then by waiting and cost.

    1.0: as much; 2.0: half of it. What is not known of both counts for neither.
    """
    mine, theirs = state.health.standing(one.key), state.health.standing(other.key)
    ratio = ((theirs.success + 0.01) / (mine.success + 0.01)) ** 2
    if mine.latency_s and theirs.latency_s:
        ratio *= (mine.latency_s / theirs.latency_s) ** 0.5
    if one.cost and other.cost:
        ratio *= (one.cost / other.cost) ** 0.5
    return ratio


def _mostly_better_of_two(
    free: Sequence[Offer], state: RouteState, random_bits: Callable[[int], int]
) -> Offer:
    """Draw two; the worse one keeps a chance, or nobody would see that it does better again."""
    first = _draw(free, random_bits)
    second = _draw([one for one in free if one is not first], random_bits)
    if second.weight == 0 < first.weight:
        return first
    ratio = beside(first, second, state)
    if ratio <= 1.0 or random_bits(_DRAW_BITS) * ratio < 2**_DRAW_BITS:
        return first
    return second


def _draw(offers: Sequence[Offer], random_bits: Callable[[int], int]) -> Offer:
    """Draw one by weight; those without any come in only where all are."""
    weights = [one.weight for one in offers]
    total = sum(weights)
    if total == 0:
        return offers[random_bits(_DRAW_BITS) % len(offers)]
    left = random_bits(_DRAW_BITS) % total
    for one, weight in zip(offers, weights, strict=True):
        left -= weight
        if left < 0:
            return one
    return offers[-1]


def _serves_stage(offer: Offer, want: Want) -> bool:
    if offer.stages is None:
        return not want.is_later_stage
    return want.stage in offer.stages


def _is_there(offer: Offer) -> bool:
    return not offer.region or offer.credential_region in ("", offer.region)
