"""Processes and the database killed under load in all dialects: nothing is lost or paid twice.

`make soak` does the same for hours, and measures.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.customers import WISHES
from tests.e2e.storm import REFUSED_WITHIN_S, storm
from tests.postgres import Postgres
from tests.postgres import running as running_postgres

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
ROUNDS = 3  # of each
AWAY_S = 6.0  # longer than anybody waits for an answer
DIALECTS = {each.dialect for each in WISHES}


@pytest.fixture
def mortal() -> Iterator[Postgres]:
    """A server of this test's own: it is going to crash, or to stand still."""
    with running_postgres() as server:
        yield server


@pytest.mark.timeout(300)
@pytest.mark.parametrize("paid", [False, True], ids=["free", "paid"])
def test_processes_killed_at_random_lose_nothing(postgres: Postgres, tmp_path: Path, paid) -> None:
    with storm(postgres, tmp_path / "data", paid=paid) as weather:
        with weather.customers.asking():
            weather.next_promise(time.monotonic())
            weather.kill_rounds(ROUNDS)
        counted = weather.calm()

    assert counted["promises"] > ROUNDS, counted
    assert sum(counted["killed"].values()) >= ROUNDS


@pytest.mark.timeout(300)
@pytest.mark.parametrize("frozen", [False, True], ids=["stopped", "frozen"])
def test_database_that_is_away_is_an_error_in_shape_and_nothing_is_lost(
    mortal: Postgres, tmp_path: Path, frozen
) -> None:
    with storm(mortal, tmp_path / "data", paid=True) as weather:
        with weather.customers.asking():
            weather.next_promise(time.monotonic())
            time.sleep(4)  # something to read in every dialect
            seen = weather.outage(AWAY_S, frozen=frozen)
        counted = weather.calm()

    assert {dialect for dialect, _ in seen.dialects} == DIALECTS
    assert seen.slowest_s < REFUSED_WITHIN_S, seen.slowest
    assert counted["given_up_by_mistake"] == 0
