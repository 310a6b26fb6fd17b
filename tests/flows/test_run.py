"""A task's life in the background: every answer an upstream can give at every step."""

from dataclasses import replace
from typing import Any

import pytest

from portico import tasks
from portico.core.clock import MINUTE_MS, SECOND_MS
from portico.core.errors import ErrorCode, PorticoError
from portico.core.money import MICRO
from portico.core.views import TaskState
from portico.flows import begin, cancel, run
from portico.flows.failing import READ_AGAIN_MAX_S
from portico.flows.run import LOST_CHECKS_MAX, LOST_RETRY_S
from portico.moderation import Blocklist
from portico.moderation.blocklist import Rule
from portico.providers.base import Missing, Pending
from portico.tasks import AttemptState
from portico.testing import FakeProvider
from tests.flows.wiring import MADE, PICTURE_ASK, UNDER_WAY, VIDEO, FailingStore

PRICE = 5 * MICRO
SHOWN_AS_THEY_ARE = {
    ErrorCode.INVALID_REQUEST,
    ErrorCode.UNKNOWN_MODEL,
    ErrorCode.UNSUPPORTED_OPTION,
    ErrorCode.MEDIA_UNREACHABLE,
    ErrorCode.MEDIA_REJECTED,
    ErrorCode.PAYLOAD_TOO_LARGE,
    ErrorCode.CONTENT_REFUSED,
    ErrorCode.NO_ROUTE,
    ErrorCode.UPSTREAM_FAILED,
    ErrorCode.UPSTREAM_TIMEOUT,
    ErrorCode.INTERNAL,
}
TRIED_AGAIN = {ErrorCode.OVERLOADED, ErrorCode.RATE_LIMITED}


def refused(code):
    return PorticoError(code, "as the upstream's adapter says")


async def test_upstream_that_finishes_at_once_is_charged_once(house):
    task_id = await house.submit()

    task = await house.run(task_id)

    assert (task.state, task.charged) == (TaskState.SUCCEEDED, PRICE)
    assert [each.state for each in await house.attempts(task_id)] == [AttemptState.SUCCEEDED]
    assert [path.read_bytes() for path in house.stored] == [VIDEO]
    assert house.work == []
    await house.assert_charged(PRICE)


async def test_pending_task_is_looked_at_when_the_upstream_says(house):
    house.answers(UNDER_WAY, Pending("job-1", progress=0.9, check_after_s=7), MADE)
    task_id = await house.submit()

    assert await house.step(task_id) == 5
    begun = await house.task(task_id)
    assert (begun.state, begun.started_at) == (TaskState.RUNNING, house.clock.now())
    assert await house.step(task_id) == 7
    assert house.gateway.live.progress(task_id).done == 0.9
    assert await house.step(task_id) is None

    assert house.upstream.checked == ["job-1", "job-1"]
    assert house.gateway.live.progress(task_id) is None
    await house.assert_charged(PRICE)


async def test_submit_key_is_on_disk_before_the_upstream_is_called(house):
    seen: list[tuple[bool, str, str]] = []

    class Curious(FakeProvider):
        async def start(self, assignment, *, attempt_id):
            (attempt,) = await house.attempts(task_id)
            seen.append(
                (attempt.id == attempt_id, attempt.state, (await house.task(task_id)).state)
            )
            return await super().start(assignment, attempt_id=attempt_id)

    house.served_by(local=Curious([MADE], name="local"))
    task_id = await house.submit()
    await house.run(task_id)

    assert seen == [(True, AttemptState.SUBMITTING, TaskState.SUBMITTING)]


@pytest.mark.parametrize("code", sorted(set(ErrorCode) - TRIED_AGAIN))
async def test_start_refused_fails_the_task_with_a_refund(house, code):
    house.answers(refused(code))
    task_id = await house.submit()

    task = await house.run(task_id)

    shown = code if code in SHOWN_AS_THEY_ARE else ErrorCode.UPSTREAM_FAILED
    assert (task.state, task.failure_code) == (TaskState.FAILED, shown)
    assert len(house.upstream.started) == 1
    assert [each.state for each in await house.attempts(task_id)] == [AttemptState.FAILED]
    await house.assert_charged(0)


