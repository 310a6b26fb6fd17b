"""A full disk (F28): refused in shape before any debit; all goes on once there is room again."""

import asyncio
import errno
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from starlette.datastructures import UploadFile

from portico.core import faults
from portico.flows import administer
from portico.store.open import is_postgres
from tests.contract.gateways import PICTURE, UNDER_WAY, Wired, made
from tests.hostile.evil_host import EvilHost, says
from tests.hostile.shapes import check_refusal
from tests.hostile.standing import held, standing
from tests.hostile.surface import WORKING, Door, sound
from tests.raw_sql import raw_sql

pytestmark = pytest.mark.asyncio(loop_scope="module")
BUSY = {
    "xiaoyang": 502,
    "xpilot": 500,
    "apixo": 503,
    "yuanjing": 503,
    "openai": 503,
    "portico": 503,
}
SUBMIT = "/portico/v1/tasks"
POINTS = (
    "gather.before_fetch",
    "gather.after_store",
    "attempt.before_commit",
    "collect.before_store",
    "file.before_write",
    "settle.before_commit",
    "writer.before_commit",
)
NO_ROOM = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file "x"' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER no_room BEFORE INSERT ON tasks EXECUTE FUNCTION no_room()
"""
SPOOLED = PICTURE + b"\0" * 2 * 2**20  # too large for a form to keep in memory


@asynccontextmanager
async def full_database(gateway: Wired) -> AsyncIterator[None]:
    """Let the database find no room for another page or row, as on a full disk."""
    url = gateway.app.settings.database
    if is_postgres(url):
        async with raw_sql(url) as sql:
            await sql.execute(NO_ROOM)
            try:
                yield
            finally:
                await sql.execute("DROP FUNCTION no_room() CASCADE")
        return
    store: Any = gateway.gateway.store
    connection = store._writer
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages}")
    try:
        yield
    finally:
        connection.execute("PRAGMA max_page_count=1073741823")


@contextmanager
def no_room(*points: str) -> Iterator[None]:
    """Let every write that passes one of these points find the disk full."""

    def fail(name: str) -> None:
        if name in points:
            raise OSError(errno.ENOSPC, "No space left on device", "/secret/path")

    faults.arm(fail)
    try:
        yield
    finally:
        faults.arm(None)


@pytest.mark.parametrize("door", WORKING, ids=str)
async def test_commit_that_finds_no_room_is_refused_in_shape(gateway: Wired, host, door: Door):
    if door.template.endswith("quote"):
        return  # writes nothing
    before = await standing(gateway)
    with no_room("writer.before_commit"):
        answer = await gateway.post(door.path, sound(door, host.url))
        check_refusal(door.dialect, answer, statuses=frozenset({BUSY[door.dialect]}))
        assert await standing(gateway) == before
    answer = await gateway.post(door.path, sound(door, host.url))
    assert answer.status_code in {200, 202}


async def test_full_database_refuses_until_there_is_room(gateway: Wired):
    refused = 0
    async with full_database(gateway):
        for number in range(400):
            before = await standing(gateway)
            answer = await gateway.post(SUBMIT, {"prompt": f"{number} " + "a boat " * 200})
            if answer.status_code == 202:
                continue
            check_refusal("portico", answer, statuses=frozenset({503}))
            assert answer.headers["retry-after"]
            assert (await standing(gateway)).tasks == before.tasks
            refused += 1
            if refused == 3:
                break
        assert refused == 3
        assert (await gateway.get("/portico/v1/balance")).status_code == 200
    answer = await gateway.post(f"{SUBMIT}?wait=30", {"prompt": "a boat"})
    assert answer.json()["task"]["state"] == "succeeded"
    await quiet(gateway)
    assert await administer.verify(gateway.desk) == []


@pytest.mark.parametrize("path", ["/llmage/video", "/v1/videos", "/v1/images/edits"])
async def test_upload_that_finds_no_room_is_refused_in_shape(gateway: Wired, path: str):
    model = {"/v1/videos": "seedance-2.0", "/v1/images/edits": "seedream-4.5"}
    fields = {"prompt": "a cat", "model": model.get(path, "viduq3-pro")}
    fields |= {"llmid": "FK_h7FLYnosv2TkMN4ATC"} if "llmage" in path else {}
    name = {"/v1/videos": "input_reference", "/v1/images/edits": "image"}.get(path, "image1_file")
    before = await standing(gateway)
    for point in ("file.before_write", "file.before_rename"):
        with no_room(point):
            files = {name: ("a.png", SPOOLED, "image/png")}
            answer = await gateway.client.post(path, data=fields, files=files)
        dialect = "yuanjing" if "llmage" in path else "openai"
        check_refusal(dialect, answer, statuses=frozenset({503}))
    assert await standing(gateway) == before


async def test_form_that_cannot_be_spooled_is_refused_in_shape(gateway: Wired, monkeypatch):
    async def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/secret/path")

    monkeypatch.setattr(UploadFile, "write", fail)
    before = await standing(gateway)
    files = {"image1_file": ("a.png", SPOOLED, "image/png")}
    answer = await gateway.client.post("/llmage/video", data={"prompt": "a"}, files=files)
    check_refusal("yuanjing", answer, statuses=frozenset({503}))
    assert await standing(gateway) == before


@pytest.mark.parametrize("point", POINTS)
async def test_task_under_way_waits_for_room_or_is_refunded(
    gateway: Wired, evil: EvilHost, point: str
):
    before = await standing(gateway)
    gateway.answers(UNDER_WAY)
    inputs = [{"role": "first_frame", "url": evil.url("/a.png", says(PICTURE))}]
    answer = await gateway.post(SUBMIT, {"prompt": "a boat", "inputs": inputs})
    seen = task = answer.json()["task"]
    gateway.answers(made())
    with no_room(point):
        for _ in range(5):
            gateway.gateway.engine.wake(int(task["id"]))
            await asyncio.sleep(0.02)
            await gateway.clock.advance(5)
    for _ in range(200):
        seen = (await gateway.get(f"{SUBMIT}/{task['id']}")).json()
        if seen["finished_at"]:
            break
        gateway.gateway.engine.wake(int(task["id"]))
        await gateway.clock.advance(10)
        await asyncio.sleep(0.01)
    assert seen["state"] in {"succeeded", "failed"}, seen
    await quiet(gateway)
    paid = before.available - (await standing(gateway)).available
    assert paid == (int(task["price"]) * 1_000_000 if seen["state"] == "succeeded" else 0)
    assert "secret" not in str(seen)


async def test_text_whose_end_finds_no_room_is_settled_later(gateway: Wired):
    before = await standing(gateway)
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
    commits = 0

    def fail(name: str) -> None:
        nonlocal commits
        if name == "writer.before_commit":
            commits += 1
            if commits > 1:
                raise OSError(errno.ENOSPC, "No space left on device")

    faults.arm(fail)
    try:
        answer = await asyncio.wait_for(gateway.post("/v1/chat/completions", asked), 5)
        check_refusal("openai", answer, statuses=frozenset({502, 503}))
        assert await held(gateway) > 0
    finally:
        faults.arm(None)
    await quiet(gateway)
    assert (await standing(gateway)).available == before.available


async def test_books_add_up_after_all_that(gateway: Wired):
    await quiet(gateway)
    assert await held(gateway) == 0
    assert await administer.verify(gateway.desk) == []


async def quiet(gateway: Wired) -> None:
    """Let time pass until nothing is held any more."""
    for _ in range(300):
        if await held(gateway) == 0:
            return
        await gateway.clock.advance(10)
        await asyncio.sleep(0.01)
