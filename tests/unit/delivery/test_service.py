"""The outbox: owed once, due in order, at most two a host, ended for good unless replayed."""

import pytest

from portico import delivery
from portico.delivery import DeliveryState, NewDelivery
from portico.testing import START, add_account, admit, new_task


@pytest.fixture
async def ready(store):
    """A store with an account and its task 1."""

    def work(tx):
        admit(tx, new_task(1, add_account(tx, "acc_a", amount=10**7)))

    await store.write(work)
    return store


async def enqueue(store, delivery_id="msg_1", url="https://a.example/hook", at=START):
    owed = NewDelivery(id=delivery_id, account_id="acc_a", task_id=1, url=url, created_at=at)
    await store.write(lambda tx: delivery.enqueue(tx, owed))


async def due(store, now=START, limit=100):
    found = await store.read(lambda tx: delivery.due(tx, now=now, limit=limit))
    return [each.id for each in found]


async def find(store, delivery_id="msg_1"):
    return await store.read(lambda tx: delivery.find(tx, delivery_id))


async def record(store, state, *, next_at=START, status=500, delivery_id="msg_1"):
    await store.write(
        lambda tx: delivery.record_attempt(
            tx, delivery_id, state=state, next_at=next_at, status=status
        )
    )


async def test_owed_event_is_due_at_once(ready):
    await enqueue(ready)
    owed = await find(ready)
    assert (owed.state, owed.attempts, owed.next_attempt_at) == ("pending", 0, START)
    assert await due(ready, START - 1) == []
    assert await due(ready) == ["msg_1"]


async def test_oldest_comes_first(ready):
    for number, late in enumerate((3, 1, 2)):
        await enqueue(ready, f"msg_{late}", f"https://{number}.example/", START - 10 + late)
    assert await due(ready) == ["msg_1", "msg_2", "msg_3"]
    assert await due(ready, limit=2) == ["msg_1", "msg_2"]


async def test_slow_receiver_gets_two_at_once_and_holds_nobody_up(ready):
    for number in range(50):
        await enqueue(ready, f"slow_{number:02}", "https://slow.example/hook", START - 100 + number)
    await enqueue(ready, "quick", "https://quick.example/hook")
    assert await due(ready) == ["slow_00", "slow_01", "quick"]


@pytest.mark.parametrize(
    "url", ["https://A.example/x", "https://a.example/y?z", "https://a.EXAMPLE"]
)
async def test_one_host_in_any_spelling_is_one_host(ready, url):
    await enqueue(ready, "first", "https://a.example/hook", START - 2)
    await enqueue(ready, "second", "https://a.example/hook", START - 1)
    await enqueue(ready, "third", url)
    assert await due(ready) == ["first", "second"]


async def test_ended_delivery_makes_room_for_the_next_of_its_host(ready):
    for number in range(3):
        await enqueue(ready, f"msg_{number}", at=START - 10 + number)
    await record(ready, DeliveryState.DELIVERED, status=200, delivery_id="msg_0")
    assert await due(ready) == ["msg_1", "msg_2"]


async def test_failed_attempt_waits_for_its_next(ready):
    await enqueue(ready)
    await record(ready, DeliveryState.PENDING, next_at=START + 5_000)
    assert await due(ready, START + 4_999) == []
    assert await due(ready, START + 5_000) == ["msg_1"]
    owed = await find(ready)
    assert (owed.attempts, owed.last_status) == (1, 500)


@pytest.mark.parametrize(
    "state", [DeliveryState.DELIVERED, DeliveryState.EXHAUSTED, DeliveryState.REFUSED]
)
async def test_ended_delivery_stays_ended(ready, state):
    await enqueue(ready)
    await record(ready, state, status=200)
    before = await find(ready)
    await record(ready, DeliveryState.PENDING, next_at=START + 1)
    assert await find(ready) == before
    assert await due(ready, START + 10**9) == []


async def test_replay_starts_the_schedule_anew_under_the_same_id(ready):
    await enqueue(ready)
    await record(ready, DeliveryState.EXHAUSTED)
    assert await ready.write(lambda tx: delivery.replay(tx, "msg_1", now=START + 7))
    owed = await find(ready)
    assert (owed.id, owed.state, owed.attempts) == ("msg_1", "pending", 0)
    assert await due(ready, START + 7) == ["msg_1"]


@pytest.mark.parametrize("delivery_id", ["msg_1", "msg_unknown"])
async def test_only_an_ended_delivery_can_be_replayed(ready, delivery_id):
    await enqueue(ready)
    assert not await ready.write(lambda tx: delivery.replay(tx, delivery_id, now=START))


async def test_deliveries_of_a_task_are_listed(ready):
    await enqueue(ready, "msg_2", at=START + 1)
    await enqueue(ready, "msg_1")
    found = await ready.read(lambda tx: delivery.of_task(tx, 1))
    assert [each.id for each in found] == ["msg_1", "msg_2"]
    assert await ready.read(lambda tx: delivery.of_task(tx, 2)) == []
    assert await find(ready, "msg_3") is None
