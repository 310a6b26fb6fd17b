"""The closed set of errors and who has to act on each."""

import pytest

from portico.core.errors import FAULTS, ErrorCode, Fault, PorticoError


def test_every_code_has_somebody_who_acts_on_it():
    assert set(FAULTS) == set(ErrorCode)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (ErrorCode.INVALID_REQUEST, Fault.CLIENT),
        (ErrorCode.INSUFFICIENT_CREDITS, Fault.CLIENT),
        (ErrorCode.NO_ROUTE, Fault.OPERATOR),  # the catalogue names no wired provider
        (ErrorCode.UPSTREAM_TIMEOUT, Fault.UPSTREAM),
        (ErrorCode.OVERLOADED, Fault.PORTICO),
    ],
)
def test_error_says_who_acts(code, fault):
    assert PorticoError(code, "message").fault is fault


def test_facts_stay_out_of_the_message():
    error = PorticoError(ErrorCode.INTERNAL, "Internal error", task_id=7)
    assert str(error) == "Internal error"
    assert error.facts == {"task_id": 7}
