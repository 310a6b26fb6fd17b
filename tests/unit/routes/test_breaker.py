"""Breakers open, let one attempt look again, and close; whatever the order of events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.core.clock import SECOND_MS
from portico.core.upstreams import Trouble
from portico.routes import Breakers, key_of
from portico.routes.breaker import (
    FAILURES_MAX,
    FIRST_PAUSE_MS,
    PAUSE_MAX_MS,
    PROBE_MS,
    State,
)
from portico.testing import START

KEY, OTHER = key_of("a", "m"), key_of("a", "other")
ELSEWHERE = key_of("b", "m")
COUNTED = [Trouble.UNREACHED, Trouble.BUSY, Trouble.AMBIGUOUS]


def fail(breakers, key=KEY, trouble=Trouble.UNREACHED, *, now=START, retry_after_s=None):
    return breakers.failed(key, trouble, retry_after_s=retry_after_s, now=now)


def open_one(trouble=Trouble.MODEL):
    breakers = Breakers()
    pause = fail(breakers, trouble=trouble)
    assert pause is not None
    return breakers, pause.until


@pytest.mark.parametrize("trouble", COUNTED)
def test_breaker_opens_after_failures_in_a_row(trouble):
    breakers = Breakers()
    for _ in range(FAILURES_MAX - 1):
        assert fail(breakers, trouble=trouble) is None
        assert breakers.state(KEY, START) is State.CLOSED

    pause = fail(breakers, trouble=trouble)

    assert pause.until == START + FIRST_PAUSE_MS[trouble]
    assert breakers.state(KEY, START) is State.OPEN
    assert breakers.state(OTHER, START) is State.CLOSED


def test_answer_in_between_begins_the_count_anew():
    breakers = Breakers()
    for _ in range(FAILURES_MAX * 3):
        assert fail(breakers) is None
        assert breakers.answered(KEY, START) == []


@pytest.mark.parametrize("trouble", [Trouble.CREDENTIAL, Trouble.CREDIT])
def test_bad_key_and_empty_balance_pause_all_of_the_credential_at_once(trouble):
    breakers, _ = open_one(trouble)

    assert breakers.state(KEY, START) is breakers.state(OTHER, START) is State.OPEN
    assert breakers.state(ELSEWHERE, START) is State.CLOSED


def test_missing_model_pauses_that_model_at_once():
    breakers, _ = open_one(Trouble.MODEL)

    assert breakers.state(KEY, START) is State.OPEN
    assert breakers.state(OTHER, START) is State.CLOSED


@pytest.mark.parametrize("trouble", sorted(set(Trouble) - set(FIRST_PAUSE_MS)))
def test_trouble_of_a_job_pauses_nothing(trouble):
    breakers = Breakers()
    assert not any(fail(breakers, trouble=trouble) for _ in range(20))


def test_wait_an_upstream_asks_for_is_obeyed_at_once():
    breakers = Breakers()
    pause = fail(breakers, trouble=Trouble.BUSY, retry_after_s=42)

    assert pause.until == START + 42 * SECOND_MS
    longer = fail(breakers, trouble=Trouble.BUSY, retry_after_s=50)
    assert longer.until == START + 50 * SECOND_MS
    assert fail(breakers, trouble=Trouble.BUSY, retry_after_s=10) is None
    assert breakers.opens_at(KEY, START) == longer.until


def test_wait_without_end_is_cut():
    pause = fail(Breakers(), trouble=Trouble.BUSY, retry_after_s=10**9)
    assert pause.until == START + PAUSE_MAX_MS


def test_one_attempt_looks_again_when_the_pause_is_over():
    breakers, until = open_one()
    assert breakers.state(KEY, until - 1) is State.OPEN
    assert breakers.state(KEY, until) is State.HALF_OPEN

    breakers.probe(KEY, until)

    assert breakers.state(KEY, until) is State.OPEN
    assert breakers.state(KEY, until + PROBE_MS) is State.HALF_OPEN  # the first said nothing


def test_probe_that_is_taken_closes_the_breaker():
    breakers, until = open_one()
    breakers.probe(KEY, until)

    assert breakers.answered(KEY, until) == [KEY]
    assert breakers.state(KEY, until) is State.CLOSED
    assert breakers.pauses == ()


def test_each_probe_that_fails_makes_the_next_pause_longer_up_to_an_hour():
    breakers, now = open_one()
    waits = []
    for _ in range(12):
        breakers.probe(KEY, now)
        pause = fail(breakers, trouble=Trouble.MODEL, now=now)
        waits.append(pause.until - now)
        now = pause.until

    assert waits[:3] == [120_000, 240_000, 480_000]
    assert waits[-1] == PAUSE_MAX_MS


def test_failures_of_attempts_begun_before_the_pause_make_it_no_longer():
    breakers, until = open_one()

    assert fail(breakers, trouble=Trouble.MODEL) is None
    assert breakers.opens_at(KEY, START) == until


def test_late_answer_of_an_attempt_begun_before_the_pause_does_not_end_it():
    breakers, _ = open_one()
    assert breakers.answered(KEY, START) == []
    assert breakers.state(KEY, START) is State.OPEN


def test_what_all_processes_know_replaces_what_one_knew():
    breakers, _ = open_one()
    told = Breakers()
    told.learn(breakers.pauses)
    assert told.state(KEY, START) is State.OPEN

    told.learn([])
    assert told.state(KEY, START) is State.CLOSED


def test_turn_another_process_has_is_not_ours():
    breakers, until = open_one()
    breakers.lost_turn(breakers.probe(KEY, until))
    assert breakers.answered(KEY, until) == []


def test_pause_left_by_a_clock_that_was_set_back_holds_nobody_up():
    breakers, _ = open_one()
    assert breakers.state(KEY, START - 3 * PAUSE_MAX_MS) is State.HALF_OPEN


EVENTS = st.lists(
    st.one_of(
        st.tuples(
            st.just("fail"), st.sampled_from(sorted(FIRST_PAUSE_MS)), st.sampled_from([0, 30])
        ),
        st.tuples(st.just("answer"), st.none(), st.none()),
        st.tuples(st.just("probe"), st.none(), st.none()),
        st.tuples(st.just("wait"), st.integers(0, 2 * PAUSE_MAX_MS), st.none()),
    ),
    max_size=40,
)


@given(EVENTS)
def test_whatever_happens_a_route_comes_back_within_an_hour_and_probes_go_one_at_a_time(events):
    breakers, now = Breakers(), START
    for what, given_, retry_after_s in events:
        if what == "fail":
            fail(breakers, trouble=given_, now=now, retry_after_s=retry_after_s or None)
        elif what == "answer":
            breakers.answered(KEY, now)
        elif what == "probe" and breakers.state(KEY, now) is State.HALF_OPEN:
            breakers.probe(KEY, now)
            assert breakers.state(KEY, now) is State.OPEN
        elif what == "wait":
            now += given_
        assert now <= breakers.opens_at(KEY, now) <= now + PAUSE_MAX_MS
        is_open = breakers.state(KEY, now) is State.OPEN
        assert is_open is (breakers.opens_at(KEY, now) > now)
        assert breakers.state(KEY, now + PAUSE_MAX_MS) is not State.OPEN
