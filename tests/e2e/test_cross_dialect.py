"""A task belongs to an account, not to a dialect: made in one, it can be read in all others."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.money import MICRO
from portico.flows import administer
from tests.contract.gateways import UNDER_WAY, VIDEO, Wired, made, started
from tests.contract.media_host import MediaHost, media_host

pytestmark = pytest.mark.e2e

SUBMITS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {  # path, body, where the id is
    "xiaoyang": (
        "/api/v1/tasks",
        {
            "modal_key": "img2vid_v30",
            "option_key": "5_off",
            "prompt": "pan",
            "image_url": "PICTURE",
        },
        ("task_id",),
    ),
    "xpilot": (
        "/api/v1/video/generate",
        {"model": "seedance-2.0/text-to-video", "prompt": "sea", "duration": 4},
        ("task_id",),
    ),
    "apixo": (
        "/api/v1/generateTask/wan-2-5",
        {"request_type": "async", "input": {"mode": "text-to-video", "prompt": "sea"}},
        ("data", "taskId"),
    ),
    "yuanjing": ("/llmage/video", {"llmid": "o5vfXYD5BURJWRTWpopE5", "prompt": "sea"}, ("taskid",)),
    "openai": ("/v1/videos", {"model": "portico/scene", "prompt": "sea"}, ("id",)),
    "portico": ("/portico/v1/tasks", {"prompt": "sea"}, ("task", "id")),
}
READS: dict[str, tuple[str, tuple[str, ...]]] = {  # path, where the state's word is
    "xiaoyang": ("/api/v1/tasks/{}", ("status",)),
    "xpilot": ("/api/v1/video/{}", ("status",)),
    "apixo": ("/api/v1/statusTask/wan-2-5?taskId={}", ("data", "state")),
    "yuanjing": ("/llmage/tasks?taskid={}", ("status",)),
    "openai": ("/v1/videos/{}", ("status",)),
    "portico": ("/portico/v1/tasks/{}", ("state",)),
}
WORDS = {  # as the four pages, OpenAI's reference and our own dialect have them
    "running": ("PROCESSING", "processing", "processing", "RUNNING", "in_progress", "running"),
    "succeeded": ("SUCCESS", "completed", "success", "SUCCEEDED", "completed", "succeeded"),
    "failed": ("FAIL", "failed", "failed", "FAILED", "failed", "failed"),
    "cancelled": ("FAIL", "failed", "failed", "FAILED", "failed", "cancelled"),
}
DOWNLOADS = {
    "xiaoyang": "/api/v1/tasks/{}/download",
    "openai": "/v1/videos/{}/content",
    "portico": "/portico/v1/tasks/{}/download",
}


@pytest.fixture(scope="module")
def host() -> Iterator[MediaHost]:
    with media_host() as running:
        yield running


@pytest.fixture
async def wired(tmp_path: Path, host: MediaHost, database: str) -> AsyncIterator[Wired]:
    given: dict[str, Any] = {"private_hosts": host.address, "database_url": database}
    async with started(tmp_path, script=[UNDER_WAY], **given) as gateway:
        yield gateway


def found(answer: Any, path: tuple[str, ...]) -> str:
    for name in path:
        answer = answer[name]
    return str(answer)


async def submit(wired: Wired, dialect: str, host: MediaHost) -> str:
    """Submit a task in a dialect; returns its id without what dialects put before it."""
    path, body, where = SUBMITS[dialect]
    given: dict[str, Any] = {name: f"{host.url}/a.png" if value == "PICTURE" else value
             for name, value in body.items()}  # fmt: skip
    answer = await wired.post(path, given)
    assert answer.status_code in {200, 202}, answer.text
    return found(answer.json(), where).rpartition("_")[2]


async def words(wired: Wired, task_id: str) -> tuple[str, ...]:
    """Read a task in every dialect; returns each one's word for its state."""
    heard = []
    for path, where in READS.values():
        answer = await wired.get(path.format(task_id))
        assert answer.status_code == 200, answer.text
        assert task_id in answer.text
        heard.append(found(answer.json(), where))
    return tuple(heard)


async def reach(wired: Wired, task_id: str, state: str) -> None:
    await wired.reach(f"/portico/v1/tasks/{task_id}", [state], wake=True)


@pytest.mark.parametrize("dialect", SUBMITS)
async def test_task_is_read_in_every_dialect_in_its_words(wired, host, dialect):
    task_id = await submit(wired, dialect, host)
    await reach(wired, task_id, "running")
    assert await words(wired, task_id) == WORDS["running"]

    wired.answers(made())
    await reach(wired, task_id, "succeeded")

    assert await words(wired, task_id) == WORDS["succeeded"]
    for path in DOWNLOADS.values():
        answer = await wired.get(path.format(task_id))
        assert answer.content == VIDEO


@pytest.mark.parametrize("dialect", SUBMITS)
async def test_failed_task_is_failed_and_refunded_in_every_dialect(wired, host, dialect):
    wired.answers(PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed"))
    task_id = await submit(wired, dialect, host)
    await reach(wired, task_id, "failed")

    assert await words(wired, task_id) == WORDS["failed"]
    assert await wired.balance() == "1000"


async def test_cancelled_task_is_said_by_each_as_it_can(wired, host):
    task_id = await submit(wired, "xpilot", host)
    await wired.post(f"/portico/v1/tasks/{task_id}/cancel", {})

    assert await words(wired, task_id) == WORDS["cancelled"]
    assert await wired.balance() == "1000"


async def test_tasks_of_all_dialects_share_one_balance(wired, host):
    before = int(await wired.balance())
    for dialect in SUBMITS:
        await submit(wired, dialect, host)

    tasks = (await wired.get("/portico/v1/tasks")).json()["tasks"]
    assert len(tasks) == len(SUBMITS)
    assert int(await wired.balance()) == before - sum(int(task["price"]) for task in tasks)


@pytest.fixture
async def stranger(wired: Wired) -> dict[str, str]:
    """Headers of somebody else with credits."""
    await administer.create_account(wired.desk, "other@example.com", amount=MICRO)
    key = await administer.create_key(wired.desk, "other@example.com")
    return {"authorization": f"Bearer {key.key}"}


async def test_foreign_task_and_unknown_one_are_the_same_404_everywhere(wired, host, stranger):
    task_id = await submit(wired, "portico", host)
    wired.answers(made())
    await reach(wired, task_id, "succeeded")
    unknown = str(int(task_id) + 1)
    paths = [path for path, _ in READS.values()] + list(DOWNLOADS.values())

    for path in paths:
        foreign = await wired.get(path.format(task_id), headers=stranger)
        never_was = await wired.get(path.format(unknown), headers=stranger)
        malformed = await wired.get(path.format("x"), headers=stranger)
        told = {(each.status_code, shape(each.text)) for each in (foreign, never_was, malformed)}
        assert told == {(404, shape(never_was.text))}, path


async def test_foreign_task_can_be_neither_cancelled_nor_deleted(wired, host, stranger):
    task_id = await submit(wired, "portico", host)

    cancelled = await wired.client.post(f"/portico/v1/tasks/{task_id}/cancel", headers=stranger)
    deleted = await wired.client.delete(f"/v1/videos/{task_id}", headers=stranger)

    assert (cancelled.status_code, deleted.status_code) == (404, 404)
    await asyncio.sleep(0)
    assert (await wired.get(f"/portico/v1/tasks/{task_id}")).json()["state"] != "cancelled"


def shape(text: str) -> str:
    """Return an error's very text; no dialect repeats the id that was asked for."""
    assert not any(each.isdigit() and len(each) > 14 for each in text.split('"'))
    return text
