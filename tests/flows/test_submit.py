"""Submits: everything wrong is refused before any debit; what is accepted is held exactly."""

import asyncio
from typing import Any

import pytest

from portico.core.clock import DAY_MS
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import MediaAsk, MediaInput, Role
from portico.core.money import MICRO
from portico.core.views import TaskState
from portico.flows import cancel, discard, gather, quote, submit, sweep
from portico.flows.submit import Repeat, Terms
from portico.ledger import Balance
from portico.testing import let_run
from tests.flows.wiring import CREDITS, PICTURE, SCENE, UNDER_WAY, VIDEO, until

PRICE = 5 * MICRO
FRAME = "https://cdn.example.com/frame.png"
REPEAT = Repeat("tasks", "key-1", "digest")


def framed(role=Role.FIRST_FRAME, **where: Any):
    return MediaAsk(
        dialect="portico",
        name="portico/scene",
        prompt="sea",
        inputs=(MediaInput(role, **(where or {"url": FRAME})),),
    )


async def refusal(house, ask=SCENE, caller=None, **terms: Any):
    """Return why a submit is refused, after checking that nothing was touched."""
    before = await house.balance()
    with pytest.raises(PorticoError) as caught:
        await submit.submit(house.gateway, caller or house.caller, ask, Terms(**terms))
    assert await house.balance() == before
    await house.assert_sound()
    return caught.value


async def test_accepted_task_is_held_recorded_and_woken(house):
    accepted = await submit.submit(house.gateway, house.caller, SCENE)

    task = await house.task(accepted.task.id)
    assert (task.state, task.hold_state, task.price) == (TaskState.QUEUED, "open", PRICE)
    assert accepted.balance_after == CREDITS - PRICE
    assert await house.balance() == Balance(CREDITS - PRICE, PRICE)
    assert house.engine.woken == [task.id]
    await house.assert_sound()


async def test_quote_is_what_a_submit_holds(house):
    assert quote.quote(house.gateway, SCENE).amount == PRICE


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (MediaAsk(dialect="portico", name="nobody"), ErrorCode.UNKNOWN_MODEL),
        (MediaAsk(dialect="portico", name="portico/scene"), ErrorCode.INVALID_REQUEST),
        (framed(), ErrorCode.MEDIA_UNREACHABLE),
        (framed(asset_id="ast_unknown"), ErrorCode.MEDIA_UNREACHABLE),
    ],
    ids=["model", "prompt", "url", "upload"],
)
async def test_bad_job_is_refused_before_any_debit(house, ask, code):
    assert (await refusal(house, ask)).code is code


async def test_picture_its_host_calls_too_large_is_refused_before_any_debit(house):
    house.door.files[FRAME] = PICTURE + bytes(10 * 2**20)

    error = await refusal(house, framed())

    assert (error.code, error.param) == (ErrorCode.MEDIA_REJECTED, "first_frame")
    assert error.message == "The file is larger than 10 MiB"


async def test_callback_into_a_private_network_is_refused_by_name(house):
    error = await refusal(house, callback_url="http://private.example.com/")
    assert (error.code, error.param) == (ErrorCode.MEDIA_UNREACHABLE, "callback_url")


async def test_model_without_an_upstream_is_refused_before_the_hold(house):
    house.served_by()
    assert (await refusal(house)).code is ErrorCode.NO_ROUTE


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"<html>", ErrorCode.MEDIA_UNREACHABLE), (VIDEO, ErrorCode.MEDIA_REJECTED)],
)
async def test_link_to_something_else_is_refused_with_its_role(house, body, code):
    house.door.files[FRAME] = body
    error = await refusal(house, framed())
    assert (error.code, error.param) == (code, "first_frame")


async def test_input_is_fetched_when_the_task_runs(house):
    house.door.files[FRAME] = PICTURE
    task = await house.run(await house.submit(framed()))

    assert task.state is TaskState.SUCCEEDED
    (given,) = house.upstream.started[0][1].inputs
    assert (given.role, given.media_type) == (Role.FIRST_FRAME, "image/png")
    assert (given.url, given.link) == (FRAME, None)


async def test_address_that_only_we_may_fetch_is_not_handed_on(house):
    url = "https://listed.example.com/frame.png"
    house.door.files[url] = PICTURE
    await house.run(await house.submit(framed(url=url)))

    (given,) = house.upstream.started[0][1].inputs
    assert given.url is None


