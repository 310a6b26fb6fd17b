"""Open the database a URL names, creating and migrating it first where needed."""

import os
import sqlite3
from pathlib import Path

from portico.core.clock import Clock
from portico.store.base import Store
from portico.store.sqlite import SqliteStore, connect

HEAD = "0007"  # the newest revision in migrations/versions
POSTGRES = "postgresql://"
_SQLITE = "sqlite:///"


async def open_store(url: str) -> Store:
    """Open `sqlite:///path` or `postgresql://…`; the schema must be at its newest revision.

    What only Postgres needs is imported only for it: the embedded default starts without.

    Raises:
        ValueError: the URL is of another kind.
    """
    if is_postgres(url):
        from portico.store.postgres import open_postgres  # noqa: PLC0415

        return await open_postgres(url)
    return SqliteStore(sqlite_path(url))


def is_postgres(url: str) -> bool:
    """Whether a URL names a database on a Postgres server."""
    return url.startswith(POSTGRES)


def sqlite_path(url: str) -> Path:
    """Return the file a `sqlite:///…` URL names.

    Raises:
        ValueError: the URL is of another kind.
    """
    if not url.startswith(_SQLITE):
        message = f"PORTICO_DATABASE_URL must begin with {_SQLITE} or {POSTGRES}"
        raise ValueError(message)
    return Path(url.removeprefix(_SQLITE))


def migrate(url: str) -> bool:
    """Bring the schema to its newest revision; returns whether anything was done.

    Alembic is imported only when there is work: a start on an up-to-date database pays nothing.
    Not to be called on an event loop.

    Raises:
        ValueError: the URL is of another kind.
        OSError: a Postgres server cannot be reached, or refuses us.
    """
    if not is_postgres(url):
        _make_file(sqlite_path(url))
    if revision(url) == HEAD:
        return False
    from portico.store.migrations.run import upgrade  # noqa: PLC0415 - slow, seldom needed

    upgrade(url)
    return True


async def server_ahead_ms(url: str, clock: Clock) -> int:
    """Return by how much the clock of a Postgres server is ahead of this one.

    Off by no more than the way to the server and back takes.

    Raises:
        OSError: the server cannot be reached, or refuses us.
    """
    from portico.store.postgres_link import ahead_ms  # noqa: PLC0415

    return await ahead_ms(url, clock)


def revision(url: str) -> str | None:
    """Return the revision a database stands at; None for an empty one.

    Not to be called on an event loop.

    Raises:
        OSError: a Postgres server cannot be reached, or refuses us.
    """
    if is_postgres(url):
        from portico.store.postgres_link import revision as postgres_revision  # noqa: PLC0415

        return postgres_revision(url)
    connection = connect(sqlite_path(url))
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else None
    except sqlite3.OperationalError:
        return None
    finally:
        connection.close()


def _make_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
