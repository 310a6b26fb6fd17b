"""States of a task: four of them are final."""

from portico.core.views import FINAL_STATES, TaskState


def test_four_states_are_final():
    assert {state.value for state in FINAL_STATES} == {
        "succeeded",
        "failed",
        "cancelled",
        "expired",
    }
    assert len(TaskState) == 8
