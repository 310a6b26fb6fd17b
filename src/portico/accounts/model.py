"""Values of accounts and keys, and how a key is made and hashed."""

import hashlib
import re
import secrets

import msgspec

from portico.core.clock import Instant
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import AccountId, KeyId
from portico.core.money import Credits

ACTIVE = "active"
SUSPENDED = "suspended"

USUAL_PREFIX = "sk-"
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,15}")
_KEY_BYTES = 32


class Account(msgspec.Struct, frozen=True):
    """Who owns credits, keys and tasks."""

    id: AccountId
    email: str
    status: str
    is_operator: bool
    created_at: Instant


class KeyLimits(msgspec.Struct, frozen=True):
    """What one key may do beyond its dialect's own limits; None means no limit of its own."""

    requests_per_minute: int | None = None
    open_tasks_max: int | None = None
    credits_max: Credits | None = None
    expires_at: Instant | None = None


class NewKey(msgspec.Struct, frozen=True):
    """A fresh key: the only moment its secret exists outside the client."""

    secret: str
    hash: str
    prefix: str
    last_four: str


def new_key(prefix: str = USUAL_PREFIX) -> NewKey:
    """Make a key of 256 random bits behind a readable prefix.

    Raises:
        PorticoError: INVALID_REQUEST when the prefix is not 1 to 16 plain characters.
    """
    if not _PREFIX.fullmatch(prefix):
        raise PorticoError(ErrorCode.INVALID_REQUEST, "Not a usable key prefix", param="prefix")
    secret = prefix + secrets.token_urlsafe(_KEY_BYTES)
    return NewKey(secret=secret, hash=key_hash(secret), prefix=prefix, last_four=secret[-4:])


def known_key(secret: str) -> NewKey:
    """Return a key that a client has already, as one made here would be kept.

    The caller has seen to it that it cannot be guessed.
    """
    prefix = USUAL_PREFIX if secret.startswith(USUAL_PREFIX) else ""
    return NewKey(secret=secret, hash=key_hash(secret), prefix=prefix, last_four=secret[-4:])


def key_hash(secret: str) -> str:
    """Hash a key for storage and lookup: SHA-256, since 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def checked_email(text: str) -> str:
    """Return an address in the one spelling we store.

    Raises:
        PorticoError: INVALID_REQUEST when it does not look like an address.
    """
    email = text.strip().lower()
    if not _EMAIL.fullmatch(email):
        raise PorticoError(ErrorCode.INVALID_REQUEST, "Not an e-mail address", param="email")
    return email


class KeyView(msgspec.Struct, frozen=True):
    """One key as a list shows it."""

    id: KeyId
    name: str
    prefix: str
    last_four: str
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    credits_max: Credits | None
    spent: Credits
