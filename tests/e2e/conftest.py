"""A data folder for servers of their own, with either kind of database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.house import House
from tests.e2e.running import use_database
from tests.postgres import Postgres


@pytest.fixture
def data(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Path:
    """An empty data folder; on SQLite its database is the one it has by itself."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    if kind == "postgres":
        use_database(folder, request.getfixturevalue("database"))
    return folder


@pytest.fixture
def house(postgres: Postgres, tmp_path: Path) -> Iterator[House]:
    """Room for several processes on one Postgres database."""
    built = House(postgres.emptied(), tmp_path)
    yield built
    built.stop()
