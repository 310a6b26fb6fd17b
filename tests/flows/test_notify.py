"""Callbacks: at least once, on the schedule, always under the same id."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from standardwebhooks import Webhook

from portico import delivery
from portico.core.clock import HOUR_MS, MINUTE_MS, SECOND_MS
from portico.core.errors import ErrorCode, PorticoError
from portico.delivery import DeliveryState
from portico.delivery.queries import PER_HOST_MAX
from portico.flows import administer, cancel, notify
from portico.flows.notify import run_deliveries, send
from portico.outbound.door import PostAnswer
from portico.testing import let_run
from tests.flows.wiring import UNDER_WAY, until

RECEIVER = "https://receiver.example.com/callback"
TAKEN = PostAnswer(204, None, b"")
DOWN = PorticoError(ErrorCode.MEDIA_UNREACHABLE, "Cannot fetch this URL")
BROKEN = PostAnswer(503, None, b"")
SCHEDULE_S = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]


async def ended(house, url=RECEIVER):
    """Run one task with a callback to its end."""
    task_id = await house.submit(callback_url=url)
    await house.run(task_id)
    return task_id


async def attempt(house, task_id):
    await send(house.gateway, await house.owed(task_id))
    return await house.owed(task_id)


async def test_callback_is_signed_and_says_how_the_task_ended(house):
    house.door.answers = [TAKEN]
    task_id = await ended(house)

    owed = await attempt(house, task_id)

    ((url, body, headers),) = house.door.posts
    assert (url, body) == (RECEIVER, f"{task_id} succeeded".encode())
    secret = await administer.webhook_secret(house.desk, b"secret", "acc_a@example.com")
    signed = Webhook(secret)
    assert headers["webhook-signature"] == signed.sign(
        headers["webhook-id"], when(house), body.decode()
    )
    assert (owed.state, owed.attempts, owed.last_status) == (DeliveryState.DELIVERED, 1, 204)


def when(house):
    return datetime.fromtimestamp(house.clock.now() // SECOND_MS, UTC)


async def test_failed_and_cancelled_tasks_are_told_too(house):
    house.answers(UNDER_WAY)
    house.door.answers = [TAKEN]
    task_id = await house.submit(callback_url=RECEIVER)
    await house.step(task_id)
    await cancel.cancel(house.gateway, house.caller, task_id)

    await attempt(house, task_id)

    assert house.door.posts[0][1] == f"{task_id} cancelled".encode()


async def test_task_without_a_callback_owes_nothing(house):
    await ended(house, url=None)
    due = await house.gateway.store.read(lambda tx: delivery.due(tx, now=2**50, limit=9))
    assert due == []
    assert not house.gateway.live.delivery_due.is_set()


@pytest.mark.parametrize(
    "answer", [DOWN, BROKEN, PostAnswer(302, None, b""), PostAnswer(400, 0, b"")]
)
async def test_failed_attempts_follow_the_schedule_then_stop(house, answer):
    house.door.answers = [answer]
    task_id = await ended(house)

    waits = []
    for _ in SCHEDULE_S:
        owed = await attempt(house, task_id)
        assert owed.state is DeliveryState.PENDING
        waits.append((owed.next_attempt_at - house.clock.now()) / SECOND_MS)
        house.clock.jump(owed.next_attempt_at - house.clock.now())
    last = await attempt(house, task_id)

    assert all(
        least <= waited <= least * 1.1 for least, waited in zip(SCHEDULE_S, waits, strict=True)
    )
    assert (last.state, last.attempts) == (DeliveryState.EXHAUSTED, 10)
    assert len({headers["webhook-id"] for _, _, headers in house.door.posts}) == 1
    assert len({headers["webhook-timestamp"] for _, _, headers in house.door.posts}) == 10


async def test_receiver_that_comes_back_gets_it_under_the_same_id(house):
    house.door.answers = [DOWN, BROKEN, TAKEN]
    task_id = await ended(house)
    await attempt(house, task_id)
    await attempt(house, task_id)
    owed = await attempt(house, task_id)

    assert (owed.state, owed.attempts) == (DeliveryState.DELIVERED, 3)
    assert len({headers["webhook-id"] for _, _, headers in house.door.posts}) == 1


async def test_receiver_that_is_gone_is_not_asked_again(house):
    house.door.answers = [PostAnswer(410, None, b"")]
    owed = await attempt(house, await ended(house))
    assert (owed.state, owed.last_status) == (DeliveryState.REFUSED, 410)


@pytest.mark.parametrize(
    ("asked_s", "wait_ms"), [(600, 10 * MINUTE_MS), (10**8, 24 * HOUR_MS)], ids=["ten", "a day"]
)
async def test_wait_a_receiver_asks_for_is_kept_up_to_a_day(house, asked_s, wait_ms):
    house.door.answers = [PostAnswer(429, asked_s, b"")]
    owed = await attempt(house, await ended(house))
    assert owed.next_attempt_at == house.clock.now() + wait_ms


async def test_ended_delivery_can_be_replayed_under_its_id(house):
    house.door.answers = [PostAnswer(410, None, b""), TAKEN]
    task_id = await ended(house)
    owed = await attempt(house, task_id)

    now = house.clock.now()
    assert await house.gateway.store.write(lambda tx: delivery.replay(tx, owed.id, now=now))
    again = await attempt(house, task_id)

    assert (again.state, again.attempts) == (DeliveryState.DELIVERED, 1)
    assert house.door.posts[0][2]["webhook-id"] == house.door.posts[1][2]["webhook-id"]


async def delivered(house, task_id):
    """Wait until the answer is written down."""
    async with asyncio.timeout(5):
        while (await house.owed(task_id)).state is not DeliveryState.DELIVERED:  # noqa: ASYNC110
            await asyncio.sleep(0.002)


async def test_sender_takes_what_is_due_and_wakes_for_more(house):
    house.door.answers = [TAKEN]
    first = await ended(house)
    sending = asyncio.create_task(run_deliveries(house.gateway))
    await until(lambda: len(house.door.posts) == 1)
    second = await ended(house)
    assert house.gateway.live.delivery_due.is_set() or len(house.door.posts) == 2
    await until(lambda: len(house.door.posts) == 2)
    for task_id in (first, second):
        await delivered(house, task_id)
    await stopped(sending)


async def test_sender_looks_again_by_itself(house, monkeypatch):
    monkeypatch.setattr(notify, "IDLE_S", 0.01)
    house.door.answers = [DOWN, TAKEN]
    task_id = await ended(house)
    sending = asyncio.create_task(run_deliveries(house.gateway))
    await until(lambda: len(house.door.posts) == 1)
    await asyncio.sleep(0.05)
    assert len(house.door.posts) == 1  # not due yet
    house.clock.jump(10 * SECOND_MS)
    await until(lambda: len(house.door.posts) == 2)
    await delivered(house, task_id)
    await stopped(sending)


async def test_slow_receiver_holds_nobody_up_and_is_asked_once_at_a_time(house, monkeypatch):
    monkeypatch.setattr(notify, "IDLE_S", 0.01)
    gate = asyncio.Event()
    post = house.door.post

    async def slow_post(url, body, headers):
        if "slow" in url:
            house.door.posts.append((url, body, headers))
            await gate.wait()
            return TAKEN
        return await post(url, body, headers)

    house.door.answers = [TAKEN]
    door: Any = SimpleNamespace(post=slow_post, check_target=house.door.check_target)
    house.gateway = replace(house.gateway, door=door)
    for _ in range(3):
        await ended(house, "https://slow.example.com/")
    await ended(house)
    sending = asyncio.create_task(run_deliveries(house.gateway))
    await until(lambda: any(url == RECEIVER for url, _, _ in house.door.posts))
    await asyncio.sleep(0.05)

    assert sum("slow" in url for url, _, _ in house.door.posts) == PER_HOST_MAX
    gate.set()
    await until(lambda: len(house.door.posts) == 4)
    await asyncio.sleep(0.01)  # the answer is still being written down
    await stopped(sending)


async def test_delivery_that_breaks_is_written_down_and_others_go_on(house, monkeypatch):
    monkeypatch.setattr(notify, "IDLE_S", 0.01)
    house.door.answers = [ZeroDivisionError(), TAKEN]
    first, second = await ended(house), await ended(house, "https://other.example.com/")
    sending = asyncio.create_task(run_deliveries(house.gateway))
    await until(lambda: len(house.door.posts) == 2)
    await let_run()
    await asyncio.sleep(0.05)
    await asyncio.sleep(0.01)  # the answer is still being written down
    await stopped(sending)

    states = {(await house.owed(each)).state for each in (first, second)}
    assert states == {DeliveryState.PENDING, DeliveryState.DELIVERED}
    assert {(await house.owed(each)).attempts for each in (first, second)} == {1}


async def stopped(task):
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
