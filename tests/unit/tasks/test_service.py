"""A task's life: each step once, final states for ever, and money first."""

from functools import partial

import msgspec
import pytest

from portico import ledger, tasks
from portico.core.errors import ErrorCode, PorticoError
from portico.core.views import FINAL_STATES, Caller, TaskState
from portico.tasks import AttemptState, RouteTaken, Verdict
from portico.testing import START, add_account, admit, new_task
from tests.raw_sql import FOREIGN_KEY, REFUSED, raw_sql

SUCCESS = Verdict(state=TaskState.SUCCEEDED, charged=100, usage={"seconds": 5})
FAILURE = Verdict(
    state=TaskState.FAILED, failure_code=ErrorCode.UPSTREAM_FAILED, failure_message="no"
)


@pytest.fixture
async def ready(store):
    """A store with an account, and its queued task 1 of 100."""

    def work(tx):
        caller = add_account(tx, "acc_a", amount=1_000)
        admit(tx, new_task(1, caller, price=100))

    await store.write(work)
    return store


async def get(store, task_id=1):
    return await store.read(lambda tx: tasks.get(tx, task_id))


async def last_attempt(store):
    return await store.read(lambda tx: tasks.last_attempt(tx, 1))


async def start(store, attempt_id="att_1"):
    def work(tx):
        return tasks.start_attempt(
            tx,
            tasks.get(tx, 1),
            attempt_id=attempt_id,
            route=RouteTaken("fake", "fake", "m"),
            now=START + 1,
        )

    return await store.write(work)


async def running(store, attempt_id="att_1"):
    await start(store, attempt_id)
    await store.write(
        lambda tx: tasks.mark_running(tx, 1, attempt_id=attempt_id, upstream_id="up_1")
    )


async def end(store, verdict=SUCCESS, *, close=True, now=START + 9):
    def work(tx):
        if close and verdict.state is TaskState.SUCCEEDED:
            ledger.capture(tx, 1, amount=verdict.charged, at=now)
        elif close:
            ledger.release(tx, 1, at=now)
        return tasks.end(tx, 1, verdict, now=now)

    return await store.write(work)


# --- accepting -------------------------------------------------------------------------------


async def test_task_reads_back_as_it_was_accepted(ready):
    task = await get(ready)
    caller = Caller("acc_a", "key_acc_a", "", "active")
    asked = msgspec.structs.asdict(new_task(1, caller, price=100))
    assert asked.items() <= msgspec.structs.asdict(task).items()
    assert (task.state, task.hold_state, task.stage, task.charged) == ("queued", "open", 0, 0)
    assert task.media_job().prompt == "a cat"
    assert not task.is_final


async def test_task_without_hold_is_refused(store):
    def work(tx):
        caller = add_account(tx, "acc_a", amount=1_000)
        tasks.create(tx, new_task(1, caller))

    with pytest.raises(REFUSED, match=FOREIGN_KEY):
        await store.write(work)


async def test_task_with_closed_hold_is_refused(ready):
    def work(tx):
        task = tasks.get(tx, 1)
        ledger.hold(tx, "acc_a", amount=5, task_id=2, at=START)
        ledger.release(tx, 2, at=START)
        fields = {name: getattr(task, name) for name in tasks.NewTask.__struct_fields__}
        tasks.create(tx, tasks.NewTask(**fields | {"id": 2}))

    with pytest.raises(REFUSED, match=FOREIGN_KEY):
        await ready.write(work)


async def test_foreign_task_is_as_unknown_as_none(ready):
    assert await ready.read(lambda tx: tasks.find(tx, 1, "acc_a"))
    assert await ready.read(lambda tx: tasks.find(tx, 1, "acc_b")) is None
    assert await ready.read(lambda tx: tasks.find(tx, 2, "acc_a")) is None


async def test_unknown_task_raises(ready):
    with pytest.raises(PorticoError) as caught:
        await get(ready, 2)
    assert caught.value.code is ErrorCode.TASK_NOT_FOUND


async def test_listing_pages_newest_first_within_one_account(ready):
    def work(tx):
        other = add_account(tx, "acc_b", amount=1_000)
        admit(tx, new_task(5, other, price=1))
        mine = msgspec.structs.replace(other, account_id="acc_a", key_id="key_acc_a")
        for task_id in (2, 3):
            admit(tx, new_task(task_id, mine, price=1))

    await ready.write(work)
    page = await ready.read(lambda tx: tasks.listing(tx, "acc_a", limit=2))
    rest = await ready.read(lambda tx: tasks.listing(tx, "acc_a", limit=2, before_id=2))
    assert [task.id for task in page + rest] == [3, 2, 1]


async def test_open_tasks_are_counted_and_listed_until_they_end(ready):
    assert await ready.read(lambda tx: tasks.count_open(tx, "acc_a")) == 1
    assert await ready.read(tasks.open_ids) == [1]
    await end(ready)
    assert await ready.read(lambda tx: tasks.count_open(tx, "acc_a")) == 0
    assert await ready.read(tasks.open_ids) == []


