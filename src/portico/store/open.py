"""Open the database a URL names, creating and migrating it first where needed."""

import os
import sqlite3
from pathlib import Path

from portico.store.base import Store
from portico.store.sqlite import SqliteStore, connect

HEAD = "0001"  # the newest revision in migrations/versions


async def open_store(url: str) -> Store:
    """Open `sqlite:///path`; the schema must be at its newest revision (see `migrate`)."""
    return SqliteStore(sqlite_path(url))


def sqlite_path(url: str) -> Path:
    """Return the file a `sqlite:///…` URL names.

    Raises:
        ValueError: the URL is of another kind.
    """
    prefix = "sqlite:///"
    if not url.startswith(prefix):
        message = "PORTICO_DATABASE_URL must begin with sqlite:///"
        raise ValueError(message)
    return Path(url.removeprefix(prefix))


def migrate(url: str) -> bool:
    """Bring the schema to its newest revision; returns whether anything was done.

    Alembic is imported only when there is work: a start on an up-to-date database pays nothing.
    """
    path = sqlite_path(url)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    if revision(path) == HEAD:
        return False
    from portico.store.migrations.run import upgrade  # noqa: PLC0415 - slow, seldom needed

    upgrade(url)
    return True


def revision(path: Path) -> str | None:
    """Return the revision a database file stands at; None for an empty one."""
    connection = connect(path)
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else None
    except sqlite3.OperationalError:
        return None
    finally:
        connection.close()
