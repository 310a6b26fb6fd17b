"""One gateway a module: what is refused leaves it as it was, which the tests check each time."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.contract.gateways import Wired, started
from tests.contract.media_host import MediaHost, media_host


@pytest.fixture(scope="module")
def host() -> Iterator[MediaHost]:
    with media_host() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory, host) -> AsyncIterator[Wired]:
    """A gateway nothing is too fast for, whose upstream makes everything at once."""
    folder = tmp_path_factory.mktemp("hostile")
    unlimited = {"xpilot_submits_per_minute": 0, "xpilot_reads_per_minute": 0}
    async with started(folder, balance="1000000", private_hosts=host.address, **unlimited) as wired:
        yield wired
