"""What upstreams take, for each attempt and for texts; and what is left of our money there."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the cost of an attempt, unknown for those there are, costs of texts, and balances."""
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("attempts", sa.Column("cost", sa.BigInteger(), nullable=True))
    op.create_table(
        "text_costs",
        sa.Column("task_id", row_id, autoincrement=False, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("upstream_model", sa.Text(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("cost >= 0", name="ck_text_costs_cost"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"]),
        sa.PrimaryKeyConstraint("task_id"),
    )
    op.add_column("credentials", sa.Column("balance_low", sa.BigInteger(), nullable=True))
    op.create_table(
        "upstream_balances",
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("credential"),
    )
