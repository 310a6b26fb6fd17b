"""Upstream costs: read strictly, worked out from what was measured or asked, never guessed."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.catalogue import expected_cost, media_cost, text_cost
from portico.catalogue.catalogue import build
from portico.catalogue.costs import Cost, CostRule
from portico.catalogue.files import read_text
from portico.core.jobs import ChatJob, ChatUsage, Kind, MediaInput, MediaJob, Message, Mode, Role
from portico.core.money import CREDITS_MAX, MICRO
from tests.unit.catalogue.asks import AT

MODEL = """
[[models]]
id = "m"
title = "M"
kind = "video"
provider_label = "mine"
routes = [{ provider = "p", upstream_model = "u", upstream_cost = "COST" }]
"""
VIDEO: dict[str, Any] = {"duration": 5, "resolution": "720p", "audio": True}
CHAT = ChatJob(offering="o", model="m", messages=(Message("user", "hi there"),), max_tokens=1_000)


def costs_of(tables, name="c"):
    text = MODEL.replace("COST", name) + tables
    return build([{"m.toml": read_text("m.toml", text)}]).model("m").routes[0].costs


def job(inputs=(), mode=Mode.TEXT, **params: Any):
    return MediaJob(
        offering="o", model="m", kind=Kind.VIDEO, mode=mode, params=VIDEO | params, inputs=inputs
    )


def micro(amount):
    return round(amount * MICRO)


TOKENS = (
    '[costs.c]\nrule = "per_video_token"\namount = "640"\n'
    'video_tokens_per_second = { "720p" = 21780 }'
)


@pytest.mark.parametrize(
    ("table", "params", "usage", "cost"),
    [
        ('amount = "3.5"', {}, {"seconds": 9}, 3.5),
        ('rule = "per_second"\namount = "2"', {}, {"seconds": 5.04}, 10.08),
        ('rule = "per_second"\namount = "2"', {}, {}, 10),
        ('rule = "per_image"\namount = "3"', {"count": 2}, {}, 6),
        ('rule = "per_image"\namount = "3"', {"count": 2}, {"images": 1}, 3),
        ('rule = "per_image"\namount = "3"', {}, {}, 3),
        ('rule = "per_credit"\namount = "0.5"', {}, {"credits": 30}, 15),
        ('rule = "per_credit"\namount = "0.5"\ntypical = "9"', {}, {}, None),
        ('rule = "per_compute_second"\namount = "0.14"', {}, {"compute_seconds": 10}, 1.4),
        ('rule = "per_compute_second"\namount = "0.14"', {}, {"compute_seconds": "x"}, None),
        ('rule = "per_second"\nmatrix = [{ resolution = "720P", amount = "1" }]', {}, {}, 5),
        ('rule = "per_second"\nmatrix = [{ resolution = "4k", amount = "1" }]', {}, {}, None),
        ('matrix = [{ audio = false, amount = "1" }, { amount = "2" }]', {}, {}, 2),
        ('matrix = [{ mode = "text", input = false, amount = "1" }]', {}, {}, 1),
        ('rule = "per_second"\namount = "1"\noff_peak_percent = 50', {"off_peak": True}, {}, 2.5),
        ('rule = "per_second"\namount = "1"\nminimum = "8"', {}, {}, 8),
        (
            'rule = "per_llm_token"\ninput = "500"\noutput = "3000"',
            {},
            {"input_tokens": 1_000, "output_tokens": 2_000},
            6.5,
        ),
        ('rule = "per_llm_token"\ninput = "500"\noutput = "3000"', {}, {"input_tokens": 9}, None),
    ],
)
def test_what_was_measured_counts_then_what_was_asked(table, params, usage, cost):
    found = media_cost(costs_of("[costs.c]\n" + table), job(**params), usage, at=AT)
    assert found == (None if cost is None else micro(cost))


def test_video_tokens_are_taken_from_the_resolution_until_they_are_reported():
    costs = costs_of(TOKENS)
    assert media_cost(costs, job(), at=AT) == micro(0.10890 * 640)
    assert media_cost(costs, job(), {"video_tokens": 1_000_000}, at=AT) == micro(640)
    assert media_cost(costs, job(resolution="1080p"), at=AT) is None


def test_length_of_a_video_that_goes_in_is_not_guessed():
    film = (MediaInput(Role.REFERENCE_VIDEO, url="https://example.com/a.mp4"),)
    assert media_cost(costs_of(TOKENS), job(film), at=AT) is None


def test_text_costs_what_it_used_and_is_expected_to_be_as_long_as_it_may():
    costs = costs_of(
        '[costs.c]\nrule = "per_llm_token"\ninput = "250"\ncached = "100"\noutput="1000"'
    )
    usage = ChatUsage(input_tokens=2_000, output_tokens=100, cached_tokens=1_000)

    assert text_cost(costs, usage, at=AT) == micro(0.25 + 0.1 + 0.1)
    assert (expected_cost(costs, CHAT, at=AT) or 0) > micro(1)
    assert text_cost(costs_of("", "2"), usage, at=AT) == micro(2)
    assert text_cost(costs_of(TOKENS), usage, at=AT) is None


def test_typical_cost_is_for_the_choice_alone():
    costs = costs_of('[costs.c]\nrule = "per_credit"\namount = "0.5"\ntypical = "9"')
    assert expected_cost(costs, job(), at=AT) == micro(9)
    assert media_cost(costs, job(), at=AT) is None


def test_version_of_the_time_counts_and_none_is_valid_between():
    costs = costs_of(
        '[[costs.c]]\namount = "2"\nfrom = 2026-06-01T00:00:00Z\n'
        '[[costs.c]]\namount = "1"\nto = 2026-01-01T00:00:00Z'
    )
    early, late = 1_760_000_000_000, 1_790_000_000_000
    assert [media_cost(costs, job(), at=each) for each in (early, late)] == [micro(1), micro(2)]
    assert media_cost(costs, job(), at=1_770_000_000_000) is None
    assert expected_cost(costs, job(), at=1_770_000_000_000) is None


def test_operators_table_replaces_the_shipped_one_of_its_name():
    shipped = read_text("a.toml", MODEL.replace("COST", "c") + '[costs.c]\namount = "1"')
    own = read_text("b.toml", '[costs.c]\namount = "7"')
    route = build([{"a.toml": shipped}, {"b.toml": own}]).model("m").routes[0]
    assert route.costs == (Cost(amount=7 * MICRO),)


def test_table_named_after_a_route_is_that_route_s_unless_it_names_another():
    silent = MODEL.replace(', upstream_cost = "COST"', "")
    table = '[costs."p/u"]\namount = "4"'
    shipped, own = read_text("a.toml", silent), read_text("b.toml", table)
    (route,) = build([{"a.toml": shipped}, {"b.toml": own}]).model("m").routes
    assert route.costs == (Cost(amount=4 * MICRO),)
    assert costs_of(table, "2") == (Cost(amount=2 * MICRO),)


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ("colour = 1", "$.costs"),
        ('amount = "-1"', "costs c: amount"),
        ('rule = "per_second"', "costs c: amount"),
        ('rule = "per_wish"\namount = "1"', "$.costs"),
        ('rule = "per_llm_token"\nmatrix = [{ amount = "1" }]', "costs c: matrix"),
        ('amount = "1"\ninput = "1"', "costs c: input"),
        ('amount = "1"\nvideo_tokens_per_second = { "720p" = 1 }', "video_tokens_per_second"),
        ('matrix = [{ colour = "red", amount = "1" }]', "matrix.colour"),
        ('matrix = [{ mode = "smell", amount = "1" }]', "matrix.mode"),
        ('matrix = [{ duration = "long", amount = "1" }]', "matrix.duration"),
        ("matrix = [{ audio = true }]", "matrix.amount"),
        ('amount = "1"\nfrom = 2026-02-01T00:00:00Z\nto = 2026-01-01T00:00:00Z', "costs c: to"),
    ],
)
def test_mistake_is_told_with_its_place(table, place):
    with pytest.raises(ValueError) as caught:
        costs_of("[costs.c]\n" + table)
    assert place in str(caught.value)


def test_versions_may_not_overlap_and_names_not_look_like_amounts():
    with pytest.raises(ValueError) as caught:
        costs_of('[[costs.c]]\namount = "2"\n[[costs.c]]\namount = "1"')
    assert "from and to" in str(caught.value)
    with pytest.raises(ValueError) as caught:
        costs_of('[costs.3x]\namount = "2"', "3x")
    assert "costs 3x" in str(caught.value)


ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3))
USAGE = st.dictionaries(
    st.sampled_from(
        [
            "seconds",
            "duration_s",
            "images",
            "video_tokens",
            "input_tokens",
            "output_tokens",
            "credits",
            "compute_seconds",
        ]
    ),
    ANYTHING,
)
AMOUNT = st.integers(0, CREDITS_MAX)
COST = st.builds(
    Cost,
    rule=st.sampled_from(CostRule),
    amount=st.none() | AMOUNT,
    input=AMOUNT,
    output=AMOUNT,
    cached=st.none() | AMOUNT,
    minimum=AMOUNT,
    off_peak_percent=st.integers(0, 100),
    video_tokens_per_second=st.dictionaries(st.sampled_from(["720p"]), st.integers(0, 10**9)),
)


@given(cost=COST, usage=USAGE, duration=ANYTHING, off_peak=st.booleans())
def test_cost_is_a_whole_number_that_is_not_negative_whatever_an_upstream_says(
    cost, usage, duration, off_peak
):
    found = media_cost((cost,), job(duration=duration, off_peak=off_peak), usage, at=AT)
    assert found is None or (type(found) is int and 0 <= found <= CREDITS_MAX)


@given(cost=COST, counts=st.tuples(*[st.integers(-(2**31), 2**31)] * 3))
def test_cost_of_a_text_is_a_whole_number_that_is_not_negative(cost, counts):
    found = text_cost((cost,), ChatUsage(*counts), at=AT)
    assert found is None or (type(found) is int and 0 <= found <= CREDITS_MAX)


@given(amount=AMOUNT, seconds=st.floats(0, 1e6))
def test_nothing_is_rounded_in_our_favour(amount, seconds):
    cost = Cost(rule=CostRule.PER_SECOND, amount=amount)
    found = media_cost((cost,), job(), {"seconds": seconds}, at=AT)
    assert found is None or found >= math.floor(amount * seconds * (1 - 1e-9))
