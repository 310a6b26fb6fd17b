"""Tables of accounts and API keys; touched by `accounts` alone."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Table,
    Text,
)

from portico.store import metadata

accounts = Table(
    "accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False, unique=True),
    Column("status", Text, nullable=False),
    Column("is_operator", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    CheckConstraint("status IN ('active', 'suspended')", name="ck_accounts_status"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
    Column("prefix", Text, nullable=False),
    Column("last_four", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("requests_per_minute", BigInteger),
    Column("open_tasks_max", BigInteger),
    Column("credits_max", BigInteger),
    Column("spent", BigInteger, nullable=False, server_default="0"),
    CheckConstraint("spent >= 0", name="ck_api_keys_spent"),
    Index("ix_api_keys_account_id", "account_id"),
)