# --- attempts --------------------------------------------------------------------------------


async def test_start_writes_route_and_key_down(ready):
    assert await start(ready)
    attempt = await last_attempt(ready)
    assert (attempt.id, attempt.number, attempt.provider) == ("att_1", 1, "fake")
    assert (attempt.state, attempt.upstream_id) == (AttemptState.SUBMITTING, None)
    task = await get(ready)
    assert (task.state, task.started_at) == (TaskState.SUBMITTING, START + 1)


async def test_second_start_of_the_same_round_is_refused(ready):
    await start(ready)
    assert not await start(ready, "att_2")
    assert len(await ready.read(lambda tx: tasks.attempts_of(tx, 1))) == 1


async def test_ended_task_starts_nothing(ready):
    await end(ready)
    assert not await start(ready)
    assert await last_attempt(ready) is None


async def test_running_is_noted_with_the_upstreams_id(ready):
    await running(ready)
    assert (await get(ready)).state is TaskState.RUNNING
    attempt = await last_attempt(ready)
    assert (attempt.state, attempt.upstream_id) == (AttemptState.RUNNING, "up_1")


async def test_noting_running_twice_changes_nothing(ready):
    await running(ready)
    await ready.write(lambda tx: tasks.mark_storing(tx, 1))
    await ready.write(lambda tx: tasks.mark_running(tx, 1, attempt_id="att_1", upstream_id="up_1"))
    assert (await get(ready)).state is TaskState.STORING


async def test_late_answer_to_a_start_keeps_the_id_but_revives_nothing(ready):
    await start(ready)
    await end(ready, FAILURE)
    await ready.write(lambda tx: tasks.end_attempt(tx, 1, state=AttemptState.FAILED, now=START + 9))
    await ready.write(lambda tx: tasks.mark_running(tx, 1, attempt_id="att_1", upstream_id="up_9"))
    assert (await get(ready)).state is TaskState.FAILED
    attempt = await last_attempt(ready)
    assert (attempt.state, attempt.upstream_id) == (AttemptState.FAILED, "up_9")


async def test_another_attempt_after_requeueing_gets_the_next_number(ready):
    await running(ready)
    await ready.write(lambda tx: tasks.end_attempt(tx, 1, state=AttemptState.FAILED, now=START))
    await ready.write(lambda tx: tasks.requeue(tx, 1))
    assert (await get(ready)).state is TaskState.QUEUED
    assert await start(ready, "att_2")
    found = await ready.read(lambda tx: tasks.attempts_of(tx, 1))
    assert [(each.number, each.state) for each in found] == [
        (1, AttemptState.FAILED),
        (2, AttemptState.SUBMITTING),
    ]
    assert (await get(ready)).started_at == START + 1  # the first start counts


async def test_next_stage_happens_once(ready):
    await running(ready)
    await ready.write(lambda tx: tasks.mark_storing(tx, 1))
    before = await get(ready)
    assert await ready.write(lambda tx: tasks.next_stage(tx, before, now=START))
    assert not await ready.write(lambda tx: tasks.next_stage(tx, before, now=START))
    task = await get(ready)
    assert (task.state, task.stage) == (TaskState.QUEUED, 1)
    assert (await last_attempt(ready)).state is AttemptState.SUCCEEDED


async def test_next_stage_needs_a_task_that_is_storing(ready):
    await running(ready)
    task = await get(ready)
    assert not await ready.write(lambda tx: tasks.next_stage(tx, task, now=START))


# --- the end ---------------------------------------------------------------------------------


async def test_success_is_written_with_its_charge(ready):
    assert await end(ready)
    task = await get(ready)
    assert (task.state, task.charged, task.hold_state) == ("succeeded", 100, "captured")
    assert (task.finished_at, task.usage) == (START + 9, '{"seconds":5}')
    assert task.is_final


async def test_failure_is_written_with_its_reason(ready):
    assert await end(ready, FAILURE)
    task = await get(ready)
    assert (task.state, task.charged, task.hold_state) == ("failed", 0, "released")
    assert (task.failure_code, task.failure_message) == (ErrorCode.UPSTREAM_FAILED, "no")


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
async def test_final_state_needs_a_closed_hold(ready, state):
    with pytest.raises(REFUSED, match="ck_tasks_final_has_closed_hold"):
        await end(ready, Verdict(state=state), close=False)
    assert (await get(ready)).state is TaskState.QUEUED


