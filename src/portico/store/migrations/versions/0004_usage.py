"""Usage: daily roll-ups of tasks that ended, and how far they have come."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_COUNTED = (
    "succeeded",
    "failed",
    "cancelled",
    "expired",
    "charged",
    "released",
    "input_tokens",
    "output_tokens",
)


def upgrade() -> None:
    """Add both tables; the first sweep fills them from the tasks there are."""
    op.create_table(
        "usage_days",
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _COUNTED),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"]),
        sa.PrimaryKeyConstraint("day", "account_id", "key_id", "model", "kind"),
    )
    op.create_index("ix_usage_days_account_id", "usage_days", ["account_id", "day"], unique=False)
    op.create_table(
        "usage_progress",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("next_day", sa.BigInteger(), nullable=False),
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("number = 1", name="ck_usage_progress_number"),
        sa.PrimaryKeyConstraint("number"),
    )