@pytest.mark.parametrize(
    "later", [None, b"<html>", VIDEO, PICTURE[:45]], ids=["gone", "page", "video", "cut"]
)
async def test_input_that_went_bad_after_the_submit_fails_with_a_refund(house, later):
    house.door.files[FRAME] = PICTURE
    task_id = await house.submit(framed())
    if later is None:
        house.door.files.clear()
    else:
        house.door.files[FRAME] = later

    task = await house.run(task_id)

    assert task.failure_code in {ErrorCode.MEDIA_UNREACHABLE, ErrorCode.MEDIA_REJECTED}
    assert house.upstream.started == []
    await house.assert_charged(0)


async def test_picture_above_its_size_is_not_taken_whatever_its_host_said(house):
    house.door.files[FRAME] = PICTURE
    task_id = await house.submit(framed())
    house.door.files[FRAME] = PICTURE + bytes(10 * 2**20)
    task = await house.run(task_id)
    assert task.failure_code is ErrorCode.MEDIA_UNREACHABLE


async def test_input_is_fetched_anew_after_a_restart(house):
    house.door.files[FRAME] = PICTURE
    task_id = await house.submit(framed())
    task = await house.task(task_id)
    folder = house.gateway.work_folder / str(task_id)
    folder.mkdir(parents=True)

    await gather.fetch_inputs(house.gateway, task, folder)
    (found,) = await gather.fetch_inputs(house.gateway, task, folder)

    assert found.path.read_bytes() == PICTURE


@pytest.mark.parametrize(
    ("role", "url", "body", "media_type"),
    [
        (Role.MOTION_VIDEO, "https://cdn.example.com/a.mp4", VIDEO, "video/mp4"),
        (
            Role.REFERENCE_AUDIO,
            "https://cdn.example.com/a.wav",
            b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0",
            "audio/wav",
        ),
    ],
)
async def test_videos_and_sounds_are_fetched_too(house, role, url, body, media_type):
    house.door.files[url] = body
    task = await house.task(await house.submit())

    found = await gather._fetch_one(
        house.gateway, task, MediaInput(role, url=url), house.folder / "input"
    )

    assert found.media_type == media_type


async def test_account_without_credits_is_refused(house):
    dear = MediaAsk(dialect="portico", name="portico/scene", prompt="sea", given={"duration": 15})
    for _ in range(66):
        await house.submit(dear)
    assert (await refusal(house, dear)).code is ErrorCode.INSUFFICIENT_CREDITS


async def test_ceiling_of_a_key_is_given_back_when_a_task_fails(house):
    caller = await house.other_caller("acc_b", credits_max=2 * PRICE)
    house.caller = caller
    first, _ = await house.submit(), await house.submit()

    assert (await refusal(house)).code is ErrorCode.INSUFFICIENT_CREDITS
    await cancel.cancel(house.gateway, caller, first)
    assert await house.spent_by_key(caller) == PRICE
    second = await house.submit()
    await house.run(second)
    assert await house.spent_by_key(caller) == 2 * PRICE
    await house.assert_sound()


async def test_open_tasks_of_a_key_are_limited_until_one_ends(house):
    caller = house.caller = await house.other_caller("acc_b", open_tasks_max=2)
    first, _ = await house.submit(), await house.submit()

    error = await refusal(house)
    assert (error.code, error.retry_after_s) == (ErrorCode.CONCURRENCY_LIMITED, 5)
    await cancel.cancel(house.gateway, caller, first)
    assert await house.submit()


async def test_smaller_of_two_open_task_limits_counts(house):
    house.caller = await house.other_caller("acc_b", open_tasks_max=5)
    await house.submit(open_tasks_max=1)
    assert (await refusal(house, open_tasks_max=1)).code is ErrorCode.CONCURRENCY_LIMITED


async def test_open_task_limit_is_exact_under_a_crowd(house):
    crowd = [house.submit(open_tasks_max=7) for _ in range(50)]
    outcomes = await asyncio.gather(*crowd, return_exceptions=True)
    assert sum(isinstance(each, int) for each in outcomes) == 7


async def test_same_key_and_body_is_one_task(house):
    first = await submit.submit(house.gateway, house.caller, SCENE, Terms(repeat=REPEAT))
    await house.run(first.task.id)
    again = await submit.submit(house.gateway, house.caller, SCENE, Terms(repeat=REPEAT))

    assert again.replayed
    assert again.task.id == first.task.id
    assert (again.task.state, again.balance_after) == (TaskState.QUEUED, first.balance_after)
    await house.assert_charged(PRICE)


async def test_same_key_and_another_body_is_a_conflict(house):
    await house.submit(repeat=REPEAT)
    other = Repeat("tasks", "key-1", "another digest")
    assert (await refusal(house, repeat=other)).code is ErrorCode.IDEMPOTENCY_CONFLICT