@pytest.mark.parametrize(
    ("state", "closed_by"),
    [
        (TaskState.SUCCEEDED, ledger.release),  # a success nobody paid for
        (TaskState.FAILED, partial(ledger.capture, amount=1)),
        (TaskState.EXPIRED, partial(ledger.capture, amount=1)),
    ],
    ids=["unpaid success", "paid failure", "paid expiry"],
)
async def test_final_state_needs_the_right_end_of_its_hold(ready, state, closed_by):
    def work(tx):
        closed_by(tx, 1, at=START)
        tasks.end(tx, 1, Verdict(state=state), now=START)

    with pytest.raises(REFUSED, match="ck_tasks_final_has_closed_hold"):
        await ready.write(work)
    assert await ready.read(lambda tx: ledger.balance(tx, "acc_a").held) == 100


@pytest.mark.parametrize("first", [SUCCESS, FAILURE])
@pytest.mark.parametrize("second", [SUCCESS, FAILURE])
async def test_final_state_never_changes(ready, first, second):
    await end(ready, first)
    before = await get(ready)
    assert not await end(ready, second, now=START + 99)
    assert await get(ready) == before


@pytest.mark.parametrize(
    "step",
    [
        lambda tx: tasks.mark_storing(tx, 1),
        lambda tx: tasks.requeue(tx, 1),
        lambda tx: tasks.mark_running(tx, 1, attempt_id="att_1", upstream_id="x"),
        lambda tx: tasks.next_stage(tx, tasks.get(tx, 1), now=START),
    ],
    ids=["storing", "requeue", "running", "next_stage"],
)
async def test_no_step_leads_out_of_a_final_state(ready, step):
    await end(ready)
    before = await get(ready)
    await ready.write(step)
    assert await get(ready) == before


async def test_row_of_a_final_task_cannot_reopen_its_hold(ready, database):
    await end(ready)
    async with raw_sql(database) as sql:
        with pytest.raises(REFUSED, match="ck_tasks_final_has_closed_hold"):
            await sql.execute("UPDATE holds SET state = 'open', captured = 0")


# --- idempotent requests ---------------------------------------------------------------------


async def remember(store, key="k", route="r", account_id="acc_a", at=START):
    await store.write(
        lambda tx: tasks.remember_request(
            tx,
            account_id,
            route=route,
            key=key,
            fingerprint="f",
            task_id=1,
            balance_after=900,
            now=at,
        )
    )


async def recall(store, key="k", route="r", account_id="acc_a"):
    return await store.read(lambda tx: tasks.recall_request(tx, account_id, route=route, key=key))


async def test_remembered_request_is_recalled_in_its_own_scope_only(ready):
    await remember(ready)
    found = await recall(ready)
    assert (found.fingerprint, found.task_id, found.balance_after) == ("f", 1, 900)
    assert found.answer is None
    assert await recall(ready, key="other") is None
    assert await recall(ready, route="other") is None
    assert await recall(ready, account_id="acc_b") is None


async def test_one_key_cannot_be_remembered_twice(ready):
    await remember(ready)
    with pytest.raises(REFUSED):
        await remember(ready)


async def test_answer_of_a_text_is_kept_with_its_key(ready):
    await remember(ready)
    await ready.write(lambda tx: tasks.answer_request(tx, "acc_a", 1, answer="{}"))
    assert (await recall(ready)).answer == "{}"


async def test_key_of_a_failed_text_is_free_again(ready):
    await remember(ready)
    await ready.write(lambda tx: tasks.answer_request(tx, "acc_a", 1, answer=None))
    assert await recall(ready) is None


async def test_old_keys_are_forgotten(ready):
    await remember(ready, key="old", at=START - 1)
    await remember(ready, key="new", at=START)
    assert await ready.write(lambda tx: tasks.forget_requests(tx, before=START)) == 1
    assert await recall(ready, key="old") is None
    assert await recall(ready, key="new")


# --- forgetting and soundness ----------------------------------------------------------------


async def test_prompt_is_forgotten_once_the_result_has_expired(ready):
    await end(ready, Verdict(state=TaskState.SUCCEEDED, charged=100, expires_at=START + 50))

    async def due(now):
        return await ready.read(lambda tx: tasks.due_for_forgetting(tx, now=now, limit=9))

    assert await due(START + 50) == []
    assert await due(START + 51) == [1]
    await ready.write(lambda tx: tasks.forget(tx, 1))
    assert await due(START + 51) == []
    assert "cat" not in (await get(ready)).job


async def test_open_task_is_never_due_for_forgetting(ready):
    assert await ready.read(lambda tx: tasks.due_for_forgetting(tx, now=2**60, limit=9)) == []


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE tasks SET charged = 101 WHERE id = 1",
        "UPDATE tasks SET state = 'failed' WHERE id = 1",
        "UPDATE tasks SET hold_state = 'open' WHERE id = 1",
    ],
)
async def test_disagreement_of_state_and_money_is_found(ready, database, tampering):
    await end(ready)
    assert await ready.read(tasks.unsound) == []

    async with raw_sql(database) as sql:
        await sql.unguard()
        assert await sql.execute(tampering) == 1
        assert await sql.look(tasks.unsound) == [1]
