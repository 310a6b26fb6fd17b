"""Let many draw from the same few stocks as if one after the other, in a few statements.

A draw takes an amount from a stock if that much is there. Where all that is asked of a stock is
there, one statement grants it; only where it is not, somebody has to count.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

K = TypeVar("K")


class DrawError(Exception):
    """A stock changed while it was counted; the transaction must be given up."""


def draw(
    asked: Sequence[tuple[K, int]],
    *,
    take: Callable[[Mapping[K, int]], Mapping[K, int]],
    left_in: Callable[[Sequence[K]], Mapping[K, int]],
) -> list[int | None]:
    """Return for each draw what its stock holds after it, None for one that is refused.

    A draw that is refused refuses no smaller one behind it.

    Args:
        asked: the stock and the amount of each draw, in their order.
        take: takes these amounts where that much is there; returns what is left in those stocks.
        left_in: returns what stocks hold; one that it does not return grants nothing.

    Raises:
        DrawError: what `left_in` returned was not there for `take`.
    """
    left = dict(take(_summed(asked)))
    short = {stock for stock, _ in asked if stock not in left}
    granted = [True] * len(asked)
    if short:
        granted = _count(asked, left_in(list(short)), short)
        again = _summed(each for each, given in zip(asked, granted, strict=True)
                        if given and each[0] in short)  # fmt: skip
        more = take(again) if again else {}
        if more.keys() != again.keys():
            raise DrawError
        left.update(more)
    after: list[int | None] = []
    for (stock, amount), given in zip(reversed(asked), reversed(granted), strict=True):
        after.append(left[stock] if given else None)
        if given:
            left[stock] += amount
    return after[::-1]


def _count(asked: Sequence[tuple[K, int]], there: Mapping[K, int], short: set[K]) -> list[bool]:
    """Decide draw by draw what those stocks can give."""
    there = dict(there)
    granted = []
    for stock, amount in asked:
        given = stock not in short or amount <= there.get(stock, -1)
        if given and stock in short:
            there[stock] -= amount
        granted.append(given)
    return granted


def _summed(asked: Iterable[tuple[K, int]]) -> dict[K, int]:
    sums: dict[K, int] = {}
    for stock, amount in asked:
        sums[stock] = sums.get(stock, 0) + amount
    return sums
