"""Price rules: what each is for, and what holds for all of them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.catalogue import Price, Quote
from portico.catalogue.prices import (
    Cell,
    Condition,
    Rounding,
    Rule,
    Surcharge,
    quote_media,
    quote_text,
    version_at,
)
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatUsage, Kind, MediaInput, MediaJob, Mode, ParamValue, Role
from portico.core.money import CREDITS_MAX, MICRO

AMOUNTS = st.integers(0, 10_000 * MICRO)


def job(mode: Mode = Mode.TEXT, *roles: Role, **params: ParamValue) -> MediaJob:
    inputs = tuple(MediaInput(role, url="https://media.test/a") for role in roles)
    return MediaJob(
        offering="x:y", model="y", kind=Kind.VIDEO, mode=mode, params=params, inputs=inputs
    )


def when(key: str, *values: ParamValue) -> tuple[Condition, ...]:
    return (Condition(key, values),)


def block(rounding: Rounding) -> Price:
    return Price(rule=Rule.PER_BLOCK, amount=300, block_s=5, rounding=rounding)


MATRIX = Price(
    rule=Rule.PER_SECOND,
    amount=1,
    matrix=(
        Cell((*when("resolution", "720p"), *when("audio", True)), 30),
        Cell(when("resolution", "720p"), 20),
        Cell(when("mode", "image", "first_last"), 10),
        Cell(when("input", "reference_video"), 7),
        Cell(when("input", True), 5),
    ),
)

AMOUNT_OF = [
    (Price(amount=300), job(duration=8), 300),
    (Price(rule=Rule.PER_SECOND, amount=300), job(duration=8), 2400),
    (block(Rounding.FLOOR), job(duration=4), 300),
    (block(Rounding.FLOOR), job(duration=8), 300),
    (block(Rounding.FLOOR), job(duration=12), 600),
    (block(Rounding.CEIL), job(duration=4), 300),
    (block(Rounding.CEIL), job(duration=8), 600),
    (block(Rounding.CEIL), job(duration=10), 600),
    (Price(rule=Rule.PER_IMAGE, amount=5), job(), 5),
    (Price(rule=Rule.PER_IMAGE, amount=5), job(count=4), 20),
    (MATRIX, job(duration=2, resolution="720p", audio=True), 60),
    (MATRIX, job(duration=2, resolution="720p", audio=False), 40),
    (MATRIX, job(Mode.IMAGE, Role.FIRST_FRAME, duration=2, resolution="480p"), 20),
    (MATRIX, job(Mode.REFERENCE, Role.REFERENCE_VIDEO, duration=2), 14),
    (MATRIX, job(Mode.REFERENCE, Role.REFERENCE_IMAGE, duration=2), 10),
    (MATRIX, job(duration=2), 2),
    (Price(amount=301, off_peak_percent=50), job(off_peak=True), 151),
    (Price(amount=301, off_peak_percent=50), job(off_peak=False), 301),
    (Price(amount=301, off_peak_percent=50), job(), 301),
    (
        Price(
            amount=100,
            off_peak_percent=50,
            surcharges=(
                Surcharge("more", when("enhance", True), amount=7),
                Surcharge("much more", when("audio", True), percent=25),
            ),
        ),
        job(off_peak=True, enhance=True, audio=True),
        50 + 7 + 13,
    ),
    (Price(amount=1, minimum=50), job(), 50),
    (Price(amount=MICRO + 1, whole=True), job(), 2 * MICRO),
    (Price(amount=MICRO, whole=True), job(), MICRO),
    (Price(amount=0, whole=True), job(), 0),
    (Price(amount=50, ceiling=50), job(), 50),
]


@pytest.mark.parametrize(("price", "wanted", "amount"), AMOUNT_OF)
def test_rule_makes_the_amount(price: Price, wanted: MediaJob, amount: int):
    assert quote_media(price, wanted).amount == amount


def test_lines_read_like_a_bill():
    price = Price(
        rule=Rule.PER_SECOND,
        amount=15 * MICRO // 2,
        off_peak_percent=50,
        surcharges=(Surcharge("enhanced to 2K", when("enhance", True), amount=2 * MICRO),),
        whole=True,
        ceiling=100 * MICRO,
    )

    quote = quote_media(price, job(duration=5, off_peak=True, enhance=True))

    assert [(line.label, line.credits) for line in quote.lines] == [
        ("5 s at 7.5 per second", 37_500_000),
        ("off-peak, 50 % of the price", -18_750_000),
        ("enhanced to 2K", 2_000_000),
        ("rounded up to whole credits", 250_000),
    ]
    assert quote == Quote(21 * MICRO, quote.lines, "per_second", 100 * MICRO)


@pytest.mark.parametrize(
    "price",
    [
        Price(amount=51, ceiling=50),
        Price(rule=Rule.PER_SECOND, amount=1, ceiling=50),
        Price(amount=1, minimum=51, ceiling=50),
        Price(rule=Rule.PER_SECOND, amount=CREDITS_MAX),
        Price(matrix=(Cell(when("resolution", "720p"), 1),)),
    ],
)
def test_quote_above_its_ceiling_or_without_a_price_is_refused(price: Price):
    with pytest.raises(PorticoError) as caught:
        quote_media(price, job(duration=51, resolution="480p"))

    assert caught.value.code is ErrorCode.UNSUPPORTED_OPTION


def test_text_is_priced_by_the_million_and_rounded_up():
    price = Price(rule=Rule.PER_LLM_TOKEN, input=1, cached=0, output=MICRO, amount=3)

    quote = quote_text(price, ChatUsage(2, 5, 1))

    assert quote.amount == 1 + 5 + 3
    assert [line.label for line in quote.lines] == [
        "1 input LLM tokens at 0.000001 per million",
        "1 cached input LLM tokens at 0 per million",
        "5 output LLM tokens at 1 per million",
        "per answer",
    ]


@pytest.mark.parametrize("usage", [ChatUsage(-5, -5, -5), ChatUsage(0, 0, 9)])
def test_nonsense_usage_costs_nothing(usage: ChatUsage):
    assert quote_text(Price(rule=Rule.PER_LLM_TOKEN, input=9, output=9), usage).amount == 0


def test_dated_versions_change_at_their_instant():
    old, new = Price(amount=1, until=1000), Price(amount=2, since=1000, until=2000)

    assert version_at((old, new), 999) is old
    assert version_at((old, new), 1000) is new
    with pytest.raises(PorticoError) as caught:
        version_at((old, new), 2000)
    assert caught.value.code is ErrorCode.UNKNOWN_MODEL


def prices() -> st.SearchStrategy[Price]:
    return st.builds(
        Price,
        rule=st.sampled_from([Rule.FLAT, Rule.PER_SECOND, Rule.PER_BLOCK, Rule.PER_IMAGE]),
        amount=AMOUNTS,
        matrix=st.lists(st.builds(Cell, st.just(when("audio", True)), AMOUNTS)).map(tuple),
        block_s=st.integers(1, 20),
        rounding=st.sampled_from(Rounding),
        off_peak_percent=st.integers(0, 100),
        surcharges=st.lists(
            st.builds(
                Surcharge,
                st.just("more"),
                st.just(when("audio", True)),
                AMOUNTS,
                st.integers(0, 300),
            )
        ).map(tuple),
        minimum=AMOUNTS,
        whole=st.booleans(),
    )


@given(prices(), st.integers(0, 60), st.booleans(), st.booleans())
def test_quote_is_the_sum_of_its_lines_never_negative_and_repeatable(
    price: Price, duration: int, audio: bool, off_peak: bool
):
    wanted = job(duration=duration, audio=audio, off_peak=off_peak)
    quote = quote_media(price, wanted)

    assert quote.amount == sum(line.credits for line in quote.lines) >= price.minimum
    assert not (price.whole and quote.amount % MICRO)
    assert quote == quote_media(price, wanted)


@given(prices(), st.integers(0, 60), st.integers(0, 60), st.booleans(), st.booleans())
def test_longer_never_costs_less(
    price: Price, duration: int, more: int, audio: bool, off_peak: bool
):
    shorter = quote_media(price, job(duration=duration, audio=audio, off_peak=off_peak))
    longer = quote_media(price, job(duration=duration + more, audio=audio, off_peak=off_peak))

    assert shorter.amount <= longer.amount


@given(prices(), st.integers(0, 60), st.booleans())
def test_waiting_for_quiet_hours_never_costs_more(price: Price, duration: int, audio: bool):
    now = quote_media(price, job(duration=duration, audio=audio, off_peak=False))
    later = quote_media(price, job(duration=duration, audio=audio, off_peak=True))

    assert later.amount <= now.amount


def test_quote_survives_being_kept_as_json():
    quote = quote_media(Price(amount=MICRO, ceiling=MICRO), job())

    assert msgspec.json.decode(msgspec.json.encode(quote), type=Quote) == quote
