"""What an operator does from the command line: accounts, keys, credits, checks."""

import msgspec

from portico import accounts, delivery, ledger, tasks
from portico.accounts import Account, KeyLimits
from portico.accounts.model import KeyView
from portico.core import faults
from portico.core.clock import Clock
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import IdSource, KeyId
from portico.core.money import Credits
from portico.ledger import Balance, Difference
from portico.store import Store, Tx


class Desk(msgspec.Struct, frozen=True):
    """The few parts an operator's commands need; works beside a running server."""

    store: Store
    clock: Clock
    ids: IdSource


class IssuedKey(msgspec.Struct, frozen=True):
    """A fresh key; its secret is shown once and kept nowhere."""

    key: str
    key_id: KeyId


class AccountSheet(msgspec.Struct, frozen=True):
    """One account as an operator looks at it."""

    account: Account
    balance: Balance
    keys: tuple[KeyView, ...]


async def show_account(desk: Desk, email: str) -> AccountSheet:
    """Return an account with its balance and all its keys, revoked ones included.

    Raises:
        PorticoError: INVALID_REQUEST for an unknown account.
    """

    def look(tx: Tx) -> AccountSheet:
        account = accounts.by_email(tx, email)
        keys = tuple(accounts.keys_of(tx, account.id))
        return AccountSheet(account, ledger.balance(tx, account.id), keys)

    return await desk.store.read(look)


async def create_account(
    desk: Desk, email: str, *, amount: Credits = 0, is_operator: bool = False
) -> Account:
    """Add an account with an opening balance, in one transaction.

    Raises:
        PorticoError: INVALID_REQUEST for a malformed or taken address.
    """
    account_id = desk.ids.opaque_id("acc")
    now = desk.clock.now()

    def write(tx: Tx) -> Account:
        account = accounts.create(
            tx, account_id=account_id, email=email, is_operator=is_operator, now=now
        )
        ledger.open_account(tx, account_id)
        if amount:
            ledger.top_up(tx, account_id, amount=amount, reason="opening balance", at=now)
        return account

    return await desk.store.write(write)


async def create_key(
    desk: Desk,
    email: str,
    *,
    name: str = "",
    prefix: str = "sk-",
    limits: KeyLimits | None = None,
) -> IssuedKey:
    """Make a key for an account.

    Raises:
        PorticoError: INVALID_REQUEST for an unknown account or an unusable prefix.
    """
    key = accounts.new_key(prefix)
    key_id = desk.ids.opaque_id("key")
    now = desk.clock.now()

    def write(tx: Tx) -> None:
        account = accounts.by_email(tx, email)
        accounts.create_key(
            tx,
            key_id=key_id,
            account_id=account.id,
            key=key,
            name=name,
            limits=limits or KeyLimits(),
            now=now,
        )

    await desk.store.write(write)
    return IssuedKey(key=key.secret, key_id=key_id)


async def revoke_key(desk: Desk, key_or_id: str) -> None:
    """Revoke a key, named by its id or by itself; acts on the next request. Safe to repeat.

    Raises:
        PorticoError: INVALID_REQUEST when there is no such key.
    """
    now = desk.clock.now()
    if not await desk.store.write(lambda tx: accounts.revoke_key(tx, key_or_id, now=now)):
        raise PorticoError(ErrorCode.INVALID_REQUEST, "No such key")


async def set_suspended(desk: Desk, email: str, *, suspended: bool) -> Account:
    """Suspend an account or let it work again; safe to repeat."""

    def write(tx: Tx) -> Account:
        account = accounts.by_email(tx, email)
        accounts.set_status(tx, account.id, suspended=suspended)
        return accounts.by_email(tx, email)

    return await desk.store.write(write)


async def grant(desk: Desk, email: str, *, amount: Credits, reason: str) -> Balance:
    """Give an account credits; every call adds."""
    now = desk.clock.now()

    def write(tx: Tx) -> Balance:
        account = accounts.by_email(tx, email)
        return ledger.top_up(tx, account.id, amount=amount, reason=reason, at=now)

    balance = await desk.store.write(write)
    faults.reach("top_up.after_commit")
    return balance


async def webhook_secret(desk: Desk, server_secret: bytes, email: str) -> str:
    """Return the secret with which an account's webhooks are signed."""
    account = await desk.store.read(lambda tx: accounts.by_email(tx, email))
    return delivery.secret_for(server_secret, account.id)


async def verify(desk: Desk) -> list[Difference]:
    """Recompute every balance, hold and task; an empty list means all is exact."""
    return await desk.store.survey(differences)


def differences(tx: Tx) -> list[Difference]:
    """Do what `verify` does, on the rows of one moment; takes its time."""
    wrong_tasks = [
        Difference(f"task {task_id}: state and money disagree", None, 1, 0)
        for task_id in tasks.unsound(tx)
    ]
    return ledger.verify(tx) + wrong_tasks
