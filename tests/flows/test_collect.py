"""Results come into our own storage whole and checked, or the task fails with a refund."""

import asyncio
import shutil
from typing import Any

import pytest

from portico.core.clock import HOUR_MS
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import MediaAsk, MediaInput, Role
from portico.core.money import MICRO
from portico.core.views import TaskState
from portico.flows import cancel, collect, lookup
from portico.flows.collect import FETCHES_MAX, is_gone
from portico.media.model import AssetRole
from portico.providers.base import Finished, OutputFile
from portico.testing import FakeProvider, let_run
from tests.flows.wiring import MADE, PICTURE, PICTURE_ASK, SAMPLES, UNDER_WAY, VIDEO

URL = "https://cdn.example.com/result.mp4"
AT_URL = Finished(outputs=(OutputFile("output", url=URL),))
PRICE = 5 * MICRO
FRAME = "https://cdn.example.com/frame.png"
TWO_STAGES = MediaAsk(
    dialect="xiaoyang",
    name="img2vid_v30",
    variant="5_off",
    prompt="pan",
    given={"enhance": True},
    inputs=(MediaInput(Role.FIRST_FRAME, url=FRAME),),
)
TWO_STAGES_PRICE = 50 * MICRO


class Renderer(FakeProvider):
    """An upstream on this machine: its files lie in the task's own folder, and may be moved."""

    def __init__(self, script=(), **given: Any) -> None:
        super().__init__(script, **given)
        self.covers = True

    async def start(self, assignment, *, attempt_id):
        await super().start(assignment, attempt_id=attempt_id)
        output = assignment.folder / f"output-{assignment.stage}.mp4"
        output.write_bytes(VIDEO)
        outputs = [OutputFile("output", path=output)]
        if self.covers:
            cover = assignment.folder / "cover.png"
            cover.write_bytes(PICTURE)
            outputs.append(OutputFile("cover", path=cover))
        self.made = Finished(
            outputs=tuple(outputs), usage={"width": 64, "height": 64, "duration_s": 1.5}
        )
        return UNDER_WAY

    async def check(self, upstream_id):
        await super().check(upstream_id)
        return self.made


@pytest.fixture
def renderer(house):
    house.upstream = Renderer([UNDER_WAY], name="local", restartable=True)
    house.served_by(local=house.upstream)
    return house.upstream


async def fetched(house, task_id):
    """Step until the task ends, letting time pass whenever the fetch waits."""
    running = asyncio.create_task(house.run(task_id))
    while not running.done():
        await let_run()
        if house.clock.sleepers:
            await house.clock.advance(1)
        await asyncio.sleep(0.001)
    return await running


async def test_result_behind_a_url_is_fetched_checked_and_shown_from_our_storage(house):
    house.answers(AT_URL)
    house.door.files[URL] = VIDEO
    task_id = await house.submit()

    task = await house.run(task_id)

    view = await lookup.task(house.gateway, house.caller, task_id)
    assert task.state is TaskState.SUCCEEDED
    assert (view.outputs[0].media_type, view.outputs[0].width) == ("video/mp4", 64)
    assert view.outputs[0].url_path.startswith("/files/")
    assert view.cover is not None
    assert house.work == []
    await house.assert_charged(PRICE)


async def test_link_that_is_only_late_is_fetched_again(house):
    house.answers(AT_URL)
    house.door.files[URL] = VIDEO
    house.door.failures = FETCHES_MAX - 1
    task_id = await house.submit()

    task = await fetched(house, task_id)

    assert task.state is TaskState.SUCCEEDED
    assert house.door.downloads == [URL] * FETCHES_MAX


async def test_dead_link_is_fetched_three_times_then_refunded(house):
    house.answers(AT_URL)
    task_id = await house.submit()

    task = await fetched(house, task_id)

    assert (task.state, task.failure_code) == (TaskState.FAILED, ErrorCode.UPSTREAM_FAILED)
    assert house.door.downloads == [URL] * FETCHES_MAX
    await house.assert_charged(0)


@pytest.mark.parametrize(
    "body", [b"", b"<!doctype html>", PICTURE, VIDEO[:200]], ids=["empty", "page", "kind", "cut"]
)
async def test_bytes_that_are_no_video_fail_the_task(house, body):
    house.answers(AT_URL)
    house.door.files[URL] = body
    task_id = await house.submit()

    task = await house.run(task_id)

    assert task.state is TaskState.FAILED
    assert house.stored == []
    await house.assert_charged(0)


@pytest.mark.parametrize(
    "outputs", [(), (OutputFile("cover", path=SAMPLES / "simulated.png"),)], ids=["none", "cover"]
)
async def test_success_without_an_output_fails_the_task(house, outputs):
    house.answers(Finished(outputs=outputs))
    task_id = await house.submit()

    assert (await house.run(task_id)).failure_code is ErrorCode.UPSTREAM_FAILED
    await house.assert_charged(0)


