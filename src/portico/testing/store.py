"""A fresh migrated database for one test."""

import tempfile
from functools import cache
from pathlib import Path

from portico.store.open import migrate
from portico.store.sqlite import SqliteStore


async def open_test_store(folder: Path, *, name: str = "test.db") -> SqliteStore:
    """Open a migrated SQLite store in a folder, made there if it is not there yet.

    Closing it is up to the caller.
    """
    path = folder / name
    if not path.exists():
        make_database(path)
    return SqliteStore(path)


def make_database(path: Path) -> None:
    """Write a migrated, empty database; migrating once a process keeps this under a millisecond."""
    path.write_bytes(_empty_database())
    path.chmod(0o600)


@cache
def _empty_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        migrate(f"sqlite:///{path}")
        return path.read_bytes()
