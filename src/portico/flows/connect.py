"""Connect every credential: providers are built from the rows, and again whenever those change.

A provider that was replaced finishes what is under way on it before it is closed. A credential
that was removed takes no new work and stays until none of its attempts is open. One that cannot be
built is left out, and said so; it never stops a start.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec
import structlog

from portico import credentials, tasks
from portico.core.errors import PorticoError
from portico.credentials import CALLBACK, SECRET, CredentialRow, Seal, UnsealedError
from portico.flows.connected import Connected
from portico.flows.gateway import Gateway
from portico.providers.base import Credential

LOOK_EVERY_S = 1.0  # on SQLite, where nobody can tell us
LOOK_ANYWAY_EVERY_S = 30.0  # on Postgres, where what was said may get lost
STAYS_S = 60.0  # a removed credential: a task may have chosen it, and not written it down yet
GRACE_S = 1_800.0  # longer than any call, or any few of them, takes
_log = structlog.get_logger("portico.connect")

# makes a provider by its name and our credential; raises ValueError for what cannot be used
Build = Callable[[str, Credential], Any]


class UnconnectedError(ValueError):
    """A credential of which no provider can be made; says why, in words without secrets."""


class _Leaving(msgspec.Struct, frozen=True):
    """What is to go, and not before when by the monotonic clock."""

    what: Any
    not_before_s: float


def connect(row: CredentialRow, *, seal: Seal, build: Build) -> Connected:
    """Return a credential with its provider, ready to be called; opens no connection.

    Raises:
        UnconnectedError: it cannot be used as it is.
    """
    try:
        credential = _opened(row, seal)
        callback_secret = seal.open(row.callback_secret, name=row.name, what=CALLBACK)
    except UnsealedError as error:
        raise UnconnectedError(str(error)) from None
    try:
        made = build(row.provider, credential)
    except Exception as error:  # noqa: BLE001 - whatever a provider makes of odd options
        raise UnconnectedError(_told(error, credential)) from None
    connected = Connected(
        row.name,
        row.provider,
        tasks=made if hasattr(made, "start") else None,
        chat=made if hasattr(made, "stream") else None,
        callback_secret=callback_secret,
    )
    return _as_the_row_says(connected, row)


def provider_of(connected: Connected) -> Any:
    """Return the one object that was built, whatever it makes."""
    return connected.tasks or connected.chat


class Connections:
    """Keeps a gateway's providers as the rows of credentials say.

    Args:
        gateway: whose providers they are.
        seal: opens the secrets.
        build: makes a provider.
    """

    def __init__(self, gateway: Gateway, *, seal: Seal, build: Build) -> None:
        self._gateway = gateway
        self._seal = seal
        self._build = build
        self._seen: object = None
        self._rows: dict[str, CredentialRow] = {}  # of everything that is connected
        self._failed: dict[str, str] = {}  # why, by name
        self._removed: dict[str, float] = {}  # since when
        self._replaced: list[_Leaving] = []

    async def run(self) -> None:
        """Look whenever somebody says that something changed, and every now and then, for ever."""
        every_s = LOOK_ANYWAY_EVERY_S if self._gateway.store.is_shared else LOOK_EVERY_S
        while True:
            await self._changed_within(every_s)
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - edge: the next look tries again
                _log.warning("credentials_unread", error=type(error).__name__)

    async def look(self) -> None:
        """Connect what is new or changed, and let go of what is over; cheap when nothing is."""
        stamps = await self._gateway.store.read(credentials.stamps)
        if stamps != self._seen:
            rows = await self._gateway.store.read(credentials.every)
            self._follow(rows)
            self._seen = stamps
        await self._drop_removed()
        await self._close_replaced()

    async def close(self) -> None:
        """Close every provider that was made here; for a process that stops."""
        known = (self._gateway.providers.get(name) for name in (*self._rows, *self._removed))
        everything = [provider_of(each) for each in known if each is not None]
        everything += [each.what for each in self._replaced]
        self._replaced = []
        for each in everything:
            await each.close()

    def _follow(self, rows: list[CredentialRow]) -> None:
        for row in rows:
            known = self._rows.get(row.name)
            connected = self._gateway.providers.get(row.name)
            if known is not None and connected is not None and known.makes_the_same(row):
                self._gateway.providers.put(_as_the_row_says(connected, row))
                self._rows[row.name] = row
            else:
                self._connect(row)
        for name in self._rows.keys() - {row.name for row in rows}:
            self._withdraw(name)
            _log.info("credential_removed", credential=name)
        for name in self._failed.keys() - {row.name for row in rows}:
            del self._failed[name]

    def _connect(self, row: CredentialRow) -> None:
        before = self._gateway.providers.get(row.name)
        if before is not None and before.is_built_in:
            return self._leave_out(row, "its name is that of something built in")
        try:
            connected = connect(row, seal=self._seal, build=self._build)
        except UnconnectedError as error:
            return self._leave_out(row, str(error))
        if before is not None:
            due_s = self._gateway.clock.monotonic() + GRACE_S
            self._replaced.append(_Leaving(provider_of(before), due_s))
        self._gateway.providers.put(connected)
        self._rows[row.name] = row
        self._removed.pop(row.name, None)
        self._failed.pop(row.name, None)
        _log.info("credential_connected", credential=row.name, provider=row.provider)
        return None

    def _leave_out(self, row: CredentialRow, why: str) -> None:
        if self._failed.get(row.name) != why:
            _log.error("credential_unusable", credential=row.name, reason=why)
        self._failed[row.name] = why
        if row.name in self._rows:
            self._withdraw(row.name)

    def _withdraw(self, name: str) -> None:
        """Begin nothing more with a credential; what is open goes on with what was built."""
        del self._rows[name]
        connected = self._gateway.providers.get(name)
        if connected is not None:
            self._gateway.providers.put(replace(connected, is_enabled=False))
            self._removed[name] = self._gateway.clock.monotonic()

    async def _drop_removed(self) -> None:
        now_s = self._gateway.clock.monotonic()
        due = [name for name, since_s in self._removed.items() if since_s + STAYS_S <= now_s]
        for name in due:
            if await self._gateway.store.read(lambda tx: tasks.open_attempts(tx, name)):  # noqa: B023
                continue
            connected = self._gateway.providers.get(name)
            self._gateway.providers.drop(name)
            del self._removed[name]
            if connected is not None:
                self._replaced.append(_Leaving(provider_of(connected), now_s + GRACE_S))

    async def _close_replaced(self) -> None:
        now_s = self._gateway.clock.monotonic()
        due = [each for each in self._replaced if each.not_before_s <= now_s]
        self._replaced = [each for each in self._replaced if each.not_before_s > now_s]
        for each in due:
            await each.what.close()

    async def _changed_within(self, wait_s: float) -> None:
        """Wait until somebody says that something changed, at most for a while.

        In real time, whatever clock the gateway has: another process knows no other.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._gateway.providers.changed.wait()
        self._gateway.providers.changed.clear()


def _opened(row: CredentialRow, seal: Seal) -> Credential:
    return Credential(
        name=row.name,
        base_url=row.base_url,
        secret=seal.open(row.secret, name=row.name, what=SECRET),
        options=row.options,
    )


def _told(error: Exception, credential: Credential) -> str:
    """Return what went wrong with a provider: in its own words where those hold no secret."""
    words = error.message if isinstance(error, PorticoError) else str(error)
    if isinstance(error, ValueError | PorticoError) and credential.secret not in words:
        return words
    return f"its provider cannot be made: {type(error).__name__}"


def _as_the_row_says(connected: Connected, row: CredentialRow) -> Connected:
    return replace(
        connected,
        is_enabled=row.is_enabled,
        region=row.region,
        attempts_max=row.attempts_max,
        starts_per_minute=row.starts_per_minute,
        models=row.models,
    )
