"""A provider against its emulator, once for each case."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.providers.cases import CASES, Bench, Case, bench


@pytest.fixture(params=CASES, ids=lambda case: case.id)
def case(request: pytest.FixtureRequest) -> Case:
    one: Case = request.param
    return one


@pytest.fixture
async def at_once(case: Case, tmp_path: Path) -> AsyncIterator[Bench]:
    """An upstream whose jobs are done as soon as they are begun."""
    async with bench(case, tmp_path) as one:
        yield one


@pytest.fixture
async def in_time(case: Case, tmp_path: Path) -> AsyncIterator[Bench]:
    """An upstream whose jobs take 10 s, half of it in the queue."""
    async with bench(case, tmp_path, latency_s=10) as one:
        yield one
