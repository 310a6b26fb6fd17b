"""What operators do takes effect on the very next request, and leaves exact books."""

import asyncio

import pytest
import structlog

from portico.accounts import KeyLimits
from portico.core.errors import ErrorCode, PorticoError
from portico.core.money import MICRO
from portico.flows import administer, sweep
from portico.flows.admit import Bucket, admit
from portico.testing import START
from tests.raw_sql import raw_sql

EMAIL = "ann@example.com"


async def refusal(work):
    with pytest.raises(PorticoError) as caught:
        await work
    return caught.value.code


@pytest.fixture
async def key(house):
    await administer.create_account(house.desk, EMAIL, amount=7 * MICRO)
    return (await administer.create_key(house.desk, EMAIL, name="laptop")).key


async def test_account_begins_with_its_credits_and_no_key(house):
    account = await administer.create_account(house.desk, EMAIL, amount=7 * MICRO)
    sheet = await administer.show_account(house.desk, EMAIL)
    assert (sheet.account, sheet.balance.available, sheet.keys) == (account, 7 * MICRO, ())
    await house.assert_sound()


async def test_account_may_begin_with_nothing(house):
    await administer.create_account(house.desk, EMAIL, is_operator=True)
    sheet = await administer.show_account(house.desk, EMAIL)
    assert (sheet.account.is_operator, sheet.balance.available) == (True, 0)


@pytest.mark.parametrize("email", [EMAIL, "nobody", ""])
async def test_taken_and_malformed_addresses_are_refused_whole(house, email):
    await administer.create_account(house.desk, EMAIL)
    again = administer.create_account(house.desk, email, amount=MICRO)
    assert await refusal(again) is ErrorCode.INVALID_REQUEST
    assert (await administer.show_account(house.desk, EMAIL)).balance.available == 0


async def test_unknown_account_is_refused_everywhere(house):
    desk = house.desk
    for work in (
        administer.show_account(desk, EMAIL),
        administer.create_key(desk, EMAIL),
        administer.set_suspended(desk, EMAIL, suspended=True),
        administer.grant(desk, EMAIL, amount=1, reason="r"),
        administer.webhook_secret(desk, b"secret", EMAIL),
    ):
        assert await refusal(work) is ErrorCode.INVALID_REQUEST


async def test_key_lets_its_account_in(house, key):
    caller = await admit(house.gateway, f"Bearer {key}", None)
    assert caller.email == EMAIL


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer  ", "Basic x", "Bearer sk-wrong", "Bearer " + "x" * 300]
)
async def test_nothing_else_does(house, key, header):
    assert await refusal(admit(house.gateway, header, None)) is ErrorCode.UNAUTHENTICATED


async def test_key_is_read_as_leniently_as_the_vendors_pages_need(house, key):
    for header in (f"bearer   {key} ", f"BEARER <{key}>"):
        assert (await admit(house.gateway, header, None)).email == EMAIL


async def test_revoked_key_stops_at_once_however_it_was_named(house, key):
    second = await administer.create_key(house.desk, EMAIL)
    await administer.revoke_key(house.desk, key)
    await administer.revoke_key(house.desk, second.key_id)
    await administer.revoke_key(house.desk, second.key_id)

    for revoked in (key, second.key):
        code = await refusal(admit(house.gateway, f"Bearer {revoked}", None))
        assert code is ErrorCode.UNAUTHENTICATED


async def test_unknown_key_cannot_be_revoked(house):
    assert await refusal(administer.revoke_key(house.desk, "key_x")) is ErrorCode.INVALID_REQUEST


async def test_key_ends_at_its_moment(house, key):
    limits = KeyLimits(expires_at=START + 1_000)
    ending = (await administer.create_key(house.desk, EMAIL, limits=limits)).key
    assert (await admit(house.gateway, f"Bearer {ending}", None)).email == EMAIL
    house.clock.jump(1_000)
    code = await refusal(admit(house.gateway, f"Bearer {ending}", None))
    assert code is ErrorCode.UNAUTHENTICATED


async def test_suspended_account_is_told_so_until_it_is_resumed(house, key):
    await administer.set_suspended(house.desk, EMAIL, suspended=True)
    code = await refusal(admit(house.gateway, f"Bearer {key}", None))
    await administer.set_suspended(house.desk, EMAIL, suspended=False)

    assert code is ErrorCode.ACCOUNT_SUSPENDED
    assert (await admit(house.gateway, f"Bearer {key}", None)).email == EMAIL


async def test_rates_of_key_and_dialect_both_count(house, key):
    limits = KeyLimits(requests_per_minute=2)
    slow = (await administer.create_key(house.desk, EMAIL, limits=limits)).key
    bucket = Bucket("xpilot.submits", 3)

    for header, allowed in ((f"Bearer {slow}", 2), (f"Bearer {key}", 3)):
        for _ in range(allowed):
            await admit(house.gateway, header, bucket)
        assert await refusal(admit(house.gateway, header, bucket)) is ErrorCode.RATE_LIMITED


async def test_every_grant_adds(house, key):
    await administer.grant(house.desk, EMAIL, amount=MICRO, reason="thanks")
    left = await administer.grant(house.desk, EMAIL, amount=MICRO, reason="thanks")
    assert left.available == 9 * MICRO
    await house.assert_sound()


async def test_webhook_secret_stays_the_same_and_is_the_accounts_own(house, key):
    secrets = {
        await administer.webhook_secret(house.desk, b"secret", email)
        for email in (EMAIL, EMAIL, "acc_a@example.com")
    }
    assert len(secrets) == 2


async def test_verify_finds_a_task_whose_money_disagrees(house, database):
    await house.run(await house.submit())
    async with raw_sql(database) as sql:
        await sql.execute("UPDATE tasks SET charged = charged + 1")

    (found,) = await administer.verify(house.desk)
    assert "state and money disagree" in str(found)


async def test_check_of_the_ledger_raises_an_alarm_for_a_difference(house, database):
    await house.run(await house.submit())
    async with raw_sql(database) as sql:
        await sql.execute("UPDATE tasks SET charged = charged + 1")

    with structlog.testing.capture_logs() as logs:
        checking = asyncio.create_task(sweep.run_checks(house.gateway))
        async with asyncio.timeout(10):
            while not logs:  # noqa: ASYNC110 - a thread does the work
                await asyncio.sleep(0.01)
        checking.cancel()
        await asyncio.gather(checking, return_exceptions=True)

    assert (logs[0]["event"], logs[0]["log_level"]) == ("ledger_checked", "error")
    assert logs[0]["differences"] == 1
