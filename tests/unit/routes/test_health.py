"""Moving averages of success and waiting, in bounded memory."""

import pytest

from portico.routes import Health, Standing, key_of

KEY = key_of("a", "m")


def test_route_nobody_tried_is_taken_for_a_good_one():
    assert Health().standing(KEY) == Standing(success=1.0, latency_s=None)


def test_averages_follow_what_happens_lately():
    health = Health()
    health.succeeded(KEY, 10.0)
    assert health.standing(KEY) == Standing(1.0, 10.0)

    for _ in range(20):
        health.failed(KEY)
    assert health.standing(KEY).success < 0.02
    for _ in range(20):
        health.succeeded(KEY, 20.0)
    assert health.standing(KEY).success > 0.98
    assert health.standing(KEY).latency_s == pytest.approx(20, abs=0.2)


def test_clock_that_went_back_makes_nobody_fast():
    health = Health()
    health.succeeded(KEY, -60.0)
    assert health.standing(KEY).latency_s == 0.0


def test_memory_is_bounded_and_forgets_who_was_not_heard_of_for_longest():
    health = Health(routes_max=2)
    for name in ("a", "b", "a", "c"):
        health.failed(key_of(name, "m"))

    assert health.standing(key_of("b", "m")).success == 1.0
    assert health.standing(KEY).success < 1.0


def test_route_that_is_back_is_taken_for_a_good_one_that_waits_as_long_as_before():
    health, other = Health(), key_of("a", "n")
    for key in (KEY, other):
        health.succeeded(key, 10.0)
        health.failed(key)

    health.renew(KEY)
    assert health.standing(KEY) == Standing(1.0, 10.0)
    assert health.standing(other).success < 1.0

    health.failed(KEY)
    health.renew(key_of("a"))
    assert health.standing(KEY) == health.standing(other) == Standing(1.0, 10.0)
