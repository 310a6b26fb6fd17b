"""Table of deliveries (the outbox); touched by `delivery` alone."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Text

from portico.store import metadata

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("task_id", BigInteger, ForeignKey("tasks.id"), nullable=False),
    Column("url", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", BigInteger, nullable=False, server_default="0"),
    Column("next_attempt_at", BigInteger, nullable=False),
    Column("last_status", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_deliveries_due", "state", "next_attempt_at"),
    Index("ix_deliveries_task_id", "task_id"),
)
