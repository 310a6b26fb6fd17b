"""One gateway a test, wired by hand, on either kind of database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from portico.store import open_store
from tests.flows.wiring import House, build


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    store = await open_store(database)
    built = await build(store, tmp_path)
    yield built
    await built.storage.real.close()
    await store.close()