async def test_same_key_on_another_route_or_account_is_another_task(house):
    first = await house.submit(repeat=REPEAT)
    second = await house.submit(repeat=Repeat("images", "key-1", "digest"))
    house.caller = await house.other_caller("acc_b")
    third = await house.submit(repeat=REPEAT)
    assert len({first, second, third}) == 3


async def test_hundred_repeats_at_once_are_one_task(house):
    ask = [
        submit.submit(house.gateway, house.caller, SCENE, Terms(repeat=REPEAT)) for _ in range(100)
    ]
    accepted = await asyncio.gather(*ask)

    assert len({each.task.id for each in accepted}) == 1
    assert sum(not each.replayed for each in accepted) == 1
    assert await house.balance() == Balance(CREDITS - PRICE, PRICE)


async def test_repeats_at_once_with_two_bodies_are_one_task_and_conflicts(house):
    asks = [house.submit(repeat=Repeat("tasks", "key-1", f"{n % 2}")) for n in range(20)]
    outcomes = await asyncio.gather(*asks, return_exceptions=True)

    won = [each for each in outcomes if isinstance(each, int)]
    lost = [each for each in outcomes if isinstance(each, PorticoError)]
    assert len(set(won)) == 1
    assert {each.code for each in lost} == {ErrorCode.IDEMPOTENCY_CONFLICT}
    assert len(won) == len(lost) == 10


async def test_race_whose_winner_is_gone_is_a_conflict(house):
    with pytest.raises(PorticoError) as caught:
        await submit._after_race(house.gateway, house.caller, Terms(repeat=REPEAT))
    assert caught.value.code is ErrorCode.IDEMPOTENCY_CONFLICT


async def test_repeat_of_a_deleted_task_does_not_make_it_again(house):
    task_id = await house.submit(repeat=REPEAT)
    await discard.discard(house.gateway, house.caller, task_id)

    assert (await refusal(house, repeat=REPEAT)).code is ErrorCode.TASK_NOT_FOUND


async def test_key_is_free_again_after_a_day(house):
    first = await house.submit(repeat=REPEAT)
    house.clock.jump(DAY_MS + 1)
    await sweep.sweep(house.gateway)
    assert await house.submit(repeat=REPEAT) != first


async def test_waiting_submit_returns_when_the_task_ends(house):
    waiting = asyncio.create_task(
        submit.submit_and_wait(house.gateway, house.caller, SCENE, wait_s=30)
    )
    await until(lambda: house.engine.woken)
    await house.run(house.engine.woken[0])

    accepted = await waiting
    assert accepted.task.state is TaskState.SUCCEEDED
    assert house.gateway.live._waiters == {}


async def test_waiting_submit_returns_what_there_is_when_the_time_is_over(house):
    house.answers(UNDER_WAY)
    accepted = await submit.submit_and_wait(house.gateway, house.caller, SCENE, wait_s=0.01)
    assert accepted.task.state is TaskState.QUEUED
    assert house.gateway.live._waiters == {}


async def test_waiting_repeat_of_an_ended_task_returns_at_once(house):
    await house.run(await house.submit(repeat=REPEAT))
    terms = Terms(repeat=REPEAT)
    async with asyncio.timeout(1):
        accepted = await submit.submit_and_wait(
            house.gateway, house.caller, SCENE, terms, wait_s=30
        )
    assert (accepted.task.state, accepted.replayed) == (TaskState.SUCCEEDED, True)


async def test_two_who_wait_for_one_task_are_both_told(house):
    task_id = await house.submit()
    waits = [asyncio.create_task(house.gateway.live.wait(task_id, within_s=30)) for _ in range(2)]
    gives_up = asyncio.create_task(house.gateway.live.wait(task_id, within_s=30))
    await let_run()
    gives_up.cancel()
    await asyncio.gather(gives_up, return_exceptions=True)

    await house.run(task_id)

    assert [await each for each in waits] == [True, True]


async def test_waiter_that_has_left_does_not_disturb_the_end(house):
    live = house.gateway.live
    waiting = asyncio.create_task(live.wait(1, within_s=30))
    await let_run()
    live._waiters[1][0].cancel()
    live.ended(1)
    await asyncio.gather(waiting, return_exceptions=True)
    assert live._waiters == {}


async def test_submit_whose_client_left_is_looked_at_all_the_same(house):
    submitting = asyncio.create_task(house.submit())
    await asyncio.sleep(0)
    submitting.cancel()
    await asyncio.gather(submitting, return_exceptions=True)
    (task_id,) = house.engine.woken
    await house.submit()  # the writer has passed by then

    assert (await house.run(task_id)).state is TaskState.SUCCEEDED
