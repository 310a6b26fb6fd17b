"""Tables of tasks, attempts and idempotent requests; touched by `tasks` alone."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Table,
    Text,
    literal_column,
)

from portico.store import RowId, metadata

_OPEN = "state IN ('queued', 'submitting', 'running', 'storing')"
# Conditions of partial indexes, to the letter as there, so that the planners use them; without a
# type, since SQLite would compare a boolean with 1, and its planner would not see the condition.
is_open: ColumnElement[bool] = literal_column(f"({_OPEN})")
# open attempts of one credential are counted at every start where it has a limit
is_open_attempt: ColumnElement[bool] = literal_column("(state IN ('submitting', 'running'))")
# an open task has no expiry, so it costs no entry in this index
is_to_forget: ColumnElement[bool] = literal_column("(expires_at IS NOT NULL AND job <> '{}')")
# texts are far more, and nobody leafs through them
is_media: ColumnElement[bool] = literal_column("(kind <> 'text')")

tasks = Table(
    "tasks",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=False),
    Column("key_id", Text, ForeignKey("api_keys.id"), nullable=False),
    Column("dialect", Text, nullable=False),
    Column("offered_name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("offering", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("queue", Text, nullable=False, server_default="upstream"),  # which kind of runner
    Column("runner", Text),  # whose it is while it is open; nobody's while it waits to be taken
    Column("hold_state", Text, nullable=False, server_default="open"),
    Column("stage", BigInteger, nullable=False, server_default="0"),
    Column("job", Text, nullable=False),
    Column("quote", Text, nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("charged", BigInteger, nullable=False, server_default="0"),
    Column("failure_code", Text),
    Column("failure_message", Text),
    Column("usage", Text, nullable=False, server_default="{}"),
    Column("callback_url", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("deadline_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("expires_at", BigInteger),
    Column("deleted_at", BigInteger),  # its owner has it no more; its money stays in the books
    # the hold's state is copied here by the database when the ledger closes it, and
    # the check below refuses a final task whose hold is still open
    ForeignKeyConstraint(
        ["id", "hold_state"],
        ["holds.task_id", "holds.state"],
        onupdate="CASCADE",
        name="fk_tasks_hold",
    ),
    CheckConstraint(
        f"{_OPEN} OR (state = 'succeeded' AND hold_state = 'captured')"
        " OR (state IN ('failed', 'cancelled', 'expired') AND hold_state = 'released')",
        name="ck_tasks_final_has_closed_hold",
    ),
    Index("ix_tasks_open", "account_id", sqlite_where=is_open, postgresql_where=is_open),
    Index("ix_tasks_runner", "runner", sqlite_where=is_open, postgresql_where=is_open),
    Index("ix_tasks_account_id", "account_id", "id"),
    Index(
        "ix_tasks_media",
        "account_id",
        "kind",
        "id",
        sqlite_where=is_media,
        postgresql_where=is_media,
    ),
    Index(
        "ix_tasks_to_forget",
        "expires_at",
        sqlite_where=is_to_forget,
        postgresql_where=is_to_forget,
    ),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("task_id", BigInteger, ForeignKey("tasks.id"), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("stage", BigInteger, nullable=False),
    Column("provider", Text, nullable=False),
    Column("credential", Text, nullable=False, server_default=""),
    Column("upstream_model", Text, nullable=False),
    Column("upstream_id", Text),
    Column("state", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("failure_code", Text),
    Column("cost", BigInteger),  # what the upstream takes for it, in microcredits; NULL: unknown
    Index("ix_attempts_task_id", "task_id", "number", unique=True),
    Index(
        "ix_attempts_open",
        "credential",
        sqlite_where=is_open_attempt,
        postgresql_where=is_open_attempt,
    ),
)

# a text has no attempts; its row is here only where its route says what it costs
text_costs = Table(
    "text_costs",
    metadata,
    Column("task_id", RowId, ForeignKey("tasks.id"), primary_key=True, autoincrement=False),
    Column("provider", Text, nullable=False),
    Column("credential", Text, nullable=False),
    Column("upstream_model", Text, nullable=False),
    Column("cost", BigInteger, nullable=False),
    CheckConstraint("cost >= 0", name="ck_text_costs_cost"),
)

requests = Table(
    "requests",
    metadata,
    Column("account_id", Text, ForeignKey("accounts.id"), primary_key=True),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("task_id", BigInteger, nullable=False),
    Column("balance_after", BigInteger, nullable=False),
    Column("answer", Text),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_requests_created_at", "created_at"),
)
