"""All SQL of credentials."""

from sqlalchemy import bindparam, delete, insert, select, update

from portico.credentials.tables import credentials
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
