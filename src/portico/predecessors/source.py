"""Where a predecessor's rows come from: an SQLite file, a MySQL dump, or a Postgres server."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from portico.predecessors.values import ForeignRow, refused

BATCH = 200  # rows in memory at once
ROWS_MAX = 2_000_000  # of one table
UNITS_PER_USD = 500_000  # of quota, in both, unless their option QuotaPerUnit says otherwise

# All that is ever read. Passwords, access tokens and logs are not among it.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "users": (
        "id", "username", "email", "status", "quota", "group", "aff_quota", "deleted_at",
    ),
    "tokens": (
        "id", "user_id", "key", "status", "name", "expired_time", "remain_quota",
        "unlimited_quota", "model_limits_enabled", "model_limits", "models", "allow_ips",
        "subnet", "deleted_at",
    ),
    "channels": (
        "id", "type", "key", "status", "name", "weight", "base_url", "models", "group",
        "model_mapping", "priority", "channel_info",
    ),
    "options": ("key", "value"),
}  # fmt: skip
NEEDED: Mapping[str, frozenset[str]] = {
    "users": frozenset({"id", "username", "status", "quota"}),
    "tokens": frozenset({"id", "user_id", "key", "status"}),
    "channels": frozenset({"id", "type", "key", "models"}),
    "options": frozenset({"key", "value"}),
}


class Source(Protocol):
    """One predecessor's database; only read."""

    def rows(self, table: str) -> AsyncIterator[Sequence[ForeignRow]]:
        """Yield the wanted columns of a table, some rows at a time, by their ids where sorted.

        Raises:
            PorticoError: INVALID_REQUEST for a table that is not there, is not what it should
                be, has too many rows, or cannot be read to its end.
        """

    async def close(self) -> None:
        """Let go of it."""


def chosen(table: str, found: Sequence[str]) -> list[str]:
    """Return which of the columns that are there are wanted.

    Raises:
        PorticoError: INVALID_REQUEST when one is missing that nothing can be done without.
    """
    if missing := NEEDED[table] - set(found):
        message = f"the table {table} has no column {', '.join(sorted(missing))}"
        raise refused(message)
    return [name for name in COLUMNS[table] if name in found]


def check_count(table: str, count: int) -> None:
    """Go on while a table is not larger than we take.

    Raises:
        PorticoError: INVALID_REQUEST when it is.
    """
    if count > ROWS_MAX:
        message = f"the table {table} has more than {ROWS_MAX:,} rows"
        raise refused(message)


def no_table(table: str) -> Exception:
    """Return the error for a source without one of the tables."""
    return refused(f"the source has no table {table}: is it a database of new-api or one-api?")
