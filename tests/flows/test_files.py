"""Owners read, download and delete what is theirs; to everybody else it never was."""

import base64
from dataclasses import replace

import pytest

from portico.catalogue.catalogue import build
from portico.catalogue.files import read_text
from portico.core.clock import DAY_MS
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaAsk, MediaInput, Role
from portico.core.money import MICRO
from portico.core.views import TaskState
from portico.flows import cancel, discard, download, lookup, upload
from portico.flows.text_prices import text_prices
from portico.media import service as media
from tests.flows.wiring import CREDITS, PICTURE, PICTURE_ASK, SCENE, UNDER_WAY, VIDEO

PRICE = 5 * MICRO


async def bytes_of(opened, start=0, end=None):
    end = opened.asset.size_bytes if end is None else end
    return b"".join([piece async for piece in await opened.read(start, end)])


async def refusal(opening):
    with pytest.raises(PorticoError) as caught:
        await opening
    return caught.value.code


async def test_owner_downloads_the_result_whole_and_in_part(house):
    task_id = await house.submit()
    await house.run(task_id)

    opened = await download.result_of(house.gateway, house.caller, task_id)

    assert await bytes_of(opened) == VIDEO
    assert await bytes_of(opened, 4, 8) == VIDEO[4:8]


async def test_owner_opens_a_single_file_by_its_id(house):
    task_id = await house.submit()
    await house.run(task_id)
    (asset,) = await house.assets(task_id)

    assert await bytes_of(await download.own_file(house.gateway, house.caller, asset.id)) == VIDEO
    assert await bytes_of(await download.by_link(house.gateway, asset.id)) == VIDEO


