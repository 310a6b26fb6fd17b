"""Credits: exact both ways, refused when in doubt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.core.errors import ErrorCode, PorticoError
from portico.core.money import (
    CREDITS_MAX,
    MICRO,
    format_credits,
    parse_credits,
    shown_balance,
    shown_cost,
)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", 0),
        ("1", MICRO),
        ("12.5", 12_500_000),
        ("0.000001", 1),  # the smallest there is
        ("007", 7 * MICRO),
        ("9007199254.740991", CREDITS_MAX),
    ],
)
def test_plain_decimals_are_read_exactly(text, amount):
    assert parse_credits(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "+1",
        "1e3",
        "NaN",
        "Infinity",
        "1.0000001",  # below one microcredit
        ".5",
        "5.",
        "1,5",
        " 1",
        "1\n",
        "1_000",
        "١٢",  # digits, but not ours
        "１２",
        "9007199254.740992",  # one too many
        "99999999999999999",
    ],
)
def test_everything_else_is_refused(text):
    with pytest.raises(PorticoError) as caught:
        parse_credits(text)
    assert caught.value.code is ErrorCode.INVALID_REQUEST


@given(st.integers(0, CREDITS_MAX))
def test_written_credits_read_back_as_the_same(amount):
    assert parse_credits(format_credits(amount)) == amount


@given(st.integers(-CREDITS_MAX, CREDITS_MAX))
def test_negative_amounts_are_written_as_their_mirror(amount):
    assert format_credits(-amount).removeprefix("-") == format_credits(amount).removeprefix("-")


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0"), (100 * MICRO, "100"), (-1_500_000, "-1.5"), (1, "0.000001")],
)
def test_credits_are_written_without_trailing_zeros(amount, text):
    assert format_credits(amount) == text


@given(st.integers(0, CREDITS_MAX), st.integers(0, CREDITS_MAX))
def test_shown_price_that_fits_shown_balance_can_be_paid(price, balance):
    if shown_cost(price) <= shown_balance(balance):
        assert price <= balance


def test_shown_numbers_round_against_the_customer_by_less_than_one():
    assert (shown_cost(1), shown_balance(MICRO - 1)) == (1, 0)
    assert (shown_cost(3 * MICRO), shown_balance(3 * MICRO)) == (3, 3)