@pytest.mark.parametrize("restartable", [False, True])
@pytest.mark.parametrize("code", sorted(TRIED_AGAIN))
async def test_busy_upstream_is_tried_so_often_then_given_up(house, code, restartable):
    house.upstream.restartable = restartable
    house.answers(refused(code))
    task_id = await house.submit()

    task = await house.run(task_id)

    assert task.failure_code is ErrorCode.UPSTREAM_FAILED
    assert len({attempt_id for attempt_id, _ in house.upstream.started}) == 4
    await house.assert_charged(0)


async def test_busy_upstream_that_recovers_is_charged_once(house):
    house.answers(refused(ErrorCode.OVERLOADED), refused(ErrorCode.RATE_LIMITED), MADE)
    task_id = await house.submit()

    first = await house.step(task_id)
    assert 0 < first <= 1
    assert (await house.task(task_id)).state is TaskState.QUEUED
    task = await house.run(task_id)

    assert (task.state, task.charged) == (TaskState.SUCCEEDED, PRICE)
    states = [each.state for each in await house.attempts(task_id)]
    assert states == [AttemptState.FAILED, AttemptState.FAILED, AttemptState.SUCCEEDED]
    await house.assert_charged(PRICE)


async def test_wait_an_upstream_asks_for_is_kept(house):
    house.answers(PorticoError(ErrorCode.RATE_LIMITED, "slow down", retry_after_s=42))
    task_id = await house.submit()

    assert await house.step(task_id) == 42


@pytest.mark.parametrize(
    "code", [ErrorCode.UPSTREAM_FAILED, ErrorCode.CONTENT_REFUSED, ErrorCode.UPSTREAM_TIMEOUT]
)
async def test_check_that_says_failed_refunds(house, code):
    house.answers(UNDER_WAY, refused(code))
    task_id = await house.submit()

    task = await house.run(task_id)

    assert (task.state, task.failure_code) == (TaskState.FAILED, code)
    await house.assert_charged(0)


async def test_check_that_cannot_be_answered_now_never_starts_a_second_job(house):
    busy = refused(ErrorCode.RATE_LIMITED)
    slow = PorticoError(ErrorCode.OVERLOADED, "later", retry_after_s=3)
    house.answers(UNDER_WAY, *[busy] * 6, slow, MADE)
    task_id = await house.submit()

    await house.step(task_id)
    waits = [await house.step(task_id) for _ in range(7)]
    assert waits == [2, 4, 8, 16, 32, READ_AGAIN_MAX_S, READ_AGAIN_MAX_S]
    task = await house.run(task_id)

    assert task.state is TaskState.SUCCEEDED
    assert len(house.upstream.started) == 1
    await house.assert_charged(PRICE)


async def test_wait_an_upstream_asks_for_is_kept_between_checks_too(house):
    slow = PorticoError(ErrorCode.OVERLOADED, "later", retry_after_s=30)
    busy = refused(ErrorCode.OVERLOADED)
    house.answers(UNDER_WAY, slow, busy, UNDER_WAY, busy, MADE)
    task_id = await house.submit()
    await house.step(task_id)

    assert [await house.step(task_id) for _ in range(4)] == [30, 4, 5, 2]  # heard: begins anew


async def test_upstream_that_can_never_be_asked_expires_the_task(house):
    house.answers(UNDER_WAY, refused(ErrorCode.OVERLOADED))
    task_id = await house.submit()

    task = await house.run(task_id, steps_max=200)

    assert (task.state, task.failure_code) == (TaskState.EXPIRED, ErrorCode.UPSTREAM_TIMEOUT)
    await house.assert_charged(0)


async def test_job_its_upstream_forgets_is_asked_for_again_then_failed(house):
    house.answers(UNDER_WAY, Missing())
    task_id = await house.submit()
    await house.step(task_id)

    waits = [await house.step(task_id) for _ in range(LOST_CHECKS_MAX - 1)]
    assert waits == [LOST_RETRY_S] * (LOST_CHECKS_MAX - 1)
    assert await house.step(task_id) is None

    task = await house.task(task_id)
    assert (task.state, task.failure_code) == (TaskState.FAILED, ErrorCode.UPSTREAM_FAILED)
    assert len(house.upstream.started) == 1
    await house.assert_charged(0)


