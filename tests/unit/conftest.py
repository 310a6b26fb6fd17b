"""What unit tests share: a fresh migrated store, of either kind."""

from collections.abc import AsyncIterator

import pytest

from portico.store import Store, open_store


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    opened = await open_store(database)
    yield opened
    await opened.close()
