"""Draws from shared stocks come out as if one came after the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.store.draws import DrawError, draw


class Stocks:
    """Stocks in a dictionary, and how often they were spoken to."""

    def __init__(self, **there: int) -> None:
        self.there = there
        self.trips = 0

    def take(self, sums):
        self.trips += 1
        granted = {k: v for k, v in sums.items() if self.there.get(k, -1) >= v}
        for stock, amount in granted.items():
            self.there[stock] -= amount
        return {stock: self.there[stock] for stock in granted}

    def left_in(self, stocks):
        self.trips += 1
        return {stock: self.there[stock] for stock in stocks if stock in self.there}

    def draw(self, *asked: tuple[str, int]) -> list[int | None]:
        return draw(asked, take=self.take, left_in=self.left_in)


def one_by_one(there, asked):
    left = dict(there)
    answers = []
    for stock, amount in asked:
        given = left.get(stock, -1) >= amount
        if given:
            left[stock] -= amount
        answers.append(left[stock] if given else None)
    return answers, left


def test_all_that_is_there_is_granted_in_one_trip():
    stocks = Stocks(a=10, b=5)
    assert stocks.draw(("a", 3), ("b", 5), ("a", 4)) == [7, 0, 3]
    assert (stocks.there, stocks.trips) == ({"a": 3, "b": 0}, 1)


def test_large_draw_refuses_no_smaller_one_behind_it():
    stocks = Stocks(a=10, b=9)
    assert stocks.draw(("a", 4), ("a", 7), ("b", 9), ("a", 6), ("a", 0)) == [6, None, 0, 0, 0]
    assert (stocks.there, stocks.trips) == ({"a": 0, "b": 0}, 3)


def test_unknown_stock_gives_nothing():
    assert Stocks().draw(("a", 0), ("a", 1)) == [None, None]


def test_stock_that_changes_while_it_is_counted_is_not_guessed_at():
    stocks = Stocks(a=1)
    with pytest.raises(DrawError):
        draw([("a", 2), ("a", 1)], take=lambda _: {}, left_in=stocks.left_in)


@given(
    there=st.dictionaries(st.sampled_from("abc"), st.integers(0, 30)),
    asked=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 12)), max_size=20),
)
def test_draws_come_out_as_one_by_one(there, asked):
    stocks = Stocks(**there)
    answers, left = one_by_one(there, asked)
    assert stocks.draw(*asked) == answers
    assert stocks.there == left
    assert stocks.trips <= 3
