"""Tables of usage; touched by `usage` alone."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Table, Text

from portico.store import RowId, metadata

usage_days = Table(
    "usage_days",
    metadata,
    Column("day", BigInteger, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), primary_key=True),
    Column("key_id", Text, ForeignKey("api_keys.id"), primary_key=True),
    Column("model", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("succeeded", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("cancelled", BigInteger, nullable=False),
    Column("expired", BigInteger, nullable=False),
    Column("charged", BigInteger, nullable=False),
    Column("released", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Index("ix_usage_days_account_id", "account_id", "day"),
)

usage_progress = Table(  # one row, from the first roll-up on
    "usage_progress",
    metadata,
    Column("number", RowId, primary_key=True, autoincrement=False),
    Column("next_day", BigInteger, nullable=False),
    Column("first_id", BigInteger, nullable=False),
    CheckConstraint("number = 1", name="ck_usage_progress_number"),
)
