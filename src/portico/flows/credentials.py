"""What an operator does with credentials: add, change, try, compare, remove.

Every change is announced: processes that run take it up by themselves.
"""

import asyncio
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar

import msgspec

from portico import credentials, tasks
from portico.catalogue import Catalogue
from portico.core.errors import ErrorCode, PorticoError
from portico.core.upstreams import Trouble, UpstreamError
from portico.credentials import (
    CALLBACK,
    SECRET,
    BalanceRow,
    Change,
    CredentialRow,
    Seal,
    UnsealedError,
)
from portico.flows import signals
from portico.flows.administer import Desk
from portico.flows.connect import Build, UnconnectedError, connect, provider_of
from portico.flows.connected import Connected
from portico.providers.base import Lister
from portico.store import Tx

TRY_WITHIN_S = 20.0
NO_SUCH_JOB = "portico-0"  # an id that no upstream gave out; a provider may have one of its own
T = TypeVar("T")


class Workshop(msgspec.Struct, frozen=True):
    """What credentials are made with, beside the desk: the seal, and what builds providers."""

    seal: Seal
    build: Build
    reserved: frozenset[str]  # names of what is built in


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A credential to be added."""

    name: str
    provider: str
    base_url: str
    secret: str
    options: Mapping[str, str] = {}
    region: str = ""
    attempts_max: int | None = None
    starts_per_minute: int | None = None
    is_enabled: bool = True
    balance_low: int | None = None  # millionths of the upstream's unit

    def __repr__(self) -> str:
        """Keep the secret out of whatever is printed."""
        return f"Draft({self.name!r})"


class Answered(StrEnum):
    """What came of a trial call."""

    WELL = "reachable"
    KEY_REFUSED = "key refused"
    UNREACHED = "not reachable"
    ODDLY = "unclear"  # it answers, and its answer says nothing of the key


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What an upstream has, beside what our catalogue's routes ask of it."""

    models: frozenset[str]
    present: tuple[str, ...]  # of our routes' words for models
    absent: tuple[str, ...]


async def list_credentials(desk: Desk) -> list[CredentialRow]:
    """Return all credentials in the order of their names."""
    return await desk.store.read(credentials.every)


async def list_balances(desk: Desk) -> dict[str, BalanceRow]:
    """Return what upstreams said last of our money there, by credential."""
    return await desk.store.read(credentials.balances)


async def show(desk: Desk, name: str) -> tuple[CredentialRow, int]:
    """Return a credential, and how many attempts are open with it.

    Raises:
        PorticoError: INVALID_REQUEST when there is none.
    """
    return await desk.store.read(
        lambda tx: (credentials.get(tx, name), tasks.open_attempts(tx, name))
    )


async def add(desk: Desk, shop: Workshop, draft: Draft) -> CredentialRow:
    """Seal a secret and keep it with what belongs to it. Raises as `sealed` does."""
    row = await sealed(desk, shop, draft)
    await _announced(desk, lambda tx: credentials.add(tx, row))
    return row


async def sealed(desk: Desk, shop: Workshop, draft: Draft) -> CredentialRow:
    """Return a draft as a row that could be kept; writes nothing.

    Raises:
        PorticoError: INVALID_REQUEST for a name that is taken or cannot be one, an unknown
            provider, or a base URL, secret or option that cannot be used.
    """
    name = credentials.checked_name(draft.name)
    if name in shop.reserved:
        message = f"{name} is the name of something built in"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="name")
    now = desk.clock.now()
    row = CredentialRow(
        name=name,
        provider=draft.provider,
        base_url=draft.base_url.strip(),
        secret=_sealed(shop, name, SECRET, credentials.checked_secret(draft.secret)),
        callback_secret=_sealed(shop, name, CALLBACK, credentials.new_callback_secret()),
        options=credentials.checked_options(draft.options),
        region=draft.region,
        attempts_max=draft.attempts_max,
        starts_per_minute=draft.starts_per_minute,
        is_enabled=draft.is_enabled,
        balance_low=draft.balance_low,
        created_at=now,
        updated_at=now,
    )
    await _refuse_unusable(shop, row)
    return row


async def change(
    desk: Desk, shop: Workshop, name: str, changes: Change, *, secret: str | None = None
) -> CredentialRow:
    """Change a credential, its secret included; what is under way goes on as it began.

    Args:
        desk: where.
        shop: what to make it with.
        name: whose.
        changes: what is to be different.
        secret: a new one, in clear; None: it stays.

    Raises:
        PorticoError: INVALID_REQUEST when there is none, or it could not be used any more.
    """
    row = await desk.store.read(lambda tx: credentials.get(tx, name))
    given = {
        field: value
        for field in Change.__struct_fields__
        if (value := getattr(changes, field)) is not msgspec.UNSET
    }
    if secret is not None:
        given |= _new_secret(shop, row, secret)
    if "options" in given:
        given["options"] = credentials.checked_options(given["options"])
    await _refuse_unusable(shop, msgspec.structs.replace(row, **given))
    changes = Change(**given)
    now = desk.clock.now()
    return await _announced(desk, lambda tx: credentials.change(tx, name, changes, now=now))


