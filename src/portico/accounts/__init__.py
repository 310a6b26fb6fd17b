"""Accounts and API keys: who owns credits, tasks and keys, and who is asking.

A key is shown once; only its hash is stored. Balances live in the ledger, never here.
"""

from portico.accounts.model import ACTIVE, Account, KeyLimits, NewKey, key_hash, new_key
from portico.accounts.service import (
    by_email,
    commit_spend,
    count,
    create,
    create_key,
    find,
    find_caller,
    give_back_spend,
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
    "commit_spend",
    "count",
    "create",
    "create_key",
    "find",
    "find_caller",
    "give_back_spend",
    "key_hash",
    "keys_of",
    "new_key",
    "revoke_key",
    "set_status",
]
