"""What `make soak` runs: kills and crashes under load, round after round, and what they took.

`PORTICO_TEST_ROUNDS` says how many processes-are-killed rounds (200), `PORTICO_TEST_CRASHES` how
often the database crashes (20); half of each with an upstream that charges. Figures and a plot
are left in `build/soak`.
"""

import json
import os
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.e2e.customers import WISHES
from tests.e2e.storm import (
    FULL_SERVICE_WITHIN_S,
    REFUSED_WITHIN_S,
    TAKEN_OVER_WITHIN_S,
    Storm,
    storm,
)
from tests.e2e.town import CREW
from tests.postgres import Postgres
from tests.postgres import running as running_postgres
from tests.soak.plot import histogram

pytestmark = pytest.mark.soak
ROUNDS = int(os.environ.get("PORTICO_TEST_ROUNDS", "200"))
CRASHES = int(os.environ.get("PORTICO_TEST_CRASHES", "20"))
AWAY_S = 30.0
FOLDER = Path(__file__).parents[2] / "build" / "soak"
both = pytest.mark.parametrize("paid", [False, True], ids=["free", "paid"])


@pytest.fixture
def database() -> Iterator[Postgres]:
    """A server of each test's own."""
    with running_postgres() as server:
        yield server


@pytest.fixture(autouse=True)
def _seeded() -> None:
    seed = os.environ.get("PORTICO_TEST_SEED") or str(time.time_ns())
    random.seed(seed)
    print(f"\nseed {seed}")


@both
def test_processes_killed_at_random(database: Postgres, tmp_path: Path, paid: bool) -> None:
    with storm(database, tmp_path / "data", paid=paid) as weather:
        with weather.customers.asking():
            weather.next_promise(time.monotonic())
            weather.kill_rounds(ROUNDS // 2)
        counted = weather.calm()
    name = f"killed-{'paid' if paid else 'free'}"
    keep(name, weather, counted | {"rounds": ROUNDS // 2})
    watched = [each for each in weather.takeovers if each.was_watched]
    assert max(max(each.after_s) for each in watched) < TAKEN_OVER_WITHIN_S


@both
def test_database_crashes_again_and_again(database: Postgres, tmp_path: Path, paid: bool) -> None:
    with storm(database, tmp_path / "data", paid=paid) as weather:
        with weather.customers.asking():
            weather.next_promise(time.monotonic())
            weather.crash_rounds(CRASHES // 2)
        counted = weather.calm()
    name = f"crashed-{'paid' if paid else 'free'}"
    keep(name, weather, counted | {"crashes": CRASHES // 2})


@pytest.mark.parametrize("frozen", [False, True], ids=["stopped", "frozen"])
def test_database_away_for_half_a_minute(database: Postgres, tmp_path: Path, frozen) -> None:
    with storm(database, tmp_path / "data", paid=True) as weather:
        with weather.customers.asking():
            weather.next_promise(time.monotonic())
            time.sleep(10)  # something to read in every dialect
            seen = weather.outage(AWAY_S, frozen=frozen)
        counted = weather.calm()
    measured = {
        "refusals": len(seen.refused),
        "slowest": seen.slowest,
        "ready_after_s": seen.ready_after_s,
        "listening_after_s": seen.listening_after_s,
        "serving_after_s": seen.serving_after_s,
    }
    keep(f"away-{'frozen' if frozen else 'stopped'}", weather, counted | measured)
    assert seen.dialects == {(each.dialect, reads) for each in WISHES for reads in (True, False)}
    assert seen.slowest_s < REFUSED_WITHIN_S
    back = (seen.ready_after_s, seen.listening_after_s, seen.serving_after_s)
    # who asked a silent one just before it came back may still wait as long as for a refusal
    assert max(back) < FULL_SERVICE_WITHIN_S + (REFUSED_WITHIN_S if frozen else 0)
    assert counted["given_up_by_mistake"] == 0


def keep(name: str, weather: Storm, counted: dict[str, Any]) -> None:
    """Write the figures down, and print them."""
    whole = [max(each.after_s) for each in weather.takeovers]
    watched = [max(each.after_s) for each in weather.takeovers if each.was_watched]
    texts = [max(each.refunded_after_s) for each in weather.watcher.takeovers if each.texts_seen]
    figures = counted | {
        "takeover_s": spread(whole),
        "takeover_of_watched_s": spread(watched),
        "takeover_by_task_s": spread([s for each in weather.takeovers for s in each.after_s]),
        "takeovers": [
            {
                "killed": each.victim.name,
                "tasks": len(each.after_s),
                "after_s": round(max(each.after_s), 2),
                "watched": each.was_watched,
            }
            for each in weather.takeovers
        ],
        "texts_refunded_after_s": spread(texts),
        "database_back_after_s": spread(weather.back_after_s),
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(figures, indent=1, default=str) + "\n")
    print(f"{name}: {json.dumps(figures, default=str)}", flush=True)
    if whole:
        kinds: dict[str, list[float]] = {CREW: [], "server": [], "worker": []}
        for each in weather.takeovers:
            kinds[each.victim.name].append(max(each.after_s))
        title = f"{name}: from the kill until all the dead process's tasks were run by others"
        drawn = histogram(title, kinds, bound_s=TAKEN_OVER_WITHIN_S)
        (FOLDER / f"{name}.svg").write_text(drawn)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return how many there are, the least, the middle, the 95th of a hundred, the most."""
    if not values:
        return {"number": 0}
    ordered = sorted(values)
    picked = (ordered[0], median(ordered), ordered[int(len(ordered) * 0.95)], ordered[-1])
    named = zip(("least", "median", "p95", "most"), picked, strict=True)
    return {"number": len(ordered)} | {name: round(value, 2) for name, value in named}
