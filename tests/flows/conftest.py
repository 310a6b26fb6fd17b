"""One gateway a test, wired by hand."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from portico.testing import open_test_store
from tests.flows.wiring import House, build


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    store = await open_test_store(tmp_path)
    built = await build(store, tmp_path)
    yield built
    await built.storage.real.close()
    await store.close()
