"""What unit tests share: a fresh migrated store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from portico.store.sqlite import SqliteStore
from portico.testing import open_test_store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_test_store(tmp_path)
    yield opened
    await opened.close()
