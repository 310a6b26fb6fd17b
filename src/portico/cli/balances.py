"""How the balance of a credential is shown: as its upstream told it, in the upstream's unit."""

from collections.abc import Mapping
from typing import Any

from portico.core.money import format_credits
from portico.credentials import BalanceRow


def balance_view(told: BalanceRow | None, low: int | None) -> dict[str, Any]:
    """Return a balance for programs; `low` is below which it is too little."""
    return {
        "balance": None if told is None else format_credits(told.amount),
        "balance_unit": None if told is None else told.unit,
        "balance_read_at": None if told is None else told.read_at,
        "balance_low": None if low is None else format_credits(low),
        "balance_is_low": told is not None and low is not None and told.amount < low,
    }


def balance_cell(view: Mapping[str, Any]) -> str:
    """Return a balance for people."""
    if view.get("balance") is None:
        return "-"
    return f"{view['balance']} {view['balance_unit']}" + (
        " (low)" if view["balance_is_low"] else ""
    )
