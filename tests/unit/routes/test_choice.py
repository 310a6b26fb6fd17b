"""Who can serve a job at all, and who of those is taken."""

from collections import Counter
from typing import Any

import pytest

from portico.core.jobs import Mode, RouteClass
from portico.core.upstreams import Trouble
from portico.routes import Objection, Offer, RouteState, Want, choose, key_of, objection
from portico.testing import START, seeded_bits

AUTO = Want(RouteClass.AUTO, Mode.TEXT, "generate")
LATER = Want(RouteClass.AUTO, Mode.TEXT, "enhance", is_later_stage=True)
OFFICIAL = Want(RouteClass.OFFICIAL, Mode.TEXT, "generate")


def offer(name="a", **given: Any):
    return Offer(key=key_of(name, "m"), whole=key_of(name), provider="p", **given)


def drawn(offers, state=None, wanted=RouteClass.AUTO, *, times=1_000, without=()):
    """Count who is taken in many choices."""
    bits, state = seeded_bits(), state or RouteState()
    taken = [
        choose(offers, state, wanted, now=START, without=without, random_bits=bits)
        for _ in range(times)
    ]
    return Counter(one.key.credential if one else None for one in taken)


def paused(*names: str):
    state = RouteState()
    for name in names:
        state.breakers.failed(key_of(name, "m"), Trouble.MODEL, retry_after_s=None, now=START)
    return state


@pytest.mark.parametrize(
    ("given", "want", "reason"),
    [
        ({}, AUTO, None),
        ({"makes": False}, AUTO, Objection.KIND),
        ({"is_enabled": False}, AUTO, Objection.DISABLED),
        ({"is_stand_in": True}, AUTO, Objection.STAND_IN),
        ({}, OFFICIAL, Objection.CLASS),
        ({"first_party": True}, OFFICIAL, None),
        ({"modes": frozenset({Mode.IMAGE})}, AUTO, Objection.MODE),
        ({"modes": frozenset({Mode.TEXT})}, AUTO, None),
        ({"stages": frozenset({"enhance"})}, AUTO, Objection.STAGE),
        ({"stages": frozenset({"enhance"})}, LATER, None),
        ({}, LATER, Objection.STAGE),
        ({"region": "cn", "credential_region": "eu"}, AUTO, Objection.REGION),
        ({"region": "cn", "credential_region": "cn"}, AUTO, None),
        ({"region": "cn"}, AUTO, None),
        ({"credential_region": "eu"}, AUTO, None),
        ({"models": frozenset({"x"})}, AUTO, Objection.MODEL),
        ({"models": frozenset({"m", "x"})}, AUTO, None),
    ],
)
def test_route_serves_a_job_or_says_why_not(given, want, reason):
    assert objection(offer(**given), want) is reason


def test_nobody_is_taken_where_nobody_is():
    assert drawn([], times=1) == {None: 1}


def test_weights_share_out_jobs_among_equals():
    counts = drawn([offer("a", weight=8), offer("b"), offer("c")])

    assert counts["a"] > 600
    assert counts["b"] > 0
    assert counts["c"] > 0


def test_route_without_weight_is_taken_only_where_there_is_no_other():
    assert drawn([offer("a", weight=0), offer("b")]) == {"b": 1_000}
    assert drawn([offer("a", weight=0)]) == {"a": 1_000}
    assert set(drawn([offer("a", weight=0), offer("b", weight=0)])) == {"a", "b"}


def test_route_that_fails_gets_fewer_jobs_and_a_route_nobody_tried_gets_some():
    state = RouteState()
    for _ in range(5):
        state.health.failed(key_of("a", "m"))

    counts = drawn([offer("a"), offer("b"), offer("c")], state)

    assert 0 < counts["a"] < 100  # else nobody would see that it does better again
    assert counts["b"] > 300


def test_route_that_only_fails_gets_next_to_nothing():
    state = RouteState()
    for _ in range(30):
        state.health.failed(key_of("a", "m"))

    assert drawn([offer("a", weight=8), offer("b")], state)["a"] <= 2


def test_weights_share_out_jobs_among_two_as_well():
    counts = drawn([offer("a", weight=4), offer("b")])

    assert counts["a"] == pytest.approx(800, abs=40)


def test_faster_and_cheaper_gets_more():
    state = RouteState()
    state.health.succeeded(key_of("a", "m"), 60.0)
    state.health.succeeded(key_of("b", "m"), 20.0)

    faster = drawn([offer("a"), offer("b")], state)
    cheaper = drawn([offer("a", cost=1), offer("b", cost=100)], state)

    assert faster["b"] == pytest.approx(710, abs=40)
    assert cheaper["a"] == pytest.approx(910, abs=30)


def test_little_faster_leaves_the_other_its_share():
    state = RouteState()
    state.health.succeeded(key_of("a", "m"), 21.0)
    state.health.succeeded(key_of("b", "m"), 20.0)

    assert drawn([offer("a"), offer("b")], state)["a"] > 400


def test_value_takes_the_cheapest_that_is_well():
    offers = [offer("dear", cost=9), offer("cheap", cost=1), offer("unknown")]
    state = RouteState()
    assert drawn(offers, state, RouteClass.VALUE) == {"cheap": 1_000}

    for _ in range(5):
        state.health.failed(key_of("cheap", "m"))
    assert drawn(offers, state, RouteClass.VALUE) == {"dear": 1_000}
    assert drawn(offers, paused("dear"), RouteClass.VALUE) == {"cheap": 1_000}
    assert drawn([offers[2]], state, RouteClass.VALUE) == {"unknown": 1_000}


def test_paused_and_tried_routes_are_left_out():
    offers = [offer("a"), offer("b"), offer("c")]

    assert drawn(offers, paused("a"), without={key_of("b", "m")}) == {"c": 1_000}
    assert drawn(offers, paused("a", "b", "c")) == {None: 1_000}


@pytest.mark.parametrize("wanted", RouteClass)
def test_route_whose_pause_is_over_is_looked_at_first(wanted):
    offers = [offer("a", cost=1), offer("b", cost=9)]
    state = paused("b")
    later = state.breakers.pauses[0].until

    taken = choose(offers, state, wanted, now=later, random_bits=seeded_bits())

    assert taken is offers[1]
