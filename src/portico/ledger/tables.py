"""Tables of the ledger; touched by `ledger` alone."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Table,
    Text,
    UniqueConstraint,
)

from portico.store import RowId, metadata

balances = Table(
    "balances",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.id"), primary_key=True),
    Column("available", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    CheckConstraint("available >= 0", name="ck_balances_available"),
    CheckConstraint("held >= 0", name="ck_balances_held"),
)

ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("task_id", BigInteger),
    Column("available_delta", BigInteger, nullable=False),
    Column("held_delta", BigInteger, nullable=False),
    Column("house_delta", BigInteger, nullable=False),
    Column("book", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    CheckConstraint("available_delta + held_delta + house_delta = 0", name="ck_ledger_entries_sum"),
    UniqueConstraint("task_id", "kind", name="uq_ledger_entries_task_id_kind"),
    Index("ix_ledger_entries_account_id", "account_id", "id"),
)

holds = Table(
    "holds",
    metadata,
    Column("task_id", RowId, primary_key=True, autoincrement=False),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("captured", BigInteger, nullable=False, server_default="0"),
    Column("state", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    CheckConstraint("amount >= 0 AND captured BETWEEN 0 AND amount", name="ck_holds_amount"),
    CheckConstraint("state IN ('open', 'captured', 'released')", name="ck_holds_state"),
    # a task row points at this pair: it cannot call itself final while its hold is open
    UniqueConstraint("task_id", "state", name="uq_holds_task_id_state"),
)
