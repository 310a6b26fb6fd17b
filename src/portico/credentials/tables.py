"""The tables of credentials; touched by `credentials` alone."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Table, Text

from portico.store import metadata

credentials = Table(
    "credentials",
    metadata,
    Column("name", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("secret", Text, nullable=False),  # sealed
    Column("callback_secret", Text, nullable=False),  # sealed; what its callback URLs rest on
    Column("options", Text, nullable=False, server_default="{}"),  # JSON
    Column("region", Text, nullable=False, server_default=""),
    Column("attempts_max", BigInteger),
    Column("starts_per_minute", BigInteger),
    Column("is_enabled", BigInteger, nullable=False),
    Column("models", Text),  # JSON; the upstream's own names, NULL: it was never asked
    Column("synced_at", BigInteger),
    Column("version", BigInteger, nullable=False, server_default="1"),  # counts the changes
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("balance_low", BigInteger),  # millionths of the upstream's unit; NULL: no warning
    CheckConstraint("is_enabled IN (0, 1)", name="ck_credentials_is_enabled"),
    CheckConstraint("attempts_max > 0", name="ck_credentials_attempts_max"),
    CheckConstraint("starts_per_minute > 0", name="ck_credentials_starts_per_minute"),
)

# what upstreams said last; apart, because it changes all the time and no provider with it
upstream_balances = Table(
    "upstream_balances",
    metadata,
    Column("credential", Text, primary_key=True),
    Column("amount", BigInteger, nullable=False),  # millionths of its unit
    Column("unit", Text, nullable=False),
    Column("read_at", BigInteger, nullable=False),
)
