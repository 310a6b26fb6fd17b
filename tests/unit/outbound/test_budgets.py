"""S8: pace and turns."""

import asyncio

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.outbound.budgets import OutboundLimits, Pace, Turns


def pace() -> Pace:
    return Pace(bytes_min=100, window_s=10, started_at=0)


def test_first_window_ends_ten_seconds_after_the_start():
    assert pace().deadline_s == 10


def test_too_few_bytes_do_not_move_the_deadline():
    body = pace()
    for second in range(9):
        body.arrived(second, 11)
    assert body.deadline_s == 10


def test_deadline_follows_the_last_hundred_bytes():
    body = pace()
    body.arrived(1, 100)
    assert body.deadline_s == 11
    body.arrived(5, 99)
    assert body.deadline_s == 11
    body.arrived(6, 1)
    assert body.deadline_s == 15


def test_burst_long_ago_does_not_buy_time():
    body = pace()
    body.arrived(1, 1_000_000)
    body.arrived(9, 50)
    assert body.deadline_s == 11


def test_defaults_are_those_of_the_threat_model():
    limits = OutboundLimits()
    assert (limits.resolve_s, limits.connect_s, limits.first_byte_s, limits.whole_s) == (
        5,
        5,
        10,
        60,
    )
    assert (limits.pace_bytes, limits.header_bytes_max, limits.redirects_max) == (10240, 32768, 3)
    assert (limits.at_once_per_account, limits.at_once) == (4, 32)


async def test_fifth_fetch_of_one_account_waits_while_others_pass():
    turns = Turns(OutboundLimits(at_once_per_account=1, at_once=2, turn_s=0.05))
    async with turns.take("acc_a"):
        with pytest.raises(PorticoError) as refused:
            async with turns.take("acc_a"):
                pass
        async with turns.take("acc_b"):
            pass
    assert refused.value.code is ErrorCode.OVERLOADED


async def test_waiting_for_the_own_turn_takes_no_common_turn():
    turns = Turns(OutboundLimits(at_once_per_account=1, at_once=2, turn_s=1))

    async def wait() -> None:
        async with turns.take("acc_a"):
            pass

    async with turns.take("acc_a"):
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        async with turns.take("acc_b"):
            pass
    await waiting


async def test_turn_comes_back_after_an_error():
    turns = Turns(OutboundLimits(at_once_per_account=1, at_once=1, turn_s=0.05))
    with pytest.raises(RuntimeError):
        async with turns.take("acc_a"):
            raise RuntimeError
    async with turns.take("acc_a"):
        pass
    assert not turns._of_account
