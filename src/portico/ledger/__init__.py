"""The ledger: credits, double entry, append only.

Every movement is one row whose three amounts (the account's available credits, its held
credits, and one of the house's books) sum to zero by a database constraint. Balances are the
sums of those rows, kept up to date in the same transaction. The ledger knows task ids, but
never reads tasks.
"""

from portico.ledger.model import Balance, Difference, Entry, HoldState
from portico.ledger.service import (
    adjust,
    balance,
    capture,
    entries_of,
    hold,
    open_account,
    release,
    top_up,
    verify,
)

__all__ = [
    "Balance",
    "Difference",
    "Entry",
    "HoldState",
    "adjust",
    "balance",
    "capture",
    "entries_of",
    "hold",
    "open_account",
    "release",
    "top_up",
    "verify",
]
