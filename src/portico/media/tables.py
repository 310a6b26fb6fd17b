"""The table of assets; touched by `media` alone."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Table, Text, text

from portico.store import metadata

_STORED = "deleted_at IS NULL"
_UNUSED = "task_id IS NULL AND deleted_at IS NULL"

assets = Table(
    "assets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("task_id", BigInteger),
    Column("role", Text, nullable=False),
    Column("input_role", Text),
    Column("media_type", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("width", BigInteger),
    Column("height", BigInteger),
    Column("duration_ms", BigInteger),
    Column("storage_key", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    CheckConstraint("role IN ('input', 'output', 'cover', 'stage')", name="ck_assets_role"),
    CheckConstraint("size_bytes > 0", name="ck_assets_size_bytes"),
    Index("ix_assets_task_id", "task_id"),
    Index(
        "ix_assets_unused",
        "created_at",
        sqlite_where=text(_UNUSED),
        postgresql_where=text(_UNUSED),
    ),
    Index("ix_assets_storage_key", "storage_key", unique=True),
    Index(
        "ix_assets_expires_at",
        "expires_at",
        sqlite_where=text(_STORED),
        postgresql_where=text(_STORED),
    ),
)
