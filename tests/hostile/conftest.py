"""One gateway a module: what is refused leaves it as it was, which the tests check each time."""

import io
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
import structlog

from portico.cli import logs
from portico.outbound import Door, OutboundLimits
from portico.settings import host_pairs
from tests.contract.gateways import Wired, started
from tests.contract.media_host import MediaHost, media_host
from tests.hostile.evil_host import EvilHost, evil_host

QUICK = OutboundLimits(first_byte_s=0.5, whole_s=5, pace_window_s=0.5)


@pytest.fixture(scope="module")
def logged() -> Iterator[io.StringIO]:
    """All that is logged during a module, at the lowest level, as an operator would see it."""
    stream = io.StringIO()
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    of_uvicorn = logging.getLogger("uvicorn.error").level
    logs.set_up(level="debug", as_json=True, stream=stream)
    structlog.configure(cache_logger_on_first_use=False)
    yield stream
    structlog.reset_defaults()
    root.handlers[:], root.level = before
    logging.getLogger("uvicorn.error").setLevel(of_uvicorn)
    logging.getLogger("uvicorn.access").disabled = False


@pytest.fixture(scope="module")
def host() -> Iterator[MediaHost]:
    with media_host() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def evil() -> AsyncIterator[EvilHost]:
    async with evil_host() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    tmp_path_factory, logged, host: MediaHost, evil: EvilHost, shared_database: str
) -> AsyncIterator[Wired]:
    """A gateway nothing is too fast for, whose upstream makes everything at once.

    It has little patience with hosts, and may reach two on this machine: a good one and an evil
    one.
    """
    async with started(
        tmp_path_factory.mktemp("hostile"),
        balance="1000000",
        xpilot_submits_per_minute=0,
        xpilot_reads_per_minute=0,
        database_url=shared_database,
    ) as wired:
        hosts = host_pairs(f"{host.address},{evil.address}")
        patient = wired.gateway.door
        door = Door(hosts, limits=QUICK, clock=wired.clock)
        object.__setattr__(wired.gateway, "door", door)  # a record frozen for all but this
        await patient.close()
        yield wired
