"""Credits are held, spent and given back once each, exactly, whatever is repeated."""

import pytest

from portico import ledger
from portico.core.errors import ErrorCode, PorticoError
from portico.core.money import CREDITS_MAX
from portico.ledger import Balance
from portico.testing import START, add_account
from tests.raw_sql import REFUSED

ACCOUNT = "acc_a"


@pytest.fixture
async def funded(store):
    """A store with one account that has 1,000 microcredits."""
    await store.write(lambda tx: add_account(tx, ACCOUNT, amount=1_000))
    return store


def hold(tx, amount=300, task_id=1, account_id=ACCOUNT):
    return ledger.hold(tx, account_id, amount=amount, task_id=task_id, at=START)


def capture(tx, amount=300, task_id=1):
    return ledger.capture(tx, task_id, amount=amount, at=START)


def release(tx, task_id=1):
    ledger.release(tx, task_id, at=START)


def top_up(tx, amount, account_id=ACCOUNT):
    return ledger.top_up(tx, account_id, amount=amount, reason="r", at=START)


def adjust(tx, amount, account_id=ACCOUNT):
    return ledger.adjust(tx, account_id, amount=amount, reason="r", at=START)


def in_all(tx, account_id=ACCOUNT):
    return ledger.balance(tx, account_id)


def kinds(tx):
    return [entry.kind.value for entry in ledger.entries_of(tx, ACCOUNT)]


async def sound(store):
    return await store.read(ledger.verify) == []


# --- hold ------------------------------------------------------------------------------------


async def test_hold_sets_credits_aside_and_says_what_is_left(funded):
    assert await funded.write(hold) == 700
    assert await funded.read(in_all) == Balance(available=700, held=300)
    assert await sound(funded)


async def test_second_hold_for_same_task_returns_first(funded):
    await funded.write(hold)
    assert await funded.write(lambda tx: hold(tx, amount=999)) == 700
    assert await funded.read(in_all) == Balance(700, 300)
    assert await sound(funded)


async def test_hold_of_everything_leaves_nothing(funded):
    assert await funded.write(lambda tx: hold(tx, amount=1_000)) == 0


async def test_hold_of_nothing_is_possible(funded):
    assert await funded.write(lambda tx: hold(tx, amount=0)) == 1_000
    assert await funded.write(lambda tx: capture(tx, amount=0)) == 0
    assert await sound(funded)


async def test_hold_beyond_the_balance_is_refused_and_changes_nothing(funded):
    with pytest.raises(PorticoError) as caught:
        await funded.write(lambda tx: hold(tx, amount=1_001))
    assert caught.value.code is ErrorCode.INSUFFICIENT_CREDITS
    assert await funded.read(in_all) == Balance(1_000, 0)
    assert await funded.read(kinds) == ["top_up"]


async def test_refused_hold_writes_nothing_even_before_it_is_undone(funded):
    def work(tx):
        with pytest.raises(PorticoError):
            hold(tx, amount=1_001)

    await funded.write(work)
    assert await sound(funded)
    assert await funded.write(hold) == 700  # the task's id is still free


async def test_account_without_balance_can_hold_nothing(store):
    with pytest.raises(PorticoError) as caught:
        await store.write(lambda tx: hold(tx, account_id="acc_unknown"))
    assert caught.value.code is ErrorCode.INSUFFICIENT_CREDITS


async def test_negative_hold_is_refused_by_the_database(funded):
    with pytest.raises(REFUSED):
        await funded.write(lambda tx: hold(tx, amount=-5))
    assert await funded.read(in_all) == Balance(1_000, 0)


async def test_accounts_do_not_touch_each_other(funded):
    await funded.write(lambda tx: add_account(tx, "acc_b", amount=50))
    await funded.write(hold)
    assert await funded.read(lambda tx: in_all(tx, "acc_b")) == Balance(50, 0)


# --- capture and release ---------------------------------------------------------------------


async def test_capture_spends_the_hold(funded):
    await funded.write(hold)
    assert await funded.write(capture) == 300
    assert await funded.read(in_all) == Balance(700, 0)
    assert await sound(funded)


async def test_capture_of_a_part_gives_the_rest_back(funded):
    await funded.write(hold)
    assert await funded.write(lambda tx: capture(tx, amount=120)) == 120
    assert await funded.read(in_all) == Balance(880, 0)
    assert await sound(funded)


@pytest.mark.parametrize(("asked", "spent"), [(301, 300), (10**15, 300), (-1, 0), (0, 0)])
async def test_capture_never_leaves_zero_to_hold(funded, asked, spent):
    await funded.write(hold)
    assert await funded.write(lambda tx: capture(tx, amount=asked)) == spent
    assert await funded.read(in_all) == Balance(1_000 - spent, 0)
    assert await sound(funded)