async def test_result_is_not_there_before_the_end_or_after_a_failure(house):
    house.answers(UNDER_WAY, PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed"))
    task_id = await house.submit()
    await house.step(task_id)

    early = download.result_of(house.gateway, house.caller, task_id)
    assert await refusal(early) is ErrorCode.RESULT_NOT_READY
    await house.run(task_id)
    failed = download.result_of(house.gateway, house.caller, task_id)
    assert await refusal(failed) is ErrorCode.RESULT_NOT_READY


async def test_foreign_task_is_as_unknown_as_none(house):
    task_id = await house.submit()
    await house.run(task_id)
    (asset,) = await house.assets(task_id)
    stranger = await house.other_caller("acc_b")

    for other in (task_id, 1, None):
        for look in (lookup.task, download.result_of, cancel.cancel, discard.discard):
            code = await refusal(look(house.gateway, stranger, other))
            assert code is ErrorCode.TASK_NOT_FOUND
    own = download.own_file(house.gateway, stranger, asset.id)
    assert await refusal(own) is ErrorCode.RESULT_EXPIRED


@pytest.mark.parametrize("asset_id", [None, "ast_unknown"])
async def test_link_to_nothing_is_expired(house, asset_id):
    assert await refusal(download.by_link(house.gateway, asset_id)) is ErrorCode.RESULT_EXPIRED


async def test_result_is_expired_at_its_moment_even_before_the_sweep(house):
    task_id = await house.submit()
    await house.run(task_id)
    house.clock.jump(15 * DAY_MS)

    opening = download.result_of(house.gateway, house.caller, task_id)
    assert await refusal(opening) is ErrorCode.RESULT_EXPIRED
    assert len(house.stored) == 1


async def test_deleted_task_is_gone_with_its_file_and_prompt_and_stays_paid(house):
    task_id = await house.submit()
    await house.run(task_id)

    await discard.discard(house.gateway, house.caller, task_id)

    assert house.stored == []
    assert (await house.task(task_id)).job == "{}"
    gone = lookup.task(house.gateway, house.caller, task_id)
    assert await refusal(gone) is ErrorCode.TASK_NOT_FOUND
    again = discard.discard(house.gateway, house.caller, task_id)
    assert await refusal(again) is ErrorCode.TASK_NOT_FOUND
    await house.assert_charged(PRICE)


async def test_deleting_a_task_under_way_cancels_and_refunds_it(house):
    house.answers(UNDER_WAY)
    task_id = await house.submit()
    await house.step(task_id)

    await discard.discard(house.gateway, house.caller, task_id)

    assert house.upstream.cancelled == ["job-1"]
    assert (await house.task(task_id)).state is TaskState.CANCELLED
    assert await house.step(task_id) is None
    await house.assert_charged(0)


async def test_upload_is_an_input_that_is_fetched_from_our_storage(house):
    async def pieces():
        yield PICTURE

    asset_id = await upload.upload(house.gateway, house.caller, pieces())
    ask = MediaAsk(
        dialect="portico",
        name="portico/scene",
        prompt="sea",
        inputs=(MediaInput(Role.FIRST_FRAME, asset_id=asset_id),),
    )

    task = await house.run(await house.submit(ask))

    (given,) = house.upstream.started[0][1].inputs
    assert (task.state, given.media_type) == (TaskState.SUCCEEDED, "image/png")
    foreign = await house.other_caller("acc_b")
    house.caller = foreign
    assert await refusal(house.submit(ask)) is ErrorCode.MEDIA_UNREACHABLE


@pytest.mark.parametrize("reachable", [True, False])
async def test_upload_has_a_link_for_upstreams_only_where_they_reach_us(house, reachable):
    house.limited(is_reachable=reachable)
    asset_id = await upload.upload(house.gateway, house.caller, base64.b64encode(PICTURE).decode())
    inputs = (MediaInput(Role.FIRST_FRAME, asset_id=asset_id),)
    ask = MediaAsk(dialect="portico", name="portico/scene", prompt="sea", inputs=inputs)
    await house.run(await house.submit(ask))

    (given,) = house.upstream.started[0][1].inputs
    assert given.url is None
    if not reachable:
        assert given.link is None
        return
    token = given.link.removeprefix(f"{house.gateway.public_url}/files/").partition("/")[0]
    assert house.gateway.links.verify(token, now=house.gateway.clock.now()) == asset_id


async def test_upload_that_was_swept_fails_the_task_with_a_refund(house):
    asset_id = await upload.upload(house.gateway, house.caller, base64.b64encode(PICTURE).decode())
    ask = MediaAsk(
        dialect="portico",
        name="portico/scene",
        prompt="sea",
        inputs=(MediaInput(Role.FIRST_FRAME, asset_id=asset_id),),
    )
    task_id = await house.submit(ask)
    await house.gateway.store.write(lambda tx: media.mark_deleted(tx, [asset_id], now=1))

    assert (await house.run(task_id)).failure_code is ErrorCode.MEDIA_UNREACHABLE
    await house.assert_charged(0)


async def test_lists_page_on_in_either_order_and_know_their_kind(house):
    ids = [await house.submit(ask) for ask in (SCENE, PICTURE_ASK, SCENE)]
    videos = [ids[0], ids[2]]
    gateway, caller = house.gateway, house.caller

    newest = await lookup.task_list(gateway, caller, limit=2, before_id=2**62)
    rest = await lookup.task_list(gateway, caller, limit=2, before_id=newest[-1].id)
    assert [each.id for each in newest + rest] == ids[::-1]
    down = await lookup.page(gateway, caller, Kind.VIDEO, limit=9)
    up = await lookup.page(gateway, caller, Kind.VIDEO, limit=9, oldest_first=True)
    after = await lookup.page(
        gateway, caller, Kind.VIDEO, limit=9, after_id=videos[0], oldest_first=True
    )
    assert [each.id for each in down] == videos[::-1]
    assert ([each.id for each in up], [each.id for each in after]) == (videos, videos[1:])


async def test_balance_and_offerings_are_shown_to_their_owner(house):
    assert (await lookup.balance(house.gateway, house.caller)).available == CREDITS
    kinds = {each.kind for each in lookup.offerings(house.gateway, "portico", Kind.IMAGE)}
    assert kinds == {Kind.IMAGE}


async def test_texts_are_listed_with_their_price_for_a_million_llm_tokens(house):
    listed = {each.offering.name: each for each in text_prices(house.gateway, "portico")}
    assert listed["portico-echo"].input == listed["portico-echo"].output == MICRO


async def test_texts_not_on_sale_now_are_not_listed(house):
    later = """
[[models]]
id = "m"
title = "M"
kind = "text"
provider_label = "m"
routes = [{ provider = "local", upstream_model = "echo" }]
[[offerings]]
dialects = ["portico"]
name = "later"
model = "m"
price = [{ rule = "per_llm_token", input = "1", output = "1", from = 2100-01-01T00:00:00Z }]
"""
    house.gateway = replace(
        house.gateway, catalogue=build([{"later.toml": read_text("later.toml", later)}])
    )
    assert text_prices(house.gateway, "portico") == ()