async def set_enabled(desk: Desk, name: str, *, enabled: bool) -> None:
    """Let a credential take new work, or none; what is open goes on. Safe to repeat.

    Raises:
        PorticoError: INVALID_REQUEST when there is none.
    """
    changes, now = Change(is_enabled=enabled), desk.clock.now()
    await _announced(desk, lambda tx: credentials.change(tx, name, changes, now=now))


async def remove(desk: Desk, name: str, *, force: bool = False) -> None:
    """Forget a credential.

    Args:
        desk: where.
        name: whose.
        force: also while attempts are open; processes that run finish them, later ones cannot.

    Raises:
        PorticoError: INVALID_REQUEST when there is none, or attempts are open.
    """

    def write(tx: Tx) -> None:
        count = tasks.open_attempts(tx, name)
        if count and not force:
            message = (
                f"{count} attempts are open with {name}: disable it and wait, or remove it with "
                "--force, and what is open fails with the next restart"
            )
            raise PorticoError(ErrorCode.INVALID_REQUEST, message)
        credentials.remove(tx, name)

    await _announced(desk, write)


async def try_out(desk: Desk, shop: Workshop, name: str) -> Answered:
    """Ask an upstream something that costs nothing: for its models, or for a job it never had.

    Raises:
        PorticoError: INVALID_REQUEST when there is no such credential, it cannot be used, or its
            provider has nothing to ask for.
    """
    one = await _connected(desk, shop, name)
    try:
        async with asyncio.timeout(TRY_WITHIN_S):
            return await _ask(one)
    except TimeoutError:
        return Answered.UNREACHED
    except UpstreamError as error:
        return _ANSWERS.get(error.trouble, Answered.ODDLY)
    finally:
        await provider_of(one).close()


async def sync(desk: Desk, shop: Workshop, name: str, catalogue: Catalogue) -> Comparison:
    """Keep the upstream's list of models, and compare it with the routes that go there.

    Raises:
        PorticoError: INVALID_REQUEST when there is no such credential, it cannot be used, or its
            upstream keeps no list; OVERLOADED when it cannot be asked now.
    """
    one = await _connected(desk, shop, name)
    try:
        models = await _list_of(one)
    finally:
        await provider_of(one).close()
    if models is None:
        message = f"The upstream of {name} keeps no list of models"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message)
    now = desk.clock.now()
    await _announced(desk, lambda tx: credentials.keep_models(tx, name, models, now=now))
    asked_for = sorted(
        {
            route.upstream_model
            for model in catalogue.models()
            for route in model.routes
            if route.provider == one.provider and route.credential in {None, name}
        }
    )
    return Comparison(
        models=models,
        present=tuple(each for each in asked_for if each in models),
        absent=tuple(each for each in asked_for if each not in models),
    )


def problem_of(row: CredentialRow, shop: Workshop) -> str | None:
    """Return why a credential cannot be used, None when it can; asks nobody."""
    if row.name in shop.reserved:
        return "its name is that of something built in"
    try:
        connect(row, seal=shop.seal, build=shop.build)
    except UnconnectedError as error:
        return str(error)
    return None


_ANSWERS: Mapping[Trouble, Answered] = {
    Trouble.CREDENTIAL: Answered.KEY_REFUSED,
    Trouble.UNREACHED: Answered.UNREACHED,
}


async def _ask(one: Connected) -> Answered:
    lists = isinstance(provider_of(one), Lister)
    if lists and await _list_of(one) is not None:
        return Answered.WELL
    if one.tasks is None:
        message = f"There is nothing to ask {one.provider} for that would cost nothing"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message)
    await one.tasks.check(getattr(one.tasks, "no_such_job", NO_SUCH_JOB))
    return Answered.ODDLY if lists else Answered.WELL  # neither here: is this the right address?


async def _list_of(one: Connected) -> frozenset[str] | None:
    provider = provider_of(one)
    return await provider.models() if isinstance(provider, Lister) else None


async def _connected(desk: Desk, shop: Workshop, name: str) -> Connected:
    row = await desk.store.read(lambda tx: credentials.get(tx, name))
    try:
        return connect(row, seal=shop.seal, build=shop.build)
    except UnconnectedError as error:
        message = f"{name} cannot be used: {error}"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message) from None


async def _refuse_unusable(shop: Workshop, row: CredentialRow) -> None:
    """Refuse a provider, base URL, secret or options of which nothing can be made."""
    try:
        one = connect(row, seal=shop.seal, build=shop.build)
    except UnconnectedError as error:
        message = f"{row.name} could not be used: {error}"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message) from None
    await provider_of(one).close()


def _new_secret(shop: Workshop, row: CredentialRow, secret: str) -> dict[str, str]:
    """Seal a new secret; the callbacks' own is kept wherever it can still be opened."""
    sealed = {SECRET: _sealed(shop, row.name, SECRET, credentials.checked_secret(secret))}
    try:
        shop.seal.open(row.callback_secret, name=row.name, what=CALLBACK)
    except UnsealedError:
        fresh = credentials.new_callback_secret()
        sealed[CALLBACK] = _sealed(shop, row.name, CALLBACK, fresh)
    return sealed


def _sealed(shop: Workshop, name: str, what: str, secret: str) -> str:
    return shop.seal.close(secret, name=name, what=what)


async def _announced(desk: Desk, work: Callable[[Tx], T]) -> T:
    def write(tx: Tx) -> T:
        result = work(tx)
        tx.announce(signals.CREDENTIALS)
        return result

    return await desk.store.write(write)