async def test_release_gives_all_back(funded):
    await funded.write(hold)
    await funded.write(release)
    assert await funded.read(in_all) == Balance(1_000, 0)
    assert await sound(funded)


@pytest.mark.parametrize("first", [capture, release])
@pytest.mark.parametrize("second", [capture, release])
async def test_closed_hold_stays_as_it_is(funded, first, second):
    await funded.write(hold)
    await funded.write(first)
    before = await funded.read(in_all)
    assert not await funded.write(second)
    assert await funded.read(in_all) == before
    assert len(await funded.read(kinds)) == 3
    assert await sound(funded)


async def test_hold_after_the_end_changes_nothing(funded):
    await funded.write(hold)
    await funded.write(capture)
    assert await funded.write(hold) == 700
    assert await funded.read(in_all) == Balance(700, 0)


@pytest.mark.parametrize("end", [capture, release])
async def test_ending_a_task_without_hold_does_nothing(funded, end):
    await funded.write(end)
    assert await funded.read(in_all) == Balance(1_000, 0)
    assert await funded.read(kinds) == ["top_up"]


# --- top-up and adjustment -------------------------------------------------------------------


async def test_every_top_up_adds(funded):
    assert await funded.write(lambda tx: top_up(tx, 5)) == Balance(1_005, 0)
    assert await funded.write(lambda tx: top_up(tx, 5)) == Balance(1_010, 0)
    assert await sound(funded)


@pytest.mark.parametrize("amount", [0, -1, CREDITS_MAX, CREDITS_MAX - 999])
async def test_unusable_top_up_is_refused(funded, amount):
    with pytest.raises(PorticoError) as caught:
        await funded.write(lambda tx: top_up(tx, amount))
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert await funded.read(in_all) == Balance(1_000, 0)


async def test_held_credits_count_towards_the_largest_total(funded):
    await funded.write(hold)
    with pytest.raises(PorticoError):
        await funded.write(lambda tx: top_up(tx, CREDITS_MAX - 999))
    await funded.write(lambda tx: top_up(tx, CREDITS_MAX - 1_000))
    assert await sound(funded)


async def test_adjustment_goes_both_ways(funded):
    assert await funded.write(lambda tx: adjust(tx, -400)) == Balance(600, 0)
    assert await funded.write(lambda tx: adjust(tx, 1)) == Balance(601, 0)
    assert await sound(funded)


@pytest.mark.parametrize(
    ("amount", "code"),
    [(-1_001, ErrorCode.INSUFFICIENT_CREDITS), (CREDITS_MAX, ErrorCode.INVALID_REQUEST)],
)
async def test_adjustment_beyond_the_bounds_is_refused(funded, amount, code):
    with pytest.raises(PorticoError) as caught:
        await funded.write(lambda tx: adjust(tx, amount))
    assert caught.value.code is code
    assert await funded.read(in_all) == Balance(1_000, 0)


async def test_adjustment_cannot_take_what_is_held(funded):
    await funded.write(hold)
    with pytest.raises(PorticoError):
        await funded.write(lambda tx: adjust(tx, -701))


@pytest.mark.parametrize("give", [top_up, adjust])
async def test_credits_for_an_account_without_balance_are_refused(funded, give):
    with pytest.raises(PorticoError) as caught:
        await funded.write(lambda tx: give(tx, 5, "acc_unknown"))
    assert caught.value.code is ErrorCode.INTERNAL
    assert await sound(funded)


async def test_unknown_account_has_nothing(store):
    assert await store.read(lambda tx: in_all(tx, "acc_unknown")) == Balance(0, 0)


# --- the statement ---------------------------------------------------------------------------


async def test_entries_come_newest_first_page_by_page(funded):
    await funded.write(hold)
    await funded.write(lambda tx: capture(tx, amount=100))
    first = await funded.read(lambda tx: ledger.entries_of(tx, ACCOUNT, limit=2))
    rest = await funded.read(
        lambda tx: ledger.entries_of(tx, ACCOUNT, limit=2, before_id=first[-1].id)
    )
    assert [entry.kind.value for entry in first + rest] == ["capture", "hold", "top_up"]
    capture_entry = first[0]
    assert capture_entry.task_id == 1
    assert (
        capture_entry.available_delta,
        capture_entry.held_delta,
        capture_entry.house_delta,
    ) == (200, -300, 100)


async def test_every_entry_sums_to_zero(funded):
    await funded.write(hold)
    await funded.write(capture)
    await funded.write(lambda tx: adjust(tx, -5))
    entries = await funded.read(lambda tx: ledger.entries_of(tx, ACCOUNT))
    assert len(entries) == 4
    assert {each.available_delta + each.held_delta + each.house_delta for each in entries} == {0}
