"""One upstream of two is killed under load, and comes back: nothing is lost, its share moves."""

import time

import pytest

from tests.e2e.running import verify
from tests.e2e.two_upstreams import share_of, two_upstreams
from tests.soak.plot import timeline

pytestmark = pytest.mark.e2e

PER_SECOND = 5.0
WELL_S = 5.0  # before the kill
AWAY_S = 7.0
SHIFTS_WITHIN_S = 3.0
PAUSE_S = 10.0  # the second pause of an unreachable upstream; the first one is 5 s
LOOK_AGAIN_S = 4.0


@pytest.mark.slow
def test_killed_upstream_loses_its_share_and_gets_it_back(tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with two_upstreams(data, per_second=PER_SECOND, lost_retry_s=1.0) as house:
        with house.customers.asking():
            began = time.time()
            time.sleep(WELL_S)
            killed = time.time()
            house.upstreams["left"].kill()
            time.sleep(AWAY_S)
            house.upstreams["left"].start()
            back = time.time()
            time.sleep(PAUSE_S + LOOK_AGAIN_S)
            over = time.time()
        house.all_end(within_s=20)
        counted = house.check_books()
        starts = house.starts()
        log = house.server.log.read_text()
    drawn = timeline(
        "starts a second at two upstreams, one of them killed",
        {name: [at - began for at in all_] for name, all_ in starts.items()},
        marks={"killed": killed - began, "back": back - began},
    )
    (tmp_path / "failover.svg").write_text(drawn)

    assert verify(data) == []
    assert house.customers.refused == []
    assert counted["states"]["failed"] <= PER_SECOND * 6  # those that the dead one had taken
    assert share_of("left", starts, began, killed) > 0.1
    dead = [at for at in starts["left"] if killed + SHIFTS_WITHIN_S <= at < back]
    assert len(dead) <= 2  # the last before the pause, and the one that looks again
    returned = [at for at in starts["left"] if at >= back]
    assert returned[0] - back < PAUSE_S + LOOK_AGAIN_S
    assert share_of("left", starts, returned[0], over) > 0.1
    assert "route_paused credential=left" in log
    assert "route_back credential=left" in log
