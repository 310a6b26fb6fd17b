"""A9: limits kept in a shared store are exact over all processes, and harmless when it is away."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable

import pytest
import structlog
from prometheus_client import REGISTRY

from portico.core.errors import ErrorCode, PorticoError
from portico.rates import Bucket, RateLimiter, open_rates
from portico.rates.shared import ANSWER_WITHIN_S, SharedRateLimiter

EXACT, WEIGHTED = Bucket("submit", 30), Bucket("read", 900)
KNOCK_EVERY_S = 0.02
AT_ONCE = 700
PROCESSES = 3
# what another process does: so many hits at once, then it says how many passed
PROCESS = """
import asyncio, sys
from portico.core.errors import PorticoError
from portico.rates import Bucket, open_rates

async def main(url, name, per_minute, times):
    limiter = open_rates(url)
    print("ready", flush=True)
    sys.stdin.readline()
    bucket = Bucket(name, int(per_minute))
    hits = (limiter.hit(bucket, "key_a") for _ in range(int(times)))
    outcomes = await asyncio.gather(*hits, return_exceptions=True)
    print(sum(each is None for each in outcomes))
    await limiter.close()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def opened() -> AsyncIterator[Callable[[str], SharedRateLimiter]]:
    """Open limiters that knock often, and close them in the end."""
    all_opened: list[SharedRateLimiter] = []

    def open_one(url: str) -> SharedRateLimiter:
        all_opened.append(SharedRateLimiter(url, knock_every_s=KNOCK_EVERY_S))
        return all_opened[-1]

    yield open_one
    for each in all_opened:
        await each.close()


@pytest.fixture
async def limiter(valkey, opened) -> SharedRateLimiter:
    return opened(valkey.url)


@pytest.fixture
def nobody() -> str:
    """The URL of a port where nobody listens."""
    return "valkey://127.0.0.1:9"


async def passed(limiter, bucket, times, key="key_a") -> int:
    hits = (limiter.hit(bucket, key) for _ in range(times))
    outcomes = await asyncio.gather(*hits, return_exceptions=True)
    for error in filter(None, outcomes):
        assert isinstance(error, PorticoError), error
        assert error.code is ErrorCode.RATE_LIMITED
    return sum(each is None for each in outcomes)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - another process has no event for us
            await asyncio.sleep(0.005)


def counted_alone() -> float:
    return REGISTRY.get_sample_value("portico_rates_local_total") or 0.0


@pytest.mark.parametrize("limit", [1, 30, 600, 601])
async def test_exactly_as_many_pass_as_are_allowed(limiter, limit):
    assert await passed(limiter, Bucket("submit", limit), AT_ONCE) == limit


