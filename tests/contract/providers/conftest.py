"""A provider against its emulator, once for each case that makes what a test is about."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.providers.cases import CASES, Bench, Case, bench


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test every case that makes what it `needs`: videos, unless it says otherwise."""
    if "case" in metafunc.fixturenames:
        needed = getattr(metafunc.function, "needed", "video")
        cases = [case for case in CASES if getattr(case, needed)]
        metafunc.parametrize("case", cases, ids=lambda case: case.id)


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
