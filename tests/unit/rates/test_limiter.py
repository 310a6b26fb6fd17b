"""Rates: exactly as many pass as are allowed, and the rest learn how long to wait."""

import time

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.rates import Bucket, RateLimiter


@pytest.fixture
def now(monkeypatch):
    """The wall clock by which the library counts, as a list of one number to be set."""
    moment = [1_800_000_007.25]
    monkeypatch.setattr(time, "time", lambda: moment[0])
    return moment


@pytest.fixture
def limiter():
    return RateLimiter()


def passed(limiter, bucket, times, key="key_a"):
    count = 0
    for _ in range(times):
        try:
            limiter.hit(bucket, key)
        except PorticoError:
            continue
        count += 1
    return count


@pytest.mark.parametrize("limit", [1, 30, 600, 601, 10_000])
def test_exactly_as_many_pass_as_are_allowed(limiter, now, limit):
    assert passed(limiter, Bucket("submit", limit), limit + 50) == limit


def test_refusal_says_how_long_to_wait(limiter, now):
    bucket = Bucket("submit", 2)
    limiter.hit(bucket, "key_a")
    now[0] += 20
    limiter.hit(bucket, "key_a")
    with pytest.raises(PorticoError) as caught:
        limiter.hit(bucket, "key_a")
    assert caught.value.code is ErrorCode.RATE_LIMITED
    assert caught.value.retry_after_s == 40  # until the first is a minute old


@pytest.mark.parametrize("limit", [3, 1_000])
def test_whoever_waits_as_told_gets_in(limiter, now, limit):
    bucket = Bucket("submit", limit)
    passed(limiter, bucket, limit)
    with pytest.raises(PorticoError) as caught:
        limiter.hit(bucket, "key_a")
    wait_s = caught.value.retry_after_s or 0.0
    assert 1 <= wait_s <= 60
    now[0] += wait_s + 0.001
    limiter.hit(bucket, "key_a")


def test_refused_requests_do_not_prolong_the_wait(limiter, now):
    bucket = Bucket("submit", 1)
    limiter.hit(bucket, "key_a")
    for _ in range(59):
        now[0] += 1
        assert passed(limiter, bucket, 1) == 0
    now[0] += 1.001
    assert passed(limiter, bucket, 1) == 1


def test_small_limit_holds_over_every_minute(limiter, now):
    bucket = Bucket("submit", 30)
    allowed = []
    for _ in range(600):  # three a second for 200 seconds
        if passed(limiter, bucket, 1):
            allowed.append(now[0])
        now[0] += 1 / 3
    for start in allowed:
        assert sum(start <= each < start + 60 for each in allowed) <= 30


def test_keys_and_buckets_count_apart(limiter, now):
    submit, read = Bucket("submit", 5), Bucket("read", 5)
    assert passed(limiter, submit, 9) == 5
    assert passed(limiter, read, 9) == 5
    assert passed(limiter, submit, 9, key="key_b") == 5


def test_buckets_of_one_limit_and_different_names_count_apart(limiter, now):
    assert passed(limiter, Bucket("key", 30), 40) == 30
    assert passed(limiter, Bucket("submit", 30), 40) == 30
