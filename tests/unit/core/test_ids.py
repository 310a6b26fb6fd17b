"""Task ids rise whatever the clock does; what clients write is read back or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.core.clock import HOUR_MS
from portico.core.ids import TASK_ID_MAX, IdSource, lowest_task_id, parse_task_id
from portico.testing import FakeClock, seeded_ids


def test_ids_of_one_millisecond_are_unique_and_rise():
    ids = seeded_ids(FakeClock())
    made = [ids.task_id() for _ in range(5_000)]
    assert made == sorted(set(made))


def test_id_made_later_is_larger():
    clock = FakeClock()
    ids = seeded_ids(clock)
    first = ids.task_id()
    clock.jump(1)
    assert ids.task_id() > first


def test_ids_rise_when_the_wall_clock_steps_back():
    clock = FakeClock()
    ids = seeded_ids(clock)
    before = ids.task_id()
    clock.jump(-HOUR_MS)
    assert before < ids.task_id() < ids.task_id()


def test_ids_follow_the_clock_again_after_it_caught_up():
    clock = FakeClock()
    ids = seeded_ids(clock)
    ids.task_id()
    clock.jump(-HOUR_MS)
    ids.task_id()
    clock.jump(2 * HOUR_MS)
    assert ids.task_id() > seeded_ids(clock, seed=2).task_id() - (1 << 22)


def test_clock_before_our_epoch_still_gives_positive_ids():
    ids = seeded_ids(FakeClock(now=0))
    assert 0 < ids.task_id() < ids.task_id()


def test_seeded_ids_repeat():
    assert seeded_ids(FakeClock()).task_id() == seeded_ids(FakeClock()).task_id()
    assert seeded_ids(FakeClock()).task_id() != seeded_ids(FakeClock(), seed=2).task_id()


def test_opaque_ids_carry_their_prefix_and_125_bits():
    ids = IdSource(FakeClock())
    made = {ids.opaque_id("ast") for _ in range(1_000)}
    assert len(made) == 1_000
    assert all(each.startswith("ast_") and len(each) == 4 + 25 for each in made)
    assert all(each[4:].isalnum() and each.islower() for each in made)


@given(st.integers(1, TASK_ID_MAX))
def test_written_ids_read_back(task_id):
    assert parse_task_id(str(task_id)) == task_id
    assert parse_task_id(f"task_{task_id}") == task_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "task_",
        "task_task_1",
        "1.0",
        " 1",
        "0x10",
        "¹²",
        "１２",
        str(TASK_ID_MAX + 1),
        "9" * 5_000,
    ],
)
def test_what_cannot_be_an_id_is_none(text):
    assert parse_task_id(text) is None


def test_lowest_id_of_an_instant_parts_earlier_tasks_from_later_ones():
    clock = FakeClock()
    ids = IdSource(clock)
    before = ids.task_id()
    clock.jump(1)
    lowest = lowest_task_id(clock.now())
    assert before < lowest <= ids.task_id()
    assert lowest_task_id(0) == 0
