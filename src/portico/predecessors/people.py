"""Users and their tokens, as accounts and API keys to be.

Sources: the tables `users` and `tokens` of new-api and one-api. Both keep a token without the
`sk-` that its clients send before it.
"""

import re

import msgspec

from portico.core.clock import Instant
from portico.predecessors.values import ForeignRow, text_of, truth_of, whole_of

ENABLED, DISABLED, EXPIRED = 1, 2, 3  # a token's status; 4 is "used up", which its quota says too
NEVER = -1
KEY_LENGTH_MIN = 20  # what is shorter could be guessed
KEY_LENGTH_MAX = 256
NAME_LENGTH_MAX = 100
SLUG_LENGTH_MAX = 48
_LAST_S = 253_402_300_799  # the end of the year 9999
_ODD = re.compile(r"[^\w.+-]+")
_KEY = re.compile(r"[!-~]+")


class ForeignUser(msgspec.Struct, frozen=True, kw_only=True):
    """One user; amounts are in the predecessor's units of quota."""

    id: int
    username: str
    email: str
    is_enabled: bool
    is_deleted: bool
    quota: int
    group: str
    invitation_quota: int  # earned by inviting others, not yet moved into the balance

    @property
    def slug(self) -> str:
        """The user's name as the part of an address before the `@`."""
        return _ODD.sub("-", self.username.lower()).strip("-.")[:SLUG_LENGTH_MAX] or "user"


class ForeignKey(msgspec.Struct, frozen=True, kw_only=True):
    """One token; `secret` is what its clients send."""

    id: int
    user_id: int
    secret: str
    name: str
    is_usable: bool
    is_deleted: bool
    expires_at: Instant | None
    quota: int | None  # left to spend; None: as much as its user has
    restrictions: tuple[str, ...]  # what it is limited to that Portico cannot limit a key to

    def __repr__(self) -> str:
        """Keep the secret out of whatever is printed."""
        return f"ForeignKey({self.id})"

    @property
    def is_plausible(self) -> bool:
        """Whether a key like this can be sent, and cannot be guessed."""
        length = len(self.secret.removeprefix("sk-"))
        return KEY_LENGTH_MIN <= length <= KEY_LENGTH_MAX and bool(_KEY.fullmatch(self.secret))


def foreign_user(row: ForeignRow) -> ForeignUser:
    """Read a row of `users`.

    Raises:
        PorticoError: INVALID_REQUEST naming the column that cannot be read.
    """
    return ForeignUser(
        id=whole_of(row, "id"),
        username=text_of(row, "username"),
        email=text_of(row, "email").lower(),
        is_enabled=whole_of(row, "status", ENABLED) == ENABLED,
        is_deleted=bool(text_of(row, "deleted_at")),
        quota=whole_of(row, "quota"),
        group=text_of(row, "group") or "default",
        invitation_quota=max(0, whole_of(row, "aff_quota")),
    )


def foreign_key(row: ForeignRow) -> ForeignKey:
    """Read a row of `tokens`. Raises as `foreign_user` does."""
    secret = text_of(row, "key")
    status = whole_of(row, "status", ENABLED)
    expires_s = whole_of(row, "expired_time", NEVER)
    is_over = status == EXPIRED and expires_s <= 0  # it says so, and not since when
    return ForeignKey(
        id=whole_of(row, "id"),
        user_id=whole_of(row, "user_id"),
        secret=secret if secret.startswith("sk-") else f"sk-{secret}",
        name=text_of(row, "name")[:NAME_LENGTH_MAX],
        is_usable=status != DISABLED and not is_over,
        is_deleted=bool(text_of(row, "deleted_at")),
        expires_at=min(expires_s, _LAST_S) * 1_000 if expires_s > 0 else None,
        quota=None if truth_of(row, "unlimited_quota") else max(0, whole_of(row, "remain_quota")),
        restrictions=_restrictions(row),
    )


def _restrictions(row: ForeignRow) -> tuple[str, ...]:
    found = []
    if truth_of(row, "model_limits_enabled") or text_of(row, "models"):
        found.append("models")
    if text_of(row, "allow_ips") or text_of(row, "subnet"):
        found.append("addresses")
    return tuple(found)