async def test_job_missed_once_goes_on(house):
    house.answers(UNDER_WAY, Missing(), UNDER_WAY, MADE)
    task_id = await house.submit()

    task = await house.run(task_id)

    assert task.state is TaskState.SUCCEEDED
    await house.assert_charged(PRICE)


async def test_job_a_restartable_upstream_forgot_is_started_again_under_its_key(house):
    house.upstream.restartable = True
    house.answers(UNDER_WAY, Missing(), MADE)
    task_id = await house.submit()

    task = await house.run(task_id)

    assert task.state is TaskState.SUCCEEDED
    assert len(house.upstream.started) == 2
    assert len({attempt_id for attempt_id, _ in house.upstream.started}) == 1
    await house.assert_charged(PRICE)


async def lose_the_answer(house):
    """Let a process die between calling the upstream and hearing its answer."""
    house.answers(ZeroDivisionError(), MADE)
    task_id = await house.submit()
    with pytest.raises(ZeroDivisionError):
        await house.step(task_id)
    return task_id


async def test_start_without_an_answer_is_never_repeated_blindly(house):
    task_id = await lose_the_answer(house)

    task = await house.run(task_id)

    assert (task.state, task.failure_code) == (TaskState.FAILED, ErrorCode.UPSTREAM_TIMEOUT)
    assert len(house.upstream.started) == 1
    await house.assert_charged(0)


async def test_start_without_an_answer_is_repeated_where_that_does_no_harm(house):
    house.upstream.restartable = True
    task_id = await lose_the_answer(house)

    task = await house.run(task_id)

    assert task.state is TaskState.SUCCEEDED
    attempts = await house.gateway.store.read(lambda tx: tasks.attempts_of(tx, task_id))
    assert [each.id for each in attempts] == [house.upstream.started[-1][0]]
    await house.assert_charged(PRICE)


async def test_task_expires_at_its_deadline_and_its_upstream_is_stopped(house):
    house.answers(UNDER_WAY)
    task_id = await house.submit()
    await house.step(task_id)
    house.clock.jump(30 * MINUTE_MS)

    assert await house.step(task_id) is None

    task = await house.task(task_id)
    assert (task.state, task.failure_code) == (TaskState.EXPIRED, ErrorCode.UPSTREAM_TIMEOUT)
    assert house.upstream.cancelled == ["job-1"]
    await house.assert_charged(0)


async def test_task_nobody_started_expires_without_a_call(house):
    task_id = await house.submit()
    house.clock.jump(30 * MINUTE_MS)

    assert await house.step(task_id) is None

    assert (await house.task(task_id)).state is TaskState.EXPIRED
    assert (house.upstream.started, house.upstream.cancelled) == ([], [])
    await house.assert_charged(0)


async def test_look_is_never_planned_behind_the_deadline(house):
    house.answers(Pending("job-1", check_after_s=3_600))
    task_id = await house.submit()
    house.clock.jump(29 * MINUTE_MS + 30 * SECOND_MS)

    assert await house.step(task_id) == 30


async def test_ended_task_has_no_next_step(house):
    task_id = await house.submit()
    await house.run(task_id)

    assert await house.step(task_id) is None
    assert len(house.upstream.started) == 1


async def test_cancel_stops_the_upstream_and_refunds_once(house):
    house.answers(UNDER_WAY)
    task_id = await house.submit()
    await house.step(task_id)

    first = await cancel.cancel(house.gateway, house.caller, task_id)
    again = await cancel.cancel(house.gateway, house.caller, task_id)

    assert first.state is again.state is TaskState.CANCELLED
    assert house.upstream.cancelled == ["job-1"]
    assert await house.step(task_id) is None
    await house.assert_charged(0)


async def test_cancel_of_a_finished_task_changes_nothing(house):
    task_id = await house.submit()
    await house.run(task_id)

    view = await cancel.cancel(house.gateway, house.caller, task_id)

    assert view.state is TaskState.SUCCEEDED
    await house.assert_charged(PRICE)


async def test_cancel_during_a_start_stops_what_was_just_started(house):
    task_id = await cancelled_while(house, "start", [UNDER_WAY])

    assert await house.step(task_id) is None

    assert house.upstream.cancelled == ["job-1"]
    await house.assert_charged(0)


