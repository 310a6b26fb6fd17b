"""Two servers share xPilot's thirty a minute, and neither stops when the shared store does."""

import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import pytest

from tests.e2e.running import Server, make_account, running, until

pytestmark = pytest.mark.e2e

PATH, BODY = "/api/v1/text/generate", {"model": "gpt-4o", "prompt": "hello"}
THIRTY = 30


@pytest.fixture
def servers(tmp_path, valkey) -> Iterator[tuple[Server, Server]]:
    """Two processes with a database each, in which the same key stands, and one Valkey."""
    data = tmp_path / "one"
    data.mkdir()
    key = make_account(data)
    shutil.copytree(data, tmp_path / "two")
    with (
        running(data, key, PORTICO_LIMITS_URL=valkey.url) as one,
        running(tmp_path / "two", key, PORTICO_LIMITS_URL=valkey.url) as two,
    ):
        yield one, two


def statuses(*servers: Server, times: int) -> Counter[int]:
    """Ask so often, from many threads, each server in its turn."""
    turns = [server for server, _ in zip(cycle(servers), range(times), strict=False)]
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda server: server.post(PATH, json=BODY), turns))
    told = [each for each in answers if each.status_code == 429]
    assert all(1 <= int(each.headers["retry-after"]) <= 60 for each in told)
    assert {each.json()["error"]["code"] for each in told} <= {"RATE_LIMITED"}
    return Counter(each.status_code for each in answers)


def counted_alone(server: Server) -> float:
    lines = server.get("/metrics").text.splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith("portico_rates_local_t"))


def test_two_servers_let_thirty_pass_and_go_on_alone(valkey, servers):
    assert statuses(*servers, times=80) == {200: THIRTY, 429: 50}
    assert [counted_alone(each) for each in servers] == [0, 0]

    valkey.stop()
    for each in servers:  # each allows the whole limit: what was shared is out of sight
        assert statuses(each, times=40) == {200: THIRTY, 429: 10}
        assert counted_alone(each) == 40
        assert each.get("/readyz").status_code == 200

    valkey.start()  # it has counted nothing
    for each in servers:
        assert back(each)
    assert statuses(*servers, times=80) == {200: THIRTY, 429: 50}


def back(server: Server) -> bool:
    return any("rates_store_back" in server.log.read_text() for _ in until(10))