@pytest.mark.parametrize("bucket", [EXACT, WEIGHTED], ids=["exact", "weighted"])
def test_all_processes_together_let_as_many_pass_as_are_allowed(valkey, bucket):
    command = [sys.executable, "-c", PROCESS, valkey.url, bucket.name, str(bucket.per_minute)]
    started = [
        subprocess.Popen(
            [*command, str(AT_ONCE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(PROCESSES)
    ]
    for each in started:
        assert each.stdout is not None
        each.stdout.readline()
    for each in started:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    counts = [int(each.communicate(timeout=30)[0]) for each in started]
    assert sum(counts) == bucket.per_minute


async def test_keys_and_buckets_count_apart(limiter):
    submit, read = Bucket("submit", 5), Bucket("read", 5)
    assert await passed(limiter, submit, 9) == 5
    assert await passed(limiter, read, 9) == 5
    assert await passed(limiter, submit, 9, key="key_b") == 5


async def test_whoever_waits_as_told_gets_in(limiter, monkeypatch):
    now = [float(int(time.time()))]  # the store tells times to a ten-thousandth only
    monkeypatch.setattr(time, "time", lambda: now[0])
    bucket = Bucket("submit", 2)
    await limiter.hit(bucket, "key_a")
    now[0] += 20
    await limiter.hit(bucket, "key_a")
    with pytest.raises(PorticoError) as caught:
        await limiter.hit(bucket, "key_a")
    assert caught.value.retry_after_s == 40  # until the first is a minute old
    now[0] += 40.001
    await limiter.hit(bucket, "key_a")


async def test_refusal_of_a_large_limit_says_how_long_to_wait(limiter):
    await passed(limiter, WEIGHTED, WEIGHTED.per_minute)
    with pytest.raises(PorticoError) as caught:
        await limiter.hit(WEIGHTED, "key_a")
    assert 1 <= (caught.value.retry_after_s or 0) <= 60


async def test_store_that_is_away_at_the_start_is_no_error(opened, nobody):
    limiter, before = opened(nobody), counted_alone()
    assert await passed(limiter, EXACT, 50) == 30
    assert counted_alone() == before + 50


async def test_store_that_says_nothing_holds_nobody_up(valkey, limiter):
    await limiter.hit(EXACT, "key_a")
    with valkey.held():
        began = time.monotonic()
        assert await passed(limiter, EXACT, 100) == 30
        assert time.monotonic() - began < ANSWER_WITHIN_S + 0.5  # all of them together
        began = time.monotonic()
        for _ in range(100):  # one after the other: none of them asks the store
            await limiter.hit(WEIGHTED, "key_a")
        assert time.monotonic() - began < 0.2


async def test_store_that_stutters_is_not_given_up(valkey, limiter):
    with valkey.held():
        counting = asyncio.create_task(passed(limiter, EXACT, 100))
        await asyncio.sleep(ANSWER_WITHIN_S / 4)
    assert await counting == 30
    assert limiter._knocking is None


async def test_store_that_comes_back_counts_again_by_itself(valkey, limiter, opened):
    neighbour = opened(valkey.url)
    valkey.stop()
    assert await passed(limiter, EXACT, 40) == 30  # alone
    valkey.start()
    await until(lambda: limiter._knocking is None)
    assert await passed(limiter, EXACT, 40) == 30  # what was counted alone stays behind
    assert await passed(neighbour, EXACT, 40) == 0


async def test_each_change_is_told_once(valkey, limiter):
    with structlog.testing.capture_logs() as lines:
        valkey.stop()
        await passed(limiter, EXACT, 40)
        await passed(limiter, WEIGHTED, 40)
        valkey.start()
        await until(lambda: limiter._knocking is None)
        await passed(limiter, EXACT, 40)
    told = [each["event"] for each in lines if each["log_level"] != "debug"]
    assert told == ["rates_store_lost", "rates_store_back"]


async def test_store_that_answers_but_cannot_count_stays_open(valkey, opened):
    """A wrong password, a replica that takes no writes: knocking has to find out."""
    limiter = opened(valkey.url.replace("://", "://nobody:wrong@"))
    with structlog.testing.capture_logs() as lines:
        assert await passed(limiter, EXACT, 40) == 30
        await until(lambda: sum(each["event"] == "rates_store_away" for each in lines) > 2)
    assert "rates_store_back" not in {each["event"] for each in lines}
    assert "wrong" not in str(lines)


async def test_burst_waits_its_turn_on_few_connections(valkey, limiter):
    await passed(limiter, WEIGHTED, AT_ONCE)
    assert len(limiter._pool._available_connections) <= 32
    assert limiter._knocking is None


@pytest.mark.parametrize(
    "url",
    [
        "memcached://user:hush@127.0.0.1", "127.0.0.1:6379", "valkey://", "redis+unix:///hush",
        "valkey://user:hush@127.0.0.1:port", "valkey://:hush@127.0.0.1?db=one",
    ],
)  # fmt: skip
def test_unusable_url_is_refused_without_being_repeated(url):
    with pytest.raises(ValueError, match="PORTICO_LIMITS_URL") as caught:
        open_rates(url)
    assert "hush" not in str(caught.value)


async def test_redis_is_as_good_as_valkey(valkey, opened):
    limiter = opened(valkey.url.replace("valkey", "redis"))
    assert await passed(limiter, EXACT, 40) == 30
    assert limiter._knocking is None


async def test_memory_needs_no_client_library():
    script = (
        "import sys; from portico.rates import open_rates; open_rates('');"
        "print('portico.rates' in sys.modules, 'valkey' in sys.modules)"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "False"]
    assert isinstance(open_rates(""), RateLimiter)
    assert RateLimiter().hit(EXACT, "key_a") is None  # type: ignore[func-returns-value]
