"""Runners: which process has which task."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_OPEN = sa.text("(state IN ('queued', 'submitting', 'running', 'storing'))")


def upgrade() -> None:
    """Add the table of runners, and to tasks what kind of runner they need and whose they are."""
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "runners",
        sa.Column("number", row_id, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("queues", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
    )
    op.add_column("tasks", sa.Column("queue", sa.Text(), server_default="upstream", nullable=False))
    op.add_column("tasks", sa.Column("runner", sa.Text(), nullable=True))
    op.create_index(
        "ix_tasks_runner",
        "tasks",
        ["runner"],
        unique=False,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
