"""Attempts say with which credential they were made, so that a task stays with its own."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the credential; until now every provider was built in, and its own credential."""
    op.add_column("attempts", sa.Column("credential", sa.Text(), server_default="", nullable=False))
    op.execute("UPDATE attempts SET credential = provider")
