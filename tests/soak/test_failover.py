"""One of two upstreams is killed again and again under load, for some minutes.

`PORTICO_TEST_FAILOVERS` says how often (12). Jobs that a dead one forgot are asked for as long as
in earnest, about a minute. Figures and a plot are left in `build/soak`.
"""

import json
import os
import random
import time
from pathlib import Path

import pytest

from tests.e2e.running import verify
from tests.e2e.two_upstreams import NAMES, two_upstreams
from tests.soak.plot import timeline

pytestmark = pytest.mark.soak
ROUNDS = int(os.environ.get("PORTICO_TEST_FAILOVERS", "12"))
PER_SECOND = 8.0
WELL_S = (4.0, 20.0)  # between two kills
AWAY_S = (1.0, 20.0)
FOLDER = Path(__file__).parents[2] / "build" / "soak"


def test_upstreams_killed_in_turn_lose_no_task_and_charge_none_twice(tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    marks: dict[str, float] = {}
    with two_upstreams(data, per_second=PER_SECOND) as house:
        with house.customers.asking():
            began = time.time()
            for number in range(ROUNDS):
                name = random.choice(NAMES)  # noqa: S311
                time.sleep(random.uniform(*WELL_S))  # noqa: S311
                house.upstreams[name].kill()
                marks[f"{number + 1} {name}"] = time.time() - began
                time.sleep(random.uniform(*AWAY_S))  # noqa: S311
                house.upstreams[name].start()
                print(f"{name} killed and back, {len(house.customers.accepted)} tasks", flush=True)
            time.sleep(WELL_S[1])
        house.all_end(within_s=180)
        counted = house.check_books()
        starts = house.starts()
    FOLDER.mkdir(parents=True, exist_ok=True)
    shown = {name: [at - began for at in all_] for name, all_ in starts.items()}
    title = "starts a second at two upstreams, killed in turn"
    (FOLDER / "failover.svg").write_text(timeline(title, shown, marks=marks))
    (FOLDER / "failover.json").write_text(json.dumps(counted, indent=1) + "\n")
    print(json.dumps(counted), flush=True)
    assert verify(data) == []
    assert house.customers.refused == []
