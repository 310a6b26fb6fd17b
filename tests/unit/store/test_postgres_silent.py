"""A Postgres that is there but answers nobody: every read and write gives up in time."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from portico import tasks
from portico.core.errors import ErrorCode, PorticoError
from portico.store import open_store
from tests.postgres import Postgres, running

WITHIN_S = 5.0
READS = 20  # more than there are connections


@pytest.fixture
def silenced() -> Iterator[Postgres]:
    """A server of this test's own: it is going to stand still."""
    with running() as server:
        yield server


@pytest.mark.slow
async def test_reads_and_writes_give_up_within_five_seconds_and_work_again_at_once(silenced):
    store = await open_store(silenced.fresh())

    async def refused(work) -> float:
        began_s = time.monotonic()
        with pytest.raises(PorticoError) as raised:
            await work(tasks.open_ids)
        assert raised.value.code is ErrorCode.OVERLOADED
        return time.monotonic() - began_s

    assert await asyncio.gather(*[store.read(tasks.open_ids) for _ in range(READS)]) == [[]] * READS
    await store.write(tasks.open_ids)
    silenced.freeze()
    try:
        for _ in range(2):  # connections that were open, then such as have to be made
            took_s = await asyncio.gather(*[refused(store.read) for _ in range(READS)],
                                          refused(store.write))  # fmt: skip
            assert max(took_s) < WITHIN_S
    finally:
        silenced.thaw()
    began_s = time.monotonic()
    assert await store.read(tasks.open_ids) == []
    assert await store.write(tasks.open_ids) == []
    assert time.monotonic() - began_s < WITHIN_S
    await store.close()
