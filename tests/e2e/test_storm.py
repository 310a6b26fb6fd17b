"""Processes and the database killed under load in all dialects: nothing is lost or paid twice.

`make soak` does the same for hours, and measures.
"""

import time
from pathlib import Path

import pytest

from tests.e2e.storm import storm
from tests.postgres import Postgres

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
ROUNDS = 5


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
