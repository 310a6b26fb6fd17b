"""F29: results in a bucket, links that lead there, and what every dialect says in an outage."""

import asyncio
from typing import Any

import pytest
import requests
from httpx2 import Response

from portico.core.clock import DAY_MS
from portico.core.errors import PorticoError
from portico.flows import administer
from portico.flows.sweep import sweep
from portico.pages.health import STORAGE_CHECKED_EVERY_S
from tests.contract.gateways import PICTURE, PUBLIC_URL, UNDER_WAY, VIDEO, Wired, made
from tests.hostile.shapes import check_refusal
from tests.s3 import SECRET

TASKS = "/portico/v1/tasks"
SUBMIT = {"prompt": "a lake"}
AWAY = {"xiaoyang": 502, "yuanjing": 503, "portico": 503}  # XiaoYang's page has no 503


@pytest.fixture
def kind() -> str:
    """One kind of database is enough: what lies in a bucket is none of its business."""
    return "sqlite"


async def submitted(gateway: Wired) -> str:
    answer = await gateway.post(TASKS, SUBMIT)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task"]["id"])


async def link_to(gateway: Wired, task_id: str) -> str:
    task = (await gateway.reach(f"{TASKS}/{task_id}", ["succeeded"])).json()
    return str(task["outputs"][0]["url"]).removeprefix(PUBLIC_URL)


async def idfile_of(gateway: Wired, task_id: str) -> str:
    task = (await gateway.get("/llmage/tasks", params={"taskid": task_id})).json()
    return str(task["video"]).removeprefix(PUBLIC_URL)


async def places(gateway: Wired, task_id: str) -> dict[str, list[str]]:
    """Return every path a result can be had at, by the dialect that owns it."""
    return {
        "xiaoyang": [f"/api/v1/tasks/{task_id}/download"],
        "portico": [f"{TASKS}/{task_id}/download", await link_to(gateway, task_id)],
        "yuanjing": [await idfile_of(gateway, task_id)],
    }


async def as_player(gateway: Wired, path: str, *, method: str = "GET", **headers: str) -> Response:
    """Ask without a key, as whoever is handed a link."""
    key = gateway.client.headers.pop("authorization")
    try:
        return await gateway.client.request(method, path, headers=headers)
    finally:
        gateway.client.headers["authorization"] = key


async def fetched(method: str, url: str, **given: Any) -> requests.Response:
    return await asyncio.to_thread(requests.request, method, url, timeout=10, **given)


@pytest.fixture
async def signing(start, bucket) -> Wired:
    wired: Wired = await start(storage_url=bucket.url, storage_links="signed")
    return wired


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_link_leads_a_player_to_the_bucket(signing, bucket, method):
    path = await link_to(signing, await submitted(signing))

    answer = await as_player(signing, path, method=method, range="bytes=0-9")

    assert (answer.status_code, answer.content) == (307, b"")
    assert answer.headers["cache-control"] == "no-store"
    url = answer.headers["location"]
    assert url.startswith(f"{bucket.server.url}/{bucket.name}/kept/")
    assert "X-Amz-Expires=3600&" in url
    assert SECRET not in url
    found = await fetched(method, url, headers={"Range": "bytes=0-9"})
    assert found.status_code == 206
    assert found.content == (VIDEO[:10] if method == "GET" else b"")


async def test_link_to_the_bucket_ends_with_the_result(signing):
    path = await link_to(signing, await submitted(signing))
    await signing.clock.advance(15 * DAY_MS / 1_000 - 90)
    assert "X-Amz-Expires=90&" in (await as_player(signing, path)).headers["location"]
    await signing.clock.advance(91)
    check_refusal("portico", await as_player(signing, path))


async def test_caller_that_a_redirect_would_hurt_gets_the_file(signing):
    """A key must not travel on, our pages load nothing from elsewhere, two contracts say bytes."""
    task_id = await submitted(signing)
    path = await link_to(signing, task_id)
    by_page = await as_player(signing, path, **{"sec-fetch-site": "same-origin"})
    answers = [by_page, await as_player(signing, await idfile_of(signing, task_id))]
    for paths in (await places(signing, task_id)).values():
        answers += [await signing.get(each) for each in paths]
    assert {(each.status_code, each.content) for each in answers} == {(200, VIDEO)}


async def test_by_default_the_bucket_stays_behind_this_server(start, bucket):
    gateway = await start(storage_url=bucket.url)
    answer = await as_player(gateway, await link_to(gateway, await submitted(gateway)))
    assert (answer.status_code, answer.content) == (200, VIDEO)


async def test_outage_delays_tasks_and_is_told_in_every_shape(start, frail_bucket):
    gateway = await start(storage_url=frail_bucket.url)
    before = await places(gateway, await submitted(gateway))
    gateway.answers(UNDER_WAY)
    late = await submitted(gateway)
    await gateway.reach(f"{TASKS}/{late}", ["running"])
    balance = await gateway.balance()

    frail_bucket.server.stop()
    gateway.answers(made())
    await gateway.reach(f"{TASKS}/{late}", ["storing"], wake=True)
    for dialect, paths in before.items():
        for path in paths:
            answer = await gateway.get(path)
            check_refusal(dialect, answer, statuses=frozenset({AWAY[dialect]}))
            assert answer.headers["retry-after"] == "5"
    upload = {"image1_file": ("a.png", PICTURE, "image/png")}
    form = {"llmid": "FK_h7FLYnosv2TkMN4ATC", "prompt": "a cat", "model": "viduq3-pro"}
    answer = await gateway.client.post("/llmage/video", data=form, files=upload)
    check_refusal("yuanjing", answer, statuses=frozenset({503}))
    await gateway.clock.advance(STORAGE_CHECKED_EVERY_S)
    ready = await gateway.get("/readyz")
    assert (ready.status_code, ready.json()["failing"]) == (503, ["storage"])
    for _ in range(3):  # it is tried again and again, and costs nothing but time
        gateway.gateway.engine.wake(int(late))
        await gateway.clock.advance(60)
    assert (await gateway.get(f"{TASKS}/{late}")).json()["state"] == "storing"
    assert await gateway.balance() == balance

    frail_bucket.server.start()
    frail_bucket.server.make_bucket(frail_bucket.name)
    path = await _link_after_waking(gateway, late)
    assert (await gateway.get(path)).content == VIDEO
    await gateway.clock.advance(STORAGE_CHECKED_EVERY_S)
    assert (await gateway.get("/readyz")).status_code == 200
    assert await administer.verify(gateway.desk) == []


async def test_sweep_that_finds_no_bucket_forgets_nothing(start, frail_bucket):
    gateway = await start(storage_url=frail_bucket.url)
    await link_to(gateway, await submitted(gateway))
    frail_bucket.server.stop()
    await gateway.clock.advance(16 * DAY_MS / 1_000)
    for _ in range(2):
        with pytest.raises(PorticoError, match="Storage is unavailable"):
            await sweep(gateway.gateway)
    frail_bucket.server.start()
    frail_bucket.server.make_bucket(frail_bucket.name)
    for _ in range(2):  # the first time its row is still due; then it is known to have gone
        await sweep(gateway.gateway)
        assert sum("?delete" in line for line in frail_bucket.requests_seen()) == 1


async def _link_after_waking(gateway: Wired, task_id: str) -> str:
    await gateway.reach(f"{TASKS}/{task_id}", ["succeeded"], wake=True)
    return await link_to(gateway, task_id)
