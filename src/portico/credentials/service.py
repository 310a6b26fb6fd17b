"""What can be done with credentials; each takes an open transaction first."""

from collections.abc import Iterable

import msgspec

from portico.core.clock import Instant
from portico.core.errors import ErrorCode, PorticoError
from portico.credentials import queries
from portico.credentials.model import (
    BalanceRow,
    Change,
    CredentialRow,
    checked_name,
    checked_region,
)
from portico.store import Row, Tx

Stamp = tuple[str, Instant, int]  # of one state of one row: its name, when it was made, its version


def add(tx: Tx, row: CredentialRow) -> None:
    """Add a credential; its secrets are sealed already.

    Raises:
        PorticoError: INVALID_REQUEST when the name is taken, or cannot be one.
    """
    if tx.one(queries.BY_NAME, name=checked_name(row.name)) is not None:
        message = f"There is a credential {row.name} already"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="name")
    tx.execute(
        queries.INSERT,
        name=row.name,
        provider=row.provider,
        base_url=row.base_url,
        secret=row.secret,
        callback_secret=row.callback_secret,
        options=_json(row.options),
        region=checked_region(row.region),
        attempts_max=row.attempts_max,
        starts_per_minute=row.starts_per_minute,
        is_enabled=int(row.is_enabled),
        balance_low=row.balance_low,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def get(tx: Tx, name: str) -> CredentialRow:
    """Return a credential by its name.

    Raises:
        PorticoError: INVALID_REQUEST when there is none.
    """
    row = tx.one(queries.BY_NAME, name=name)
    if row is None:
        message = "No such credential; `portico provider list` names all there are"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="name")
    return _row(row)


def every(tx: Tx) -> list[CredentialRow]:
    """Return all credentials in the order of their names, disabled ones included."""
    return [_row(row) for row in tx.rows(queries.ALL)]


def stamps(tx: Tx) -> tuple[Stamp, ...]:
    """Return what differs as soon as anything about any credential does; cheap."""
    return tuple(
        (row["name"], row["created_at"], row["version"]) for row in tx.rows(queries.STAMPS)
    )


def change(tx: Tx, name: str, changes: Change, *, now: Instant) -> CredentialRow:
    """Change a credential and return it as it is then; safe to repeat.

    Raises:
        PorticoError: INVALID_REQUEST when there is none.
    """
    given = {
        field: value
        for field in Change.__struct_fields__
        if (value := getattr(changes, field)) is not msgspec.UNSET
    }
    if "region" in given:
        checked_region(given["region"])
    return _update(tx, msgspec.structs.replace(get(tx, name), **given, updated_at=now))


def keep_models(tx: Tx, name: str, models: Iterable[str], *, now: Instant) -> CredentialRow:
    """Note what the upstream says it has; safe to repeat.

    Raises:
        PorticoError: INVALID_REQUEST when there is no such credential.
    """
    known = get(tx, name)
    row = msgspec.structs.replace(known, models=frozenset(models), synced_at=now, updated_at=now)
    return _update(tx, row)


def remove(tx: Tx, name: str) -> None:
    """Forget a credential and its secrets.

    Raises:
        PorticoError: INVALID_REQUEST when there is none.
    """
    get(tx, name)
    tx.execute(queries.DELETE, name=name)
    tx.execute(queries.DELETE_BALANCE, of=name)


def balances(tx: Tx) -> dict[str, BalanceRow]:
    """Return what upstreams said last of our money there, by credential."""
    rows = (msgspec.convert(dict(row), BalanceRow) for row in tx.rows(queries.BALANCES))
    return {row.credential: row for row in rows}


def keep_balance(tx: Tx, row: BalanceRow) -> None:
    """Note what an upstream says now; it replaces what it said before."""
    tx.execute(queries.DELETE_BALANCE, of=row.credential)
    tx.execute(queries.INSERT_BALANCE, **msgspec.structs.asdict(row))


def _update(tx: Tx, row: CredentialRow) -> CredentialRow:
    values = {f"new_{name}": getattr(row, name) for name in queries.CHANGED} | {
        "new_options": _json(row.options),
        "new_is_enabled": int(row.is_enabled),
        "new_models": None if row.models is None else _json(sorted(row.models)),
    }
    tx.execute(queries.UPDATE, of=row.name, **values)
    return msgspec.structs.replace(row, version=row.version + 1)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _row(row: Row) -> CredentialRow:
    values = {name: row[name] for name in CredentialRow.__struct_fields__}
    models = values["models"]
    values |= {
        "options": msgspec.json.decode(values["options"], type=dict[str, str]),
        "is_enabled": bool(values["is_enabled"]),
        "models": None if models is None else msgspec.json.decode(models, type=frozenset[str]),
    }
    return CredentialRow(**values)
