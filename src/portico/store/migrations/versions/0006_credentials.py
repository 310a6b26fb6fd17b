"""Credentials: our keys at upstreams, sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the table of credentials."""
    op.create_table(
        "credentials",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("callback_secret", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), server_default="{}", nullable=False),
        sa.Column("region", sa.Text(), server_default="", nullable=False),
        sa.Column("attempts_max", sa.BigInteger(), nullable=True),
        sa.Column("starts_per_minute", sa.BigInteger(), nullable=True),
        sa.Column("is_enabled", sa.BigInteger(), nullable=False),
        sa.Column("models", sa.Text(), nullable=True),
        sa.Column("synced_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("attempts_max > 0", name="ck_credentials_attempts_max"),
        sa.CheckConstraint("is_enabled IN (0, 1)", name="ck_credentials_is_enabled"),
        sa.CheckConstraint("starts_per_minute > 0", name="ck_credentials_starts_per_minute"),
        sa.PrimaryKeyConstraint("name"),
    )
