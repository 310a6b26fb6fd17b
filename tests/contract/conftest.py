"""Gateways and a media host for every contract test that asks for them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.contract.gateways import Wired, started
from tests.contract.media_host import MediaHost, media_host


@pytest.fixture(scope="session")
def _one_host() -> Iterator[MediaHost]:
    with media_host() as host:
        yield host


@pytest.fixture
def host(_one_host: MediaHost) -> MediaHost:
    _one_host.callbacks.clear()
    _one_host.missing.clear()
    return _one_host


@pytest.fixture
async def start(
    tmp_path: Path, host: MediaHost, database: str
) -> AsyncIterator[Callable[..., Awaitable[Wired]]]:
    """Start gateways that may reach the media host, on either kind of database."""
    async with AsyncExitStack() as open_gateways:

        async def start_one(**given: Any) -> Wired:
            given = {"private_hosts": host.address, "database_url": database} | given
            return await open_gateways.enter_async_context(started(tmp_path, **given))

        yield start_one