async def test_success_after_a_cancel_is_discarded_with_its_files(house):
    task_id = await cancelled_while(house, "start", [MADE])

    assert await house.step(task_id) is None

    assert (await house.task(task_id)).state is TaskState.CANCELLED
    assert (house.stored, await house.assets(task_id)) == ([], [])
    await house.assert_charged(0)


async def test_failure_after_a_cancel_leaves_it_cancelled(house):
    task_id = await cancelled_while(house, "start", [refused(ErrorCode.UPSTREAM_FAILED)])

    assert await house.step(task_id) is None

    assert (await house.task(task_id)).failure_code is ErrorCode.CANCELLED
    await house.assert_charged(0)


async def test_success_after_the_task_ended_during_its_check_is_discarded(house):
    task_id = await cancelled_while(house, "check", [UNDER_WAY, MADE])
    await house.step(task_id)

    assert await house.step(task_id) is None

    assert (await house.task(task_id)).state is TaskState.CANCELLED
    assert house.stored == []
    await house.assert_charged(0)


async def test_task_cancelled_before_its_attempt_is_never_started(house):
    task_id = await house.submit(PICTURE_ASK)
    task = await house.task(task_id)
    await cancel.cancel(house.gateway, house.caller, task_id)

    assert await begin.begin(house.gateway, task) is None
    assert house.upstream.started == []
    await house.assert_charged(0)


async def test_upstream_that_refuses_to_stop_changes_nothing(house):
    class Stubborn(FakeProvider):
        async def cancel(self, upstream_id):
            await super().cancel(upstream_id)
            raise PorticoError(ErrorCode.UPSTREAM_FAILED, "no")

    house.upstream = Stubborn([UNDER_WAY], name="local")
    house.served_by(local=house.upstream)
    task_id = await house.submit()
    await house.step(task_id)

    view = await cancel.cancel(house.gateway, house.caller, task_id)

    assert view.state is TaskState.CANCELLED
    assert house.upstream.cancelled == ["job-1"]
    await house.assert_charged(0)


async def test_words_forbidden_since_the_submit_fail_the_task(house):
    task_id = await house.submit()
    blocklist = Blocklist((Rule(words=("sea",)),))
    house.gateway = replace(house.gateway, blocklist=blocklist)

    task = await house.run(task_id)

    assert task.failure_code is ErrorCode.CONTENT_REFUSED
    assert house.upstream.started == []
    await house.assert_charged(0)


async def test_provider_that_went_before_the_start_fails_the_task(house):
    task_id = await house.submit()
    house.served_by()

    assert (await house.run(task_id)).failure_code is ErrorCode.NO_ROUTE
    await house.assert_charged(0)


async def test_provider_that_went_while_it_worked_fails_the_task(house):
    house.answers(UNDER_WAY)
    task_id = await house.submit()
    await house.step(task_id)
    house.served_by()

    assert (await house.run(task_id)).failure_code is ErrorCode.NO_ROUTE
    await house.assert_charged(0)


async def test_task_of_a_provider_that_went_can_be_cancelled(house):
    house.answers(UNDER_WAY)
    task_id = await house.submit()
    await house.step(task_id)
    house.served_by()

    view = await cancel.cancel(house.gateway, house.caller, task_id)

    assert view.state is TaskState.CANCELLED
    await house.assert_charged(0)


async def test_started_task_without_an_attempt_is_a_bug_and_says_so(house):
    house.answers(UNDER_WAY)
    task_id = await house.submit()
    await house.step(task_id)

    class Forgetful:
        async def read(self, work):
            return None

    task = await house.task(task_id)
    gateway = replace(house.gateway, store=Forgetful())
    with pytest.raises(AssertionError):
        await run._continue(gateway, task)


async def test_wall_clock_that_jumps_back_loses_nothing(house):
    house.answers(UNDER_WAY, MADE)
    task_id = await house.submit()
    await house.step(task_id)
    house.clock.jump(-60 * MINUTE_MS)

    assert (await house.run(task_id)).state is TaskState.SUCCEEDED
    await house.assert_charged(PRICE)


