"""The first schema: accounts, ledger, tasks, assets, deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_APPEND_ONLY = (
    ("tr_ledger_entries_no_update", "UPDATE"),
    ("tr_ledger_entries_no_delete", "DELETE"),
)


def upgrade() -> None:
    """Create everything; parents before the tables that point at them."""
    _accounts()
    _api_keys()
    _balances()
    _ledger_entries()
    _holds()
    _tasks()
    _attempts()
    _requests()
    _assets()
    _deliveries()
    _append_only()


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("is_operator", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('active', 'suspended')", name="ck_accounts_status"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email"),
    )


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("last_four", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("requests_per_minute", sa.BigInteger(), nullable=True),
        sa.Column("open_tasks_max", sa.BigInteger(), nullable=True),
        sa.Column("credits_max", sa.BigInteger(), nullable=True),
        sa.Column("spent", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("spent >= 0", name="ck_api_keys_spent"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_index("ix_api_keys_account_id", "api_keys", ["account_id"], unique=False)


def _balances() -> None:
    op.create_table(
        "balances",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("available >= 0", name="ck_balances_available"),
        sa.CheckConstraint("held >= 0", name="ck_balances_held"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.PrimaryKeyConstraint("account_id"),
    )


def _ledger_entries() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=True),
        sa.Column("available_delta", sa.BigInteger(), nullable=False),
        sa.Column("held_delta", sa.BigInteger(), nullable=False),
        sa.Column("house_delta", sa.BigInteger(), nullable=False),
        sa.Column("book", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "available_delta + held_delta + house_delta = 0", name="ck_ledger_entries_sum"
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("task_id", "kind", name="uq_ledger_entries_task_id_kind"),
    )
    op.create_index(
        "ix_ledger_entries_account_id", "ledger_entries", ["account_id", "id"], unique=False
    )


def _holds() -> None:
    op.create_table(
        "holds",
        sa.Column(
            "task_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("captured", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('open', 'captured', 'released')", name="ck_holds_state"),
        sa.CheckConstraint("amount >= 0 AND captured BETWEEN 0 AND amount", name="ck_holds_amount"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.PrimaryKeyConstraint("task_id"),
        sa.UniqueConstraint("task_id", "state", name="uq_holds_task_id_state"),
    )


def _tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("dialect", sa.Text(), nullable=False),
        sa.Column("offered_name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("offering", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("hold_state", sa.Text(), server_default="open", nullable=False),
        sa.Column("stage", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("quote", sa.Text(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("charged", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("failure_message", sa.Text(), nullable=True),
        sa.Column("usage", sa.Text(), server_default="{}", nullable=False),
        sa.Column("callback_url", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'submitting', 'running', 'storing')"
            " OR (state = 'succeeded' AND hold_state = 'captured')"
            " OR (state IN ('failed', 'cancelled', 'expired') AND hold_state = 'released')",
            name="ck_tasks_final_has_closed_hold",
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.ForeignKeyConstraint(
            ["id", "hold_state"],
            ["holds.task_id", "holds.state"],
            name="fk_tasks_hold",
            onupdate="CASCADE",
        ),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    _tasks_indexes()


def _tasks_indexes() -> None:
    op.create_index("ix_tasks_account_id", "tasks", ["account_id", "id"], unique=False)
    op.create_index(
        "ix_tasks_media",
        "tasks",
        ["account_id", "kind", "id"],
        unique=False,
        sqlite_where=sa.text("(kind <> 'text')"),
        postgresql_where=sa.text("(kind <> 'text')"),
    )
    op.create_index(
        "ix_tasks_to_forget",
        "tasks",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("(expires_at IS NOT NULL AND job <> '{}')"),
        postgresql_where=sa.text("(expires_at IS NOT NULL AND job <> '{}')"),
    )
    op.create_index(
        "ix_tasks_open",
        "tasks",
        ["account_id"],
        unique=False,
        sqlite_where=sa.text("(state IN ('queued', 'submitting', 'running', 'storing'))"),
        postgresql_where=sa.text("(state IN ('queued', 'submitting', 'running', 'storing'))"),
    )


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.BigInteger(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("upstream_model", sa.Text(), nullable=False),
        sa.Column("upstream_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_attempts_task_id", "attempts", ["task_id", "number"], unique=True)


def _requests() -> None:
    op.create_table(
        "requests",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("balance_after", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.PrimaryKeyConstraint("account_id", "route", "key"),
    )
    op.create_index("ix_requests_created_at", "requests", ["created_at"], unique=False)


def _assets() -> None:
    op.create_table(
        "assets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("input_role", sa.Text(), nullable=True),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.BigInteger(), nullable=True),
        sa.Column("height", sa.BigInteger(), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("storage_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("role IN ('input', 'output', 'cover', 'stage')", name="ck_assets_role"),
        sa.CheckConstraint("size_bytes > 0", name="ck_assets_size_bytes"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_assets_expires_at",
        "assets",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_assets_storage_key", "assets", ["storage_key"], unique=True)
    op.create_index("ix_assets_task_id", "assets", ["task_id"], unique=False)
    op.create_index(
        "ix_assets_unused",
        "assets",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("task_id IS NULL AND deleted_at IS NULL"),
        postgresql_where=sa.text("task_id IS NULL AND deleted_at IS NULL"),
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=False),
        sa.Column("last_status", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_deliveries_due", "deliveries", ["state", "next_attempt_at"], unique=False)
    op.create_index("ix_deliveries_task_id", "deliveries", ["task_id"], unique=False)


def _append_only() -> None:
    """Refuse every change to a ledger entry once it is written, in each database's own words."""
    if op.get_bind().dialect.name != "sqlite":
        _append_only_on_postgres()
        return
    for name, verb in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {verb} ON ledger_entries "
            "BEGIN SELECT RAISE(ABORT, 'ledger entries are append-only'); END"
        )


def _append_only_on_postgres() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change_of_ledger_entries() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'ledger entries are append-only' "
        "USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for name, verb in (*_APPEND_ONLY, ("tr_ledger_entries_no_truncate", "TRUNCATE")):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {verb} ON ledger_entries "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_ledger_entries()"
        )
