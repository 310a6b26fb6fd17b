"""Pauses as rows: begun, lengthened, looked at by one process alone, ended, forgotten."""

import asyncio

import pytest

from portico.core.clock import DAY_MS
from portico.core.upstreams import Trouble
from portico.routes import Pause, service
from portico.store import open_store
from portico.testing import START
from tests.kinds import KINDS

pytestmark = pytest.mark.parametrize("kind", KINDS, indirect=True)
PAUSE = Pause(credential="a", model="m", until=START, opens=1, reason=Trouble.BUSY)
LONGER = Pause(credential="a", model="m", until=START + 60, opens=2, reason=Trouble.UNREACHED)


@pytest.fixture
async def store(database):
    opened = await open_store(database)
    yield opened
    await opened.close()


async def begin(store, pause, now=START):
    await store.write(lambda tx: service.pause(tx, pause, now=now))


async def test_pause_is_kept_and_replaced_by_a_longer_one(store):
    await begin(store, PAUSE)
    assert await store.read(service.pauses) == [PAUSE]

    await begin(store, LONGER)
    await begin(store, LONGER)
    assert await store.read(service.pauses) == [LONGER]

    await store.write(lambda tx: service.end(tx, [PAUSE.key]))
    assert await store.read(service.pauses) == []


async def test_only_one_of_many_processes_looks_again(store):
    await begin(store, PAUSE)

    turns = await asyncio.gather(
        *(store.write(lambda tx: service.take_turn(tx, LONGER, now=START)) for _ in range(8))
    )

    assert sorted(turns) == [False] * 7 + [True]
    (left,) = await store.read(service.pauses)
    assert left.until == LONGER.until


async def test_turn_at_what_is_not_over_or_not_there_is_nobodys(store):
    assert not await store.write(lambda tx: service.take_turn(tx, LONGER, now=START))
    await begin(store, LONGER)
    assert not await store.write(lambda tx: service.take_turn(tx, LONGER, now=START))


async def test_pause_nobody_sees_to_is_forgotten_after_a_day(store):
    await begin(store, PAUSE)
    other = Pause(credential="b", model="", until=START + 9, opens=1, reason=Trouble.CREDIT)

    await begin(store, other, now=START + DAY_MS + 1)

    assert await store.read(service.pauses) == [other]
