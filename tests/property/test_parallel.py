"""Thousands at once: exactly as many are accepted as there are credits for."""

import asyncio
import time

import pytest

from portico import ledger, tasks
from portico.core.errors import ErrorCode, PorticoError
from portico.core.money import MICRO
from portico.ledger import Balance
from portico.store import open_store
from portico.testing import add_account, admit, new_task


@pytest.fixture
async def store(database):
    opened = await open_store(database)
    yield opened
    await opened.close()


def counted(outcomes):
    accepted = [each for each in outcomes if isinstance(each, int)]
    refused = [each for each in outcomes if isinstance(each, PorticoError)]
    assert len(accepted) + len(refused) == len(outcomes)
    assert {each.code for each in refused} <= {ErrorCode.INSUFFICIENT_CREDITS}
    return len(accepted)


async def test_ten_thousand_submits_against_credit_for_a_thousand_accept_a_thousand(store):
    caller = await store.write(lambda tx: add_account(tx, amount=1_000 * MICRO))

    async def submit(task_id):
        task = new_task(task_id, caller, price=MICRO)
        return await store.write(lambda tx: admit(tx, task))

    begun = time.perf_counter()
    outcomes = await asyncio.gather(*map(submit, range(1, 10_001)), return_exceptions=True)
    took_s = time.perf_counter() - begun
    assert counted(outcomes) == 1_000
    assert await store.read(lambda tx: ledger.balance(tx, "acc_a")) == Balance(0, 1_000 * MICRO)
    assert await store.read(lambda tx: tasks.count_open(tx, "acc_a")) == 1_000
    assert await store.read(ledger.verify) == []
    assert took_s < 30  # some tenths of a second on a quiet machine


async def test_prices_that_do_not_divide_the_credit_leave_less_than_one_of_them(store):
    caller = await store.write(lambda tx: add_account(tx, amount=1_000))

    async def submit(task_id):
        task = new_task(task_id, caller, price=7 if task_id % 2 else 11)
        return await store.write(lambda tx: admit(tx, task))

    outcomes = await asyncio.gather(*map(submit, range(1, 2_001)), return_exceptions=True)
    counted(outcomes)
    balance = await store.read(lambda tx: ledger.balance(tx, "acc_a"))
    assert balance.available < 7
    assert balance.available + balance.held == 1_000
    assert await store.read(ledger.verify) == []


async def test_accounts_side_by_side_each_get_what_they_paid_for(store):
    def open_all(tx):
        return [add_account(tx, f"acc_{n}", amount=n * MICRO) for n in range(20)]

    callers = await store.write(open_all)

    async def submit(number):
        task = new_task(number + 1, callers[number % 20], price=MICRO)
        return await store.write(lambda tx: admit(tx, task))

    outcomes = await asyncio.gather(*map(submit, range(20 * 30)), return_exceptions=True)
    assert counted(outcomes) == sum(range(20))
    for number in range(20):
        accepted = await store.read(lambda tx, n=number: tasks.count_open(tx, f"acc_{n}"))
        assert accepted == number


async def test_settling_and_submitting_at_once_keeps_every_credit(store):
    caller = await store.write(lambda tx: add_account(tx, amount=100))

    async def live(task_id):
        task = new_task(task_id, caller, price=10)
        await store.write(lambda tx: admit(tx, task))
        if task_id % 3:
            return await store.write(lambda tx: ledger.capture(tx, task_id, amount=1, at=0))
        await store.write(lambda tx: ledger.release(tx, task_id, at=0))
        return 0

    outcomes = await asyncio.gather(*map(live, range(1, 301)), return_exceptions=True)
    spent = sum(each for each in outcomes if isinstance(each, int))
    balance = await store.read(lambda tx: ledger.balance(tx, "acc_a"))
    assert balance == Balance(100 - spent, 0)
    assert spent > 0
    assert await store.read(ledger.verify) == []
