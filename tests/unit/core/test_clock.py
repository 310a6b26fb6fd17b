"""The machine's clock, and the fake one that stands in for it."""

import asyncio
import time

from portico.core.clock import HOUR_MS, SystemClock
from portico.testing import START, FakeClock, let_run


async def test_system_clock_tells_utc_milliseconds():
    clock = SystemClock()
    assert abs(clock.now() - time.time() * 1000) < 1_000
    before = clock.monotonic()
    await clock.sleep(0)
    assert clock.monotonic() >= before


async def test_fake_clock_stands_still():
    clock = FakeClock()
    assert (clock.now(), clock.now()) == (START, START)


async def test_advance_moves_both_clocks():
    clock = FakeClock()
    before_s = clock.monotonic()
    await clock.advance(2.5)
    assert (clock.now() - START, clock.monotonic() - before_s) == (2_500, 2.5)


async def test_jump_moves_the_wall_clock_only():
    clock = FakeClock()
    before_s = clock.monotonic()
    clock.jump(-HOUR_MS)
    assert (clock.now(), clock.monotonic()) == (START - HOUR_MS, before_s)


async def test_sleepers_wake_in_order_each_at_its_moment():
    clock = FakeClock()
    woken: list[tuple[str, int]] = []

    async def sleep(name, delay_s):
        await clock.sleep(delay_s)
        woken.append((name, clock.now() - START))

    sleepers = [asyncio.create_task(sleep(*each)) for each in (("b", 2.0), ("a", 1.0), ("c", 9.0))]
    await clock.advance(5.0)
    assert woken == [("a", 1_000), ("b", 2_000)]
    assert clock.sleepers == 1
    await clock.advance(5.0)
    await asyncio.gather(*sleepers)


async def test_sleeper_that_sleeps_again_wakes_within_the_same_advance():
    clock = FakeClock()
    times = 0

    async def tick():
        nonlocal times
        while True:
            await clock.sleep(1.0)
            times += 1

    ticking = asyncio.create_task(tick())
    await clock.advance(10.0)
    ticking.cancel()
    assert times == 10


async def test_cancelled_sleeper_is_forgotten():
    clock = FakeClock()
    sleeper = asyncio.create_task(clock.sleep(1.0))
    await let_run()
    sleeper.cancel()
    await let_run()
    await clock.advance(2.0)
    assert clock.sleepers == 0


async def test_sleep_of_nothing_only_yields():
    await FakeClock().sleep(0)
