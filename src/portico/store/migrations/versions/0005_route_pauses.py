"""Pauses of routes, and what counts the open attempts of a credential."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_OPEN = sa.text("(state IN ('submitting', 'running'))")


def upgrade() -> None:
    """Add the table of pauses, and an index over attempts that have not ended."""
    op.create_table(
        "route_pauses",
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("opens", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("credential", "model"),
    )
    op.create_index(
        "ix_attempts_open",
        "attempts",
        ["credential"],
        unique=False,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
