"""All SQL of credentials."""

from sqlalchemy import bindparam, delete, insert, select, update

from portico.credentials.tables import credentials, upstream_balances
from portico.store import Statement

_NEW = (
    "name",
    "provider",
    "base_url",
    "secret",
    "callback_secret",
    "options",
    "region",
    "attempts_max",
    "starts_per_minute",
    "is_enabled",
    "balance_low",
    "created_at",
    "updated_at",
)
CHANGED = (
    "base_url",
    "secret",
    "callback_secret",
    "options",
    "region",
    "attempts_max",
    "starts_per_minute",
    "is_enabled",
    "balance_low",
    "models",
    "synced_at",
    "updated_at",
)

INSERT = Statement(insert(credentials).values({name: bindparam(name) for name in _NEW}))
BY_NAME = Statement(select(credentials).where(credentials.c.name == bindparam("name")))
ALL = Statement(select(credentials).order_by(credentials.c.name))
STAMPS = Statement(
    select(credentials.c.name, credentials.c.created_at, credentials.c.version).order_by(
        credentials.c.name
    )
)
UPDATE = Statement(
    update(credentials)
    .where(credentials.c.name == bindparam("of"))
    .values({name: bindparam(f"new_{name}") for name in CHANGED})
    .values(version=credentials.c.version + 1)
)
DELETE = Statement(delete(credentials).where(credentials.c.name == bindparam("name")))

BALANCES = Statement(select(upstream_balances))
INSERT_BALANCE = Statement(
    insert(upstream_balances).values(
        {column.name: bindparam(column.name) for column in upstream_balances.c}
    )
)
DELETE_BALANCE = Statement(
    delete(upstream_balances).where(upstream_balances.c.credential == bindparam("of"))
)
