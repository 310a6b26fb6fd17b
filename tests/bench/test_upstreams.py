"""Choosing a route: what it costs beside reading the job it is chosen for."""

import time
from collections.abc import Callable

import msgspec
import pytest

from portico.core.jobs import Kind, MediaJob, Mode, RouteClass
from portico.core.upstreams import Trouble
from portico.routes import Offer, RouteState, choose, key_of
from portico.testing import START, seeded_bits

pytestmark = pytest.mark.bench
ROUTES = 20
CHOICE_MAX_US = 20.0
RATIO_MAX = 40.0  # choices against readings of a job, measured one after the other
JOB = MediaJob(
    offering="portico:m",
    model="m",
    kind=Kind.VIDEO,
    mode=Mode.TEXT,
    prompt="a lake " * 20,
    params={"duration": 5, "ratio": "16:9", "resolution": "720p", "audio": True},
)


def best_us(work: Callable[[], object], *, times: int = 5_000, rounds: int = 7) -> float:
    """Return the microseconds of one call in the best of some rounds."""
    best_s = float("inf")
    for _ in range(rounds):
        began_at = time.perf_counter()
        for _ in range(times):
            work()
        best_s = min(best_s, time.perf_counter() - began_at)
    return best_s / times * 1e6


@pytest.mark.parametrize("wanted", [RouteClass.AUTO, RouteClass.VALUE])
@pytest.mark.parametrize("paused", [0, 5])
def test_choice_among_twenty_routes(wanted: RouteClass, paused: int) -> None:
    offers = tuple(
        Offer(
            key=key_of(f"c{number}", "m"),
            whole=key_of(f"c{number}"),
            provider="p",
            weight=number % 3 + 1,
            cost=number + 1,
        )
        for number in range(ROUTES)
    )
    state, bits = RouteState(), seeded_bits()
    for number, offer in enumerate(offers):
        state.health.succeeded(offer.key, 10.0 + number)
        if number < paused:
            state.breakers.failed(offer.key, Trouble.MODEL, retry_after_s=None, now=START)
    encoded = msgspec.json.encode(JOB)
    decoder = msgspec.json.Decoder(MediaJob)

    choice = best_us(lambda: choose(offers, state, wanted, now=START, random_bits=bits))
    reading = best_us(lambda: decoder.decode(encoded))

    print(
        f"\nroute choice, {wanted}, {paused} of {ROUTES} paused: {choice:.1f} µs "
        f"(at most {CHOICE_MAX_US:.0f}), {choice / reading:.1f} times reading a job"
    )
    assert choice <= CHOICE_MAX_US
    assert choice / reading <= RATIO_MAX
