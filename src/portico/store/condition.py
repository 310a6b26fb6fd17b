"""What a database is like, before anything is done to it."""

import asyncio
import sqlite3
from pathlib import Path
from typing import NamedTuple

from portico.store.open import is_postgres, revision, sqlite_path

_PRIMARY_CODE = 0xFF  # the rest says more about it


class Condition(NamedTuple):
    """How a database was found."""

    revision: str | None  # None without a schema of ours
    is_blank: bool  # it has no table at all, or is not even there
    is_in_use: bool  # a server or a command of ours has it open


def examine(url: str) -> Condition:
    """Look at a database; makes and changes nothing. Not to be called on an event loop.

    Raises:
        ValueError: the URL is of another kind.
        OSError: a Postgres server cannot be reached, or refuses us.
        sqlite3.Error: the file is no database.
    """
    if is_postgres(url):
        from portico.store.postgres_condition import look  # noqa: PLC0415 - see `open_store`

        return Condition(*asyncio.run(look(url)))
    path = sqlite_path(url)
    if not path.exists():
        return Condition(None, is_blank=True, is_in_use=False)
    in_use = _is_open_elsewhere(path)
    return Condition(revision(url), not _has_tables(path), in_use)


def _is_open_elsewhere(path: Path) -> bool:
    """Whether another process has the file open: each keeps a shared lock on it in WAL mode."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & _PRIMARY_CODE != sqlite3.SQLITE_BUSY:
            raise
        return True
    finally:
        connection.close()
    return False


def _has_tables(path: Path) -> bool:
    connection = sqlite3.connect(path)
    try:
        row = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    finally:
        connection.close()
    return bool(row[0])
