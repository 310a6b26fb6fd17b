"""Credentials: our keys at upstreams, each a row whose secrets are sealed.

A row is made, changed and removed by the operator's commands alone; every process builds its
providers from the rows. What a secret is sealed with lies outside the database.
"""

from portico.credentials.model import (
    CALLBACK,
    SECRET,
    BalanceRow,
    Change,
    CredentialRow,
    checked_name,
    checked_options,
    checked_secret,
    new_callback_secret,
)
from portico.credentials.seal import Seal, UnsealedError
from portico.credentials.service import (
    add,
    balances,
    change,
    every,
    get,
    keep_balance,
    keep_models,
    remove,
    stamps,
)

__all__ = [
    "CALLBACK",
    "SECRET",
    "BalanceRow",
    "Change",
    "CredentialRow",
    "Seal",
    "UnsealedError",
    "add",
    "balances",
    "change",
    "checked_name",
    "checked_options",
    "checked_secret",
    "every",
    "get",
    "keep_balance",
    "keep_models",
    "new_callback_secret",
    "remove",
    "stamps",
]
