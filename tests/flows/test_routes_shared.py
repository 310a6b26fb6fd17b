"""Processes on one Postgres: they heed each other's pauses, and share limits exactly."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from portico import tasks
from portico.core.jobs import MediaAsk
from portico.core.upstreams import Trouble
from portico.engines import Runner
from portico.flows import claim, pauses, signals
from portico.flows.gateway import Gateway
from portico.flows.live import LiveTasks
from portico.flows.run import step
from portico.flows.submit import Terms, submit
from portico.providers.base import Pending
from portico.routes import RouteState, key_of
from portico.routes.breaker import State
from portico.store import open_store
from portico.store.postgres_link import DIALECT
from portico.tasks.queries import COUNT_OPEN_ATTEMPTS
from tests.flows.upstreams import connect, fake, trouble
from tests.flows.wiring import House, until
from tests.kinds import on_postgres
from tests.raw_sql import raw_sql

pytestmark = on_postgres
ASK = MediaAsk(dialect="portico", name="m", prompt="the sea")
KEY = key_of("first", "first-model")
OPEN_MAX = 5


@pytest.fixture
async def other(house: House, database: str) -> AsyncIterator[Gateway]:
    """Another process, with connections, a memory and tasks of its own."""
    store = await open_store(database)
    yield replace(
        house.gateway,
        store=store,
        runner=Runner(house.gateway.ids.opaque_id("run")),
        live=LiveTasks(),
        routes=RouteState(),
    )
    await store.close()


@pytest.fixture
def upstream(house):
    upstream = fake(Pending("job-1", check_after_s=3_600))
    connect(house, {"first": upstream}, first={"attempts_max": OPEN_MAX})
    return upstream


def with_upstreams(house, other):
    return replace(other, catalogue=house.gateway.catalogue, providers=house.gateway.providers)


async def test_pause_is_heeded_by_others_within_a_second_and_so_is_its_end(house, other):
    connect(house, {"first": fake(trouble(Trouble.CREDIT))})
    other = with_upstreams(house, other)
    loops = [
        asyncio.create_task(signals.run_hearing(other)),
        asyncio.create_task(pauses.run_learning(other)),
    ]
    async with asyncio.timeout(5):
        await other.runner.work_waits.wait()  # it hears from now on

    await house.step(await house.submit(ASK))
    await until(lambda: other.routes.breakers.state(KEY, house.clock.now()) is State.OPEN)
    other.routes.health.failed(KEY)

    await house.clock.advance(61)
    assert await pauses.take_turn(house.gateway, KEY)
    await pauses.note_answer(house.gateway, KEY)
    await until(lambda: not other.routes.breakers.pauses)
    assert other.routes.health.standing(KEY).success == 1.0  # it is well for all of them
    for each in loops:
        each.cancel()
    await asyncio.gather(*loops, return_exceptions=True)


async def test_two_processes_together_open_no_more_attempts_than_the_credential_may(
    house, other, upstream
):
    other = with_upstreams(house, other)
    await claim.join(other)
    mine = [await house.submit(ASK) for _ in range(12)]
    theirs = [(await submit(other, house.caller, ASK, Terms())).task.id for _ in range(12)]

    await asyncio.gather(
        *(house.step(each) for each in mine), *(step(other, each) for each in theirs)
    )

    assert len(upstream.started) == OPEN_MAX
    counted = await other.store.read(lambda tx: tasks.open_attempts(tx, "first"))
    assert counted == OPEN_MAX


async def test_open_attempts_are_counted_over_their_own_index(database):
    async with raw_sql(database) as sql:
        await sql.execute("SET enable_seqscan = off")  # on few rows it would be as good
        counting = COUNT_OPEN_ATTEMPTS.compiled(DIALECT).text
        text, places = re.subn(r"\$1(::\w+)?", "'a'", counting)
        (plan,) = await sql.row(f"EXPLAIN (FORMAT JSON) {text}")
    assert places == 1
    assert "ix_attempts_open" in str(plan)
