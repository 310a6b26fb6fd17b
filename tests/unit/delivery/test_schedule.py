"""When a failed delivery is tried again: W4 to the second, jitter and Retry-After included."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.delivery import RETRY_AFTER_S, next_attempt_at
from portico.testing import START

DAY_S = 24 * 3600


def no_jitter(_):
    return 0


def most_jitter(_):
    return 999  # of 1,000 steps


def next_s(attempts, *, asked=None, bits=no_jitter):
    at = next_attempt_at(attempts, now=START, asked_wait_s=asked, random_bits=bits)
    return None if at is None else (at - START) / 1000


def test_ten_attempts_over_75_hours_35_minutes():
    assert RETRY_AFTER_S == (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
    assert sum(RETRY_AFTER_S) == 75 * 3600 + 35 * 60 + 5


@pytest.mark.parametrize(("attempts", "wait_s"), list(enumerate(RETRY_AFTER_S, 1)))
def test_each_failure_waits_for_its_place_in_the_schedule(attempts, wait_s):
    assert next_s(attempts) == wait_s


@pytest.mark.parametrize("attempts", [10, 11, 100])
def test_after_the_tenth_failure_there_is_no_next(attempts):
    assert next_s(attempts) is None
    assert next_s(attempts, asked=60) is None


@given(attempts=st.integers(1, 9), bits=st.integers(0, 2**16 - 1))
def test_jitter_adds_up_to_a_tenth(attempts, bits):
    wait_s = RETRY_AFTER_S[attempts - 1]
    assert wait_s <= next_s(attempts, bits=lambda _: bits) < wait_s * 1.1


def test_jitter_reaches_nearly_a_tenth():
    assert next_s(9, bits=most_jitter) > 86_400 * 1.099


@pytest.mark.parametrize(
    ("asked_s", "wait_s"),
    [
        (60, 60),  # longer than our own 5 s
        (2, 5),  # shorter than our own
        (0, 5),
        (-10, 5),
        (DAY_S, DAY_S),
        (10 * DAY_S, DAY_S),  # at most a day
    ],
)
def test_retry_after_is_obeyed_within_bounds(asked_s, wait_s):
    assert next_s(1, asked=asked_s) == wait_s
