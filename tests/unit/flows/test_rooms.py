"""Who waits for room at a credential, and who is called when there is some."""

from portico.flows.rooms import LOOK_AGAIN_MAX_S, LOOK_AGAIN_S, Rooms


def test_who_waits_for_longest_is_called_when_a_room_is_left():
    rooms = Rooms()
    rooms.enter(1, "a")
    assert [rooms.wait(each, "a") for each in (2, 3, 2)] == [LOOK_AGAIN_S] * 3
    rooms.wait(4, "b")

    assert rooms.leave(1) == 2
    rooms.enter(2, "a")
    assert rooms.leave(2) == 3


def test_who_has_no_room_here_calls_nobody():
    rooms = Rooms()
    rooms.wait(2, "a")
    assert rooms.leave(1) is None


def test_who_leaves_a_queue_is_not_called():
    rooms = Rooms()
    rooms.enter(1, "a")
    rooms.wait(2, "a")
    rooms.wait(3, "a")

    assert rooms.leave(2) is None
    assert rooms.leave(1) == 3


def test_the_more_wait_the_less_often_each_looks():
    rooms = Rooms()
    waits = [rooms.wait(each, "a") for each in range(2_000)]
    assert (waits[0], waits[-1]) == (LOOK_AGAIN_S, LOOK_AGAIN_MAX_S)
    assert waits == sorted(waits)
