"""Jobs are asked about less often while their upstream gives notice of their ends."""

from portico.core.errors import ErrorCode, PorticoError
from portico.core.views import TaskState
from portico.flows.trust import RARELY
from portico.providers.base import Pending
from tests.flows.wiring import MADE

ADVISED_S = 5.0
UNDER_WAY = Pending("job-1", check_after_s=ADVISED_S)


async def end_one(house, *, with_notice: bool, outcome=MADE):
    house.answers(UNDER_WAY, outcome)
    task_id = await house.submit()
    await house.step(task_id)
    if with_notice:
        house.gateway.live.trust.noticed(task_id)
    await house.run(task_id)
    return task_id


async def interval_of_next(house) -> float | None:
    house.answers(UNDER_WAY, UNDER_WAY, MADE)
    task_id = await house.submit()
    first = await house.step(task_id)
    assert await house.step(task_id) == first
    await house.run(task_id)
    found: float | None = first
    return found


async def test_jobs_are_asked_about_at_the_advised_interval_until_a_notice_has_come(house):
    await end_one(house, with_notice=False)

    assert await interval_of_next(house) == ADVISED_S


async def test_notice_of_an_end_makes_questions_rare(house):
    await end_one(house, with_notice=True)

    assert await interval_of_next(house) == RARELY * ADVISED_S


async def test_notice_of_a_failure_counts_as_well(house):
    failure = PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
    await end_one(house, with_notice=True, outcome=failure)

    assert await interval_of_next(house) == RARELY * ADVISED_S


async def test_end_without_a_notice_brings_the_interval_back(house):
    await end_one(house, with_notice=True)
    await end_one(house, with_notice=False)

    assert await interval_of_next(house) == ADVISED_S


async def test_nothing_is_kept_of_a_task_that_has_ended(house):
    task_id = await end_one(house, with_notice=True)

    assert (await house.task(task_id)).state is TaskState.SUCCEEDED
    assert not house.gateway.live.trust._noticed