@pytest.mark.parametrize("script", [[UNDER_WAY], [MADE], [refused(ErrorCode.OVERLOADED)]])
async def test_cancel_during_a_start_that_may_be_repeated_keeps_nothing(house, script):
    task_id = await cancelled_while(house, "start", script, restartable=True)

    while await house.step(task_id) is not None:
        pass

    assert (await house.task(task_id)).state is TaskState.CANCELLED
    assert house.stored == []
    assert script[0] not in (UNDER_WAY, MADE) or len(house.upstream.cancelled) == 1
    await house.assert_charged(0)


async def test_start_that_may_be_repeated_is_stopped_when_it_cannot_be_written_down(house):
    class Away:
        def __init__(self, real) -> None:
            self.real = real

        async def write(self, work, *, lane=None):
            raise refused(ErrorCode.OVERLOADED)

        def __getattr__(self, name) -> Any:
            return getattr(self.real, name)

    house.upstream.restartable = True
    house.answers(UNDER_WAY)
    task_id = await house.submit()
    whole, house.gateway = house.gateway, replace(house.gateway, store=Away(house.gateway.store))
    assert await house.step(task_id) > 0
    assert house.upstream.cancelled == ["job-1"]

    house.gateway = whole
    house.answers(MADE)
    assert (await house.run(task_id)).state is TaskState.SUCCEEDED
    await house.assert_charged(PRICE)


async def cancelled_while(house, call, script, *, restartable=False):
    """Submit a task whose owner cancels it while the upstream is asked to start or checked."""

    class Hasty(FakeProvider):
        async def start(self, assignment, *, attempt_id):
            if call == "start":
                await cancel.cancel(house.gateway, house.caller, task_id)
            return await super().start(assignment, attempt_id=attempt_id)

        async def check(self, upstream_id):
            if call == "check":
                await cancel.cancel(house.gateway, house.caller, task_id)
            return await super().check(upstream_id)

    house.upstream = Hasty(script, name="local", restartable=restartable)
    house.served_by(local=house.upstream)
    task_id = await house.submit()
    return task_id


async def test_task_that_ends_while_its_owner_cancels_stays_as_it_ended(house):
    task_id = await house.submit()

    class Late:
        """Lets the task end between the owner's look and the refund."""

        def __init__(self, real) -> None:
            self.real = real

        async def write(self, work, *, lane=None):
            if not (await house.task(task_id)).is_final:
                await run.step(whole, task_id)
            return await self.real.write(work, lane=lane)

        def __getattr__(self, name) -> Any:
            return getattr(self.real, name)

    whole = house.gateway
    late = replace(whole, store=Late(whole.store))
    view = await cancel.cancel(late, house.caller, task_id)

    assert (view.state, house.upstream.cancelled) == (TaskState.SUCCEEDED, [])
    await house.assert_charged(PRICE)


async def test_one_provider_may_serve_every_model(house):
    house.limited(only_provider="simulator")
    simulator = FakeProvider([MADE], name="simulator")
    house.served_by(simulator=simulator, local=house.upstream)

    await house.run(await house.submit())

    assert (len(simulator.started), house.upstream.started) == (1, [])


@pytest.mark.parametrize("script", [(UNDER_WAY, MADE), (MADE,)], ids=["later", "at once"])
async def test_database_away_after_a_start_neither_loses_the_job_nor_starts_another(house, script):
    store = FailingStore(house.gateway.store)
    house.gateway = replace(house.gateway, store=store)

    class Unlucky(FakeProvider):
        async def start(self, assignment, *, attempt_id):
            store.failures = 1
            return await super().start(assignment, attempt_id=attempt_id)

    upstream = Unlucky(script)
    house.served_by(local=upstream)
    task_id = await house.submit()

    assert await house.step(task_id) == 2
    assert (await house.task(task_id)).state is TaskState.SUBMITTING
    task = await house.run(task_id)

    assert (task.state, len(upstream.started)) == (TaskState.SUCCEEDED, 1)
    assert [each.state for each in await house.attempts(task_id)] == [AttemptState.SUCCEEDED]
    await house.assert_charged(PRICE)


async def test_task_that_never_was_has_no_step(house):
    assert await house.step(4_711) is None


async def test_step_without_a_database_is_tried_again_by_the_engine(house):
    def away(work):
        raise refused(ErrorCode.OVERLOADED)

    task_id = await house.submit()
    house.gateway = replace(house.gateway, store=type("Away", (), {"read": staticmethod(away)})())
    with pytest.raises(PorticoError):
        await house.step(task_id)