async def test_own_file_that_is_no_medium_fails_the_task(house, tmp_path):
    odd = tmp_path / "odd"
    odd.write_bytes(b"odd")
    house.answers(Finished(outputs=(OutputFile("output", path=odd),)))
    task_id = await house.submit()

    assert (await house.run(task_id)).failure_code is ErrorCode.UPSTREAM_FAILED
    await house.assert_charged(0)


async def test_several_pictures_are_all_kept(house):
    picture = OutputFile("output", path=SAMPLES / "simulated.png")
    house.answers(Finished(outputs=(picture, picture, picture)))
    task_id = await house.submit(PICTURE_ASK)

    await house.run(task_id)

    view = await lookup.task(house.gateway, house.caller, task_id)
    assert [each.role for each in view.outputs] == ["output"] * 3
    assert (view.cover, len(house.stored)) == (None, 3)


async def test_rendered_video_is_kept_with_its_cover_and_what_was_measured(house, renderer):
    task_id = await house.submit()

    await house.run(task_id)

    view = await lookup.task(house.gateway, house.caller, task_id)
    assert (view.outputs[0].width, view.outputs[0].duration_ms) == (64, 1_500)
    assert view.cover is not None
    assert view.cover.media_type == "image/png"
    assert house.work == []


async def test_storage_that_is_away_is_waited_for_without_a_second_job(house):
    house.answers(UNDER_WAY, AT_URL)
    house.door.files[URL] = VIDEO
    house.storage.failures = 3
    task_id = await house.submit()
    await house.step(task_id)

    assert [await house.step(task_id) for _ in range(3)] == [2, 4, 8]
    assert (await house.task(task_id)).state is TaskState.STORING
    task = await house.run(task_id)

    assert task.state is TaskState.SUCCEEDED
    assert len(house.upstream.started) == 1
    await house.assert_charged(PRICE)


async def test_storage_that_stays_away_ends_in_a_refund(house):
    house.answers(UNDER_WAY, MADE)
    house.storage.failures = 10_000
    task_id = await house.submit()

    task = await house.run(task_id, steps_max=200)

    assert task.state is TaskState.EXPIRED
    await house.assert_charged(0)


async def test_render_that_was_stored_but_never_recorded_is_made_again(house, renderer):
    renderer.covers = True
    task_id = await house.submit()
    await house.step(task_id)
    for path in (house.gateway.work_folder / str(task_id)).glob("output-*"):
        path.unlink()  # the storage moved it away, and then the process died

    task = await house.run(task_id)

    assert task.state is TaskState.SUCCEEDED
    assert len({attempt_id for attempt_id, _ in renderer.started}) == 1
    assert len(renderer.started) == 2
    assert renderer.cancelled == ["job-1"]
    await house.assert_charged(PRICE)


async def test_render_without_a_cover_is_kept_without_one(house, renderer):
    renderer.covers = False
    task_id = await house.submit()

    await house.run(task_id)

    assert [each.role for each in await house.assets(task_id)] == [AssetRole.OUTPUT]


def test_file_of_another_machine_is_never_gone():
    assert not is_gone(AT_URL)
    assert not is_gone(MADE)


async def test_second_stage_gets_what_the_first_made(house, renderer):
    house.door.files[FRAME] = PICTURE
    task_id = await house.submit(TWO_STAGES)

    task = await house.run(task_id)

    stages = [(asked.stage, [each.role for each in asked.inputs]) for _, asked in renderer.started]
    assert stages == [("generate", [Role.FIRST_FRAME]), ("enhance", [Role.SOURCE_VIDEO])]
    assert (task.state, task.stage, task.charged) == (TaskState.SUCCEEDED, 1, TWO_STAGES_PRICE)
    roles = [each.role for each in await house.assets(task_id)]
    assert sorted(roles) == [AssetRole.COVER, AssetRole.OUTPUT, AssetRole.STAGE]
    view = await lookup.task(house.gateway, house.caller, task_id)
    assert len(view.outputs) == 1
    await house.assert_charged(TWO_STAGES_PRICE)


async def test_second_stages_input_is_the_first_stages_very_bytes(house):
    seen: list[bytes] = []

    class Reader(FakeProvider):
        async def start(self, assignment, *, attempt_id):
            seen.extend(each.path.read_bytes() for each in assignment.inputs)
            return await super().start(assignment, attempt_id=attempt_id)

    house.door.files[FRAME] = PICTURE
    house.served_by(local=Reader([MADE], name="local"))
    await house.run(await house.submit(TWO_STAGES))

    assert seen == [PICTURE, VIDEO]


