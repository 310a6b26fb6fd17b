"""A data folder for servers of their own, with either kind of database."""

from pathlib import Path

import pytest

from tests.e2e.running import use_database


@pytest.fixture
def data(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Path:
    """An empty data folder; on SQLite its database is the one it has by itself."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    if kind == "postgres":
        use_database(folder, request.getfixturevalue("database"))
    return folder
