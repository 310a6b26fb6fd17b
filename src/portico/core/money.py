"""Credits: integers inside, exact decimals outside.

Inside Portico every price, hold and balance is a plain `int` of **microcredits**
(1 credit = 1,000,000 microcredits). Shown costs round up, shown balances round down,
so a customer never sees a balance that a shown price would not fit into.
"""

import re
from decimal import Decimal

from portico.core.errors import ErrorCode, PorticoError

Credits = int  # microcredits

MICRO = 1_000_000
CREDITS_MAX = 2**53 - 1

_PLAIN_DECIMAL = re.compile(r"[0-9]{1,16}(\.[0-9]{1,6})?")


def parse_credits(text: str) -> Credits:
    """Read a plain decimal number of credits, such as `"12.5"`, as microcredits.

    Signs, exponents, NaN, infinity and fractions below one microcredit are refused.

    Raises:
        PorticoError: INVALID_REQUEST when the text is not such a number or is too large.
    """
    if not _PLAIN_DECIMAL.fullmatch(text):
        raise PorticoError(ErrorCode.INVALID_REQUEST, "Not a plain decimal number of credits")
    amount = int(Decimal(text) * MICRO)
    if amount > CREDITS_MAX:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "Too many credits")
    return amount


def format_credits(amount: Credits) -> str:
    """Write microcredits as an exact decimal without trailing zeros, such as `"12.5"`."""
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount), MICRO)
    return f"{sign}{whole}.{part:06d}".rstrip("0").rstrip(".")


def shown_cost(amount: Credits) -> int:
    """Whole credits to show for a cost: rounded up."""
    return -(-amount // MICRO)


def shown_balance(amount: Credits) -> int:
    """Whole credits to show for a balance: rounded down."""
    return amount // MICRO