async def test_failure_in_the_second_stage_refunds_all(house):
    house.door.files[FRAME] = PICTURE
    house.answers(MADE, PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed"))
    task_id = await house.submit(TWO_STAGES)

    task = await house.run(task_id)

    assert (task.state, task.stage) == (TaskState.FAILED, 1)
    await house.assert_charged(0)


async def test_busy_upstream_costs_each_stage_its_own_attempts(house):
    busy = PorticoError(ErrorCode.OVERLOADED, "busy")
    house.door.files[FRAME] = PICTURE
    house.answers(busy, busy, busy, MADE, busy, busy, busy, MADE)
    task_id = await house.submit(TWO_STAGES)

    assert (await house.run(task_id)).state is TaskState.SUCCEEDED
    assert [each.stage for each in await house.attempts(task_id)] == [0] * 4 + [1] * 4
    await house.assert_charged(TWO_STAGES_PRICE)


async def test_stage_whose_input_went_fails_the_task(house):
    house.door.files[FRAME] = PICTURE
    task_id = await house.submit(TWO_STAGES)
    assert await house.step(task_id) == 0.0
    for path in house.stored:
        path.unlink()

    task = await house.run(task_id)

    assert task.failure_code is ErrorCode.UPSTREAM_FAILED
    await house.assert_charged(0)


async def test_stage_without_a_record_of_the_one_before_fails_the_task(house):
    task_id = await house.submit()
    with pytest.raises(PorticoError) as caught:
        await collect.stage_result(house.gateway, await house.task(task_id), house.folder)
    assert caught.value.code is ErrorCode.UPSTREAM_FAILED


async def test_cancel_between_two_stages_keeps_nothing(house):
    class Hasty(FakeProvider):
        async def start(self, assignment, *, attempt_id):
            if assignment.stage == "enhance":
                await cancel.cancel(house.gateway, house.caller, task_id)
            return await super().start(assignment, attempt_id=attempt_id)

    house.door.files[FRAME] = PICTURE
    house.served_by(local=Hasty([MADE], name="local"))
    task_id = await house.submit(TWO_STAGES)

    assert (await house.run(task_id)).state is TaskState.CANCELLED
    await house.assert_charged(0)


async def test_cancel_while_a_stage_is_stored_records_nothing(house):
    put = house.storage.real.put_file

    async def put_and_cancel(path, key):
        await put(path, key)
        await cancel.cancel(house.gateway, house.caller, task_id)

    house.door.files[FRAME] = PICTURE
    house.storage.put_file = put_and_cancel
    task_id = await house.submit(TWO_STAGES)

    assert (await house.run(task_id)).state is TaskState.CANCELLED
    assert await house.assets(task_id) == []
    await house.assert_charged(0)


async def test_cancel_while_a_result_is_stored_discards_it(house):
    put = house.storage.real.put_file

    async def put_and_cancel(path, key):
        await put(path, key)
        await cancel.cancel(house.gateway, house.caller, task_id)

    house.storage.put_file = put_and_cancel
    task_id = await house.submit()

    assert (await house.run(task_id)).state is TaskState.CANCELLED
    assert house.stored == []
    await house.assert_charged(0)


async def test_cancel_while_the_second_of_two_is_stored_ends_quietly(house):
    put = house.storage.real.put_file

    async def put_and_cancel(path, key):
        await put(path, key)
        await cancel.cancel(house.gateway, house.caller, task_id)

    picture = OutputFile("output", path=SAMPLES / "simulated.png")
    house.answers(Finished(outputs=(picture, picture)))
    house.storage.put_file = put_and_cancel
    task_id = await house.submit(PICTURE_ASK)

    assert (await house.run(task_id)).state is TaskState.CANCELLED
    await house.assert_charged(0)


async def test_work_folder_that_is_lost_is_told_to_the_engine(house):
    async def lose(path, key):
        raise FileNotFoundError(path)

    house.storage.put_file = lose
    task_id = await house.submit()

    with pytest.raises(FileNotFoundError):
        await house.step(task_id)
    assert (await house.task(task_id)).state is TaskState.STORING


async def test_result_is_kept_for_its_days(house):
    house.limited(result_kept_ms=HOUR_MS)
    task_id = await house.submit()
    task = await house.run(task_id)

    (asset,) = await house.assets(task_id)
    assert asset.expires_at == task.expires_at == house.clock.now() + HOUR_MS


@pytest.mark.parametrize("finished", [MADE, AT_URL], ids=["here", "there"])
async def test_work_folder_that_went_with_its_machine_is_made_again(house, finished):
    house.door.files[URL] = VIDEO
    house.answers(UNDER_WAY, finished)
    task_id = await house.submit()
    await house.step(task_id)
    shutil.rmtree(house.gateway.work_folder)

    assert (await house.run(task_id)).state is TaskState.SUCCEEDED
    assert house.work == []
    await house.assert_charged(PRICE)
