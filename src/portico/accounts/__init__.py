"""Accounts and API keys: who owns credits, tasks and keys, and who is asking.

A key is shown once; only its hash is stored. Balances live in the ledger, never here.
"""

from portico.accounts.model import (
    ACTIVE,
    Account,
    KeyLimits,
    NewKey,
    checked_email,
    key_hash,
    known_key,
    new_key,
)
from portico.accounts.service import (
    by_email,
    commit_spend,
    count,
    create,
    create_key,
    find,
    find_caller,
    give_back_spend,
    has_email,
    keys_like,
    keys_of,
    revoke_key,
    set_status,
)

__all__ = [
    "ACTIVE",
    "Account",
    "KeyLimits",
    "NewKey",
    "by_email",
    "checked_email",
    "commit_spend",
    "count",
    "create",
    "create_key",
    "find",
    "find_caller",
    "give_back_spend",
    "has_email",
    "key_hash",
    "keys_like",
    "keys_of",
    "known_key",
    "new_key",
    "revoke_key",
    "set_status",
]
