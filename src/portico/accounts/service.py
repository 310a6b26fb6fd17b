"""What can be done with accounts and keys; each takes an open transaction first."""

from portico.accounts import queries
from portico.accounts.model import (
    ACTIVE,
    SUSPENDED,
    Account,
    KeyLimits,
    KeyView,
    NewKey,
    checked_email,
    key_hash,
)
from portico.core.clock import Instant
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import AccountId, KeyId
from portico.core.money import Credits
from portico.core.views import Caller
from portico.store import Row, Tx


def find_caller(tx: Tx, *, secret_hash: str, now: Instant) -> Caller:
    """Return who owns the key with this hash.

    Raises:
        PorticoError: UNAUTHENTICATED for an unknown, revoked or expired key.
    """
    row = tx.one(queries.CALLER_BY_HASH, hash=secret_hash)
    if row is None or row["revoked_at"] is not None or _is_past(row["expires_at"], now):
        raise PorticoError(ErrorCode.UNAUTHENTICATED, "Invalid API key")
    return Caller(
        account_id=row["account_id"],
        key_id=row["id"],
        email=row["email"],
        status=row["status"],
        requests_per_minute=row["requests_per_minute"],
        open_tasks_max=row["open_tasks_max"],
        credits_max=row["credits_max"],
    )


def create(
    tx: Tx, *, account_id: AccountId, email: str, is_operator: bool, now: Instant
) -> Account:
    """Add an account.

    Raises:
        PorticoError: INVALID_REQUEST when the address is malformed or already taken.
    """
    email = checked_email(email)
    if tx.one(queries.ACCOUNT_BY_EMAIL, email=email):
        raise PorticoError(ErrorCode.INVALID_REQUEST, "This e-mail is taken", param="email")
    account = Account(
        id=account_id,
        email=email,
        status=ACTIVE,
        is_operator=is_operator,
        created_at=now,
    )
    tx.execute(
        queries.INSERT_ACCOUNT,
        id=account.id,
        email=email,
        status=ACTIVE,
        is_operator=int(is_operator),
        created_at=now,
    )
    return account


def by_email(tx: Tx, email: str) -> Account:
    """Return the account with this address.

    Raises:
        PorticoError: INVALID_REQUEST when there is none.
    """
    row = tx.one(queries.ACCOUNT_BY_EMAIL, email=checked_email(email))
    if row is None:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "No account with this e-mail", param="email")
    return _account(row)


def find(tx: Tx, account_id: AccountId) -> Account | None:
    """Return an account by its id, or None."""
    row = tx.one(queries.ACCOUNT_BY_ID, account_id=account_id)
    return _account(row) if row else None


def count(tx: Tx) -> int:
    """Return how many accounts there are."""
    row = tx.one(queries.COUNT_ACCOUNTS)
    return int(row["number"]) if row else 0


def set_status(tx: Tx, account_id: AccountId, *, suspended: bool) -> None:
    """Suspend an account or let it work again; safe to repeat, acts on the next request."""
    tx.execute(
        queries.SET_STATUS,
        account_id=account_id,
        new_status=SUSPENDED if suspended else ACTIVE,
    )


def create_key(
    tx: Tx,
    *,
    key_id: KeyId,
    account_id: AccountId,
    key: NewKey,
    name: str,
    limits: KeyLimits,
    now: Instant,
) -> None:
    """Store a fresh key; only its hash is kept."""
    tx.execute(
        queries.INSERT_KEY,
        id=key_id,
        account_id=account_id,
        name=name,
        hash=key.hash,
        prefix=key.prefix,
        last_four=key.last_four,
        created_at=now,
        expires_at=limits.expires_at,
        requests_per_minute=limits.requests_per_minute,
        open_tasks_max=limits.open_tasks_max,
        credits_max=limits.credits_max,
    )


def revoke_key(tx: Tx, key_or_id: str, *, now: Instant) -> bool:
    """Revoke a key named by its id or by itself; safe to repeat. False: no such key."""
    names = {"key_id": key_or_id, "key_hash": key_hash(key_or_id)}
    tx.execute(queries.REVOKE_KEY, now=now, **names)
    return tx.one(queries.KEY_EXISTS, **names) is not None


def keys_like(tx: Tx, *, key_id: KeyId, secret_hash: str) -> set[KeyId]:
    """Return the ids of the keys that have this id or this hash; at most two."""
    rows = tx.rows(queries.KEY_EXISTS, key_id=key_id, key_hash=secret_hash)
    return {row["id"] for row in rows}


def has_email(tx: Tx, email: str) -> bool:
    """Whether an account has this address, in the spelling we store."""
    return tx.one(queries.ACCOUNT_BY_EMAIL, email=email) is not None


def keys_of(tx: Tx, account_id: AccountId) -> list[KeyView]:
    """Return all keys of an account, oldest first, revoked ones included."""
    return [
        KeyView(
            id=row["id"],
            name=row["name"],
            prefix=row["prefix"],
            last_four=row["last_four"],
            created_at=row["created_at"],
            expires_at=row["expires_at"],
            revoked_at=row["revoked_at"],
            credits_max=row["credits_max"],
            spent=row["spent"],
        )
        for row in tx.rows(queries.KEYS_OF, account_id=account_id)
    ]


def commit_spend(tx: Tx, caller: Caller, amount: Credits) -> None:
    """Count an amount against the key's own ceiling, if it has one.

    Raises:
        PorticoError: INSUFFICIENT_CREDITS when the key may not spend that much more.
    """
    if caller.credits_max is None:
        return
    if tx.execute(queries.COMMIT_SPEND, key_id=caller.key_id, amount=amount) == 0:
        raise PorticoError(ErrorCode.INSUFFICIENT_CREDITS, "This API key's credit limit is reached")


def give_back_spend(tx: Tx, key_id: KeyId, amount: Credits) -> None:
    """Take back what a task did not spend from the key's count, if the key has a ceiling."""
    if amount:
        tx.execute(queries.GIVE_BACK_SPEND, key_id=key_id, amount=amount)


def _is_past(expires_at: Instant | None, now: Instant) -> bool:
    return expires_at is not None and expires_at <= now


def _account(row: Row) -> Account:
    return Account(
        id=row["id"],
        email=row["email"],
        status=row["status"],
        is_operator=bool(row["is_operator"]),
        created_at=row["created_at"],
    )
