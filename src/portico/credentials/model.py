"""Values of credentials, and what may be one."""

import re
import secrets
from collections.abc import Mapping

import msgspec

from portico.core.clock import Instant
from portico.core.errors import ErrorCode, PorticoError

SECRET = "secret"  # noqa: S105 - what a sealed text is, not the text
CALLBACK = "callback_secret"
SECRET_LENGTH_MAX = 8_192
OPTION_LENGTH_MAX = 1_024
NAME_LENGTH_MAX = 40

_NAME = re.compile(rf"[a-z0-9](?:[a-z0-9-]{{0,{NAME_LENGTH_MAX - 2}}}[a-z0-9])?")
_OPTION = re.compile(r"[a-z][a-z0-9_]{0,39}")
_REGION = re.compile(r"[a-z0-9-]{0,40}")
_CALLBACK_BYTES = 32


class CredentialRow(msgspec.Struct, frozen=True, kw_only=True):
    """One credential as its row stands; both secrets are sealed."""

    name: str
    provider: str
    base_url: str
    secret: str
    callback_secret: str
    options: Mapping[str, str] = {}
    region: str = ""
    attempts_max: int | None = None  # open at once, over all processes; None: any number
    starts_per_minute: int | None = None  # over all processes; None: any number
    is_enabled: bool = True
    balance_low: int | None = None  # millionths of the upstream's unit; below it we warn
    models: frozenset[str] | None = None  # the upstream's own names; None: it was never asked
    synced_at: Instant | None = None
    version: int = 1
    created_at: Instant
    updated_at: Instant

    def __repr__(self) -> str:
        """Keep secrets, and options that may hold some, out of whatever is printed."""
        return f"CredentialRow({self.name!r}, {self.provider!r})"

    def makes_the_same(self, other: "CredentialRow") -> bool:
        """Whether a provider made for this row would do for the other as well."""
        return _of_provider(self) == _of_provider(other)


class BalanceRow(msgspec.Struct, frozen=True, kw_only=True):
    """What an upstream said last of our money there, in millionths of its own unit."""

    credential: str
    amount: int
    unit: str
    read_at: Instant


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is to become of a credential; what is UNSET stays as it is."""

    base_url: str | msgspec.UnsetType = msgspec.UNSET
    secret: str | msgspec.UnsetType = msgspec.UNSET  # sealed
    callback_secret: str | msgspec.UnsetType = msgspec.UNSET  # sealed
    options: Mapping[str, str] | msgspec.UnsetType = msgspec.UNSET
    region: str | msgspec.UnsetType = msgspec.UNSET
    attempts_max: int | msgspec.UnsetType | None = msgspec.UNSET
    starts_per_minute: int | msgspec.UnsetType | None = msgspec.UNSET
    is_enabled: bool | msgspec.UnsetType = msgspec.UNSET
    balance_low: int | msgspec.UnsetType | None = msgspec.UNSET

    def __repr__(self) -> str:
        """Keep secrets out of whatever is printed."""
        return "Change()"


def checked_name(name: str) -> str:
    """Return the name of a credential.

    Raises:
        PorticoError: INVALID_REQUEST for anything but 1 to 40 small letters, digits and hyphens.
    """
    if not _NAME.fullmatch(name):
        message = "A credential's name is 1 to 40 small letters, digits and hyphens"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="name")
    return name


def checked_region(region: str) -> str:
    """Return the region of a credential, in the words routes use.

    Raises:
        PorticoError: INVALID_REQUEST for anything but small letters, digits and hyphens.
    """
    if not _REGION.fullmatch(region):
        message = "A region is at most 40 small letters, digits and hyphens"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="region")
    return region


def checked_secret(secret: str) -> str:
    """Return a key as an upstream gave it, without the space around it; it goes into headers.

    Raises:
        PorticoError: INVALID_REQUEST for an empty one, or one with anything but plain ASCII.
    """
    secret = secret.strip()
    if not secret:
        message = "The secret is empty"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="secret")
    if len(secret) > SECRET_LENGTH_MAX or not secret.isascii() or not secret.isprintable():
        message = f"A secret is one line of at most {SECRET_LENGTH_MAX} plain ASCII characters"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="secret")
    return secret


def checked_options(options: Mapping[str, str]) -> dict[str, str]:
    """Return the options of a credential.

    Raises:
        PorticoError: INVALID_REQUEST naming the option that cannot be one.
    """
    for name, value in options.items():
        if not _OPTION.fullmatch(name):
            message = "An option's name is small letters, digits and underscores"
            raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="option")
        if len(value) > OPTION_LENGTH_MAX or not value.isprintable():
            message = f"The option {name} is one line of at most {OPTION_LENGTH_MAX} characters"
            raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="option")
    return dict(options)


def new_callback_secret() -> str:
    """Return 256 random bits, on which a credential's callback URLs rest."""
    return secrets.token_urlsafe(_CALLBACK_BYTES)


def _of_provider(row: CredentialRow) -> tuple[object, ...]:
    return (
        row.provider,
        row.base_url,
        row.secret,
        row.callback_secret,
        dict(row.options),
        row.created_at,
    )
