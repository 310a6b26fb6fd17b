"""Upstreams and an environment that misbehave, as seen over the wire: F16 to F18, F30, F35, F36."""

import asyncio
import re
from typing import Any

import pytest

from portico import catalogue
from portico.catalogue import Catalogue
from portico.core.clock import DAY_MS, HOUR_MS
from portico.core.errors import ErrorCode, PorticoError
from portico.core.views import TaskState
from portico.flows import administer
from portico.media.inspection import Inspector, MediaLimits
from portico.providers.base import Finished, OutputFile
from tests.contract.gateways import PICTURE, UNDER_WAY, VIDEO, Wired, made
from tests.hostile.evil_host import HTML, MP4, PAGE, PNG, Answer, EvilHost, never_ends, says
from tests.hostile.standing import held, standing

pytestmark = pytest.mark.asyncio(loop_scope="module")
SUBMIT = "/portico/v1/tasks"
BOAT = {"prompt": "a boat"}
# how each dialect tells of a task that failed upstream; ID stands for the task
FAILED = {
    "/api/v1/tasks/ID": r'"status":"FAIL","error_message":"Generation failed","video_url":null,',
    "/api/v1/video/ID": r'"status":"failed","outputs":\[\],.*"error":"Generation failed"}$',
    "/api/v1/statusTask/wan-2-5?taskId=ID": (
        r'"state":"failed","failCode":"GENERATION_FAILED","failMsg":"Generation failed",'
    ),
    "/llmage/tasks?taskid=ID": r'"status":"FAILED",.*"error":"Generation failed"}$',
    "/v1/videos/video_ID": r'"status":"failed",.*"error":{"code":"[a-z_]+","message":"Generation',
    "/portico/v1/tasks/ID": r'"state":"failed",.*"error":{"code":"upstream_failed","message":"Gen',
}
REFUSED = {
    "/api/v1/tasks/ID": r'"status":"FAIL","error_message":"Content does not meet',
    "/api/v1/video/ID": r'"status":"failed",.*"error":"Content does not meet',
    "/api/v1/statusTask/wan-2-5?taskId=ID": r'"failCode":"CONTENT_VIOLATION","failMsg":"Content',
    "/llmage/tasks?taskid=ID": r'"status":"FAILED",.*"error":"Content does not meet',
    "/v1/videos/video_ID": r'"error":{"code":"moderation_blocked","message":"Content does not',
    "/portico/v1/tasks/ID": r'"error":{"code":"content_refused","message":"Content does not meet',
}
SAFETY = PorticoError(ErrorCode.CONTENT_REFUSED, "Content does not meet safety guidelines")
BROKEN = PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
# F17: what an upstream may call its result; None stands for no output at all
RESULTS: dict[str, tuple[Answer, ...] | str | None] = {
    "no output": None,
    "empty URL": "",
    "private": "http://10.0.0.1/a.mp4",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "file": "file:///etc/passwd",
    "share page": "https://drive.google.com/file/d/1/view",
    "dead": (says(b"", status="404 Not Found"),),
    "page": (HTML,),
    "page that says it is a video": (says(PAGE, kind="video/mp4"),),
    "picture for a video": (PNG,),
    "zero bytes": (says(b"", kind="video/mp4"),),
    "truncated": (says(VIDEO[: len(VIDEO) // 2], kind="video/mp4"),),
    "ffconcat": (says(b"ffconcat version 1.0\nfile /etc/passwd\n", kind="video/mp4"),),
    "broken inside": (says(VIDEO[:64] + b"\0" * 2_000, kind="video/mp4"),),
}


@pytest.mark.parametrize("name", RESULTS)
async def test_result_that_is_no_video_fails_the_task_with_a_refund(
    gateway: Wired, evil: EvilHost, name: str
):
    before = await standing(gateway)
    told = RESULTS[name]
    outputs: tuple[OutputFile, ...] = ()
    if told is not None:
        url = told if isinstance(told, str) else evil.url("/" + name.replace(" ", "-"), *told)
        outputs = (OutputFile("output", url=url),)
    gateway.answers(Finished(outputs=outputs))
    task_id = await submitted(gateway)
    assert await ended(gateway, task_id) == "failed"
    await check_told(gateway, task_id, FAILED)
    assert (await standing(gateway)).available == before.available
    assert await held(gateway) == 0


async def test_result_link_that_comes_late_is_fetched_again(gateway: Wired, evil: EvilHost):
    missing = says(b"", status="404 Not Found")
    url = evil.url("/late.mp4", missing, HTML_LATER, MP4)
    gateway.answers(Finished(outputs=(OutputFile("output", url=url),)))
    task_id = await submitted(gateway)
    assert await ended(gateway, task_id) == "succeeded"


HTML_LATER = says(b"", status="503 Busy")


async def test_endless_result_is_cut_and_refunded(gateway: Wired, evil: EvilHost):
    before = await standing(gateway)
    limits = gateway.gateway.limits
    small = 1 * 2**20
    object.__setattr__(limits, "video_size_max_bytes", small)
    try:
        url = evil.url("/endless.mp4", never_ends)
        gateway.answers(Finished(outputs=(OutputFile("output", url=url),)))
        assert await ended(gateway, await submitted(gateway)) == "failed"
    finally:
        object.__setattr__(limits, "video_size_max_bytes", 200 * 2**20)
    assert (await standing(gateway)).available == before.available


@pytest.mark.parametrize(("first", "then"), [(made(), BROKEN), (BROKEN, made()), (SAFETY, made())])
async def test_first_final_state_stands(gateway: Wired, first: Any, then: Any):
    gateway.answers(UNDER_WAY, first)
    task_id = await submitted(gateway)
    await gateway.reach(f"{SUBMIT}/{task_id}", ["running"])
    gateway.gateway.engine.wake(int(task_id))
    state = await ended(gateway, task_id)
    shown, money = (await gateway.get(f"{SUBMIT}/{task_id}")).text, await standing(gateway)
    for answer in (then, UNDER_WAY, then):
        gateway.answers(answer)
        gateway.gateway.engine.wake(int(task_id))
        await asyncio.sleep(0.02)
    assert state == ("succeeded" if first == made() else "failed")
    assert without_links((await gateway.get(f"{SUBMIT}/{task_id}")).text) == without_links(shown)
    assert await standing(gateway) == money


@pytest.mark.parametrize("script", [(SAFETY,), (UNDER_WAY, SAFETY)], ids=["start", "check"])
async def test_content_violation_is_refunded_and_named(gateway: Wired, script: Any):
    before = await standing(gateway)
    gateway.answers(*script)
    task_id = await submitted(gateway)
    if len(script) > 1:
        await gateway.reach(f"{SUBMIT}/{task_id}", ["running"])
        gateway.gateway.engine.wake(int(task_id))
    assert await ended(gateway, task_id) == "failed"
    await check_told(gateway, task_id, REFUSED)
    assert (await standing(gateway)).available == before.available


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("secret of an upstream"),
        ValueError("secret of an upstream"),
        PorticoError(ErrorCode.OVERLOADED, "secret of an upstream"),
        PorticoError(ErrorCode.UNAUTHENTICATED, "secret of an upstream"),
        PorticoError(ErrorCode.INSUFFICIENT_CREDITS, "secret of an upstream"),
        PorticoError(ErrorCode.NOT_ALLOWED, "secret of an upstream"),
    ],
    ids=lambda error: getattr(error, "code", type(error).__name__),
)
async def test_whatever_an_upstream_raises_ends_refunded_and_untold(gateway: Wired, error):
    before = await standing(gateway)
    gateway.answers(error)
    task_id = await submitted(gateway)
    assert await ended(gateway, task_id, step_s=120) in {"failed", "expired"}
    for path in FAILED:
        answer = await gateway.get(path.replace("ID", task_id))
        assert answer.status_code == 200
        for word in ("secret", "API key", "balance", "credit ", "Internal"):
            assert word not in answer.text, (path, answer.text)
    assert (await standing(gateway)).available == before.available


@pytest.mark.parametrize("by_ms", [HOUR_MS, -HOUR_MS, DAY_MS, -DAY_MS])
async def test_wall_clock_that_jumps_costs_nobody_anything(gateway: Wired, by_ms: int):
    before = await standing(gateway)
    gateway.answers(UNDER_WAY)
    key = {"idempotency-key": f"jump {by_ms}"}
    first = await gateway.post(SUBMIT, BOAT, **key)
    task_id = first.json()["task"]["id"]
    price = before.available - (await standing(gateway)).available
    await gateway.reach(f"{SUBMIT}/{task_id}", ["running"])

    gateway.clock.jump(by_ms)
    again = await gateway.post(SUBMIT, BOAT, **key)
    assert again.json()["task"]["id"] == task_id
    gateway.answers(made())
    gateway.gateway.engine.wake(int(task_id))
    state = await ended(gateway, task_id, step_s=0)
    assert state == ("succeeded" if by_ms < 0 else "expired")
    paid = before.available - (await standing(gateway)).available
    assert paid == (price if state == "succeeded" else 0)

    later = await gateway.post(f"{SUBMIT}?wait=60", BOAT)  # and life goes on
    assert later.json()["task"]["state"] == "succeeded"
    assert int(later.json()["task"]["id"]) > int(task_id)
    gateway.clock.jump(-by_ms)
    assert await administer.verify(gateway.desk) == []


@pytest.mark.parametrize(
    "limits",
    [
        MediaLimits(picture_s=0.05),
        MediaLimits(picture_memory_bytes=8 * 2**20),
        MediaLimits(picture_cpu_s=0),
    ],
    ids=["hangs", "eats memory", "dies"],
)
async def test_decoder_that_does_not_come_back_fails_the_task(
    gateway: Wired, evil: EvilHost, limits: MediaLimits
):
    before = await standing(gateway)
    usual = gateway.gateway.inspector
    object.__setattr__(gateway.gateway, "inspector", Inspector(limits))
    gateway.answers(made())
    try:
        inputs = [{"role": "first_frame", "url": evil.url("/a.png", says(PICTURE))}]
        task_id = await submitted(gateway, BOAT | {"inputs": inputs})
        assert await ended(gateway, task_id) == "failed"
    finally:
        object.__setattr__(gateway.gateway, "inspector", usual)
    answer = await gateway.get(f"/api/v1/tasks/{task_id}")
    assert answer.json()["error_message"].startswith("E_DIRECT_MEDIA_URL: ")
    assert (await standing(gateway)).available == before.available
    assert await held(gateway) == 0


async def test_task_of_a_model_that_is_sold_no_more_goes_on_at_its_price(gateway: Wired):
    before = await standing(gateway)
    gateway.answers(UNDER_WAY)
    task_id = await submitted(gateway)
    price = before.available - (await standing(gateway)).available
    await gateway.reach(f"{SUBMIT}/{task_id}", ["running"])
    usual = gateway.gateway.catalogue
    object.__setattr__(gateway.gateway, "catalogue", Catalogue([], []))
    try:
        gateway.answers(made())
        gateway.gateway.engine.wake(int(task_id))
        assert await ended(gateway, task_id) == "succeeded"
        for path in FAILED:
            if "statusTask" not in path:  # its own model is not this task's
                answer = await gateway.get(path.replace("ID", task_id))
                assert answer.status_code == 200, (path, answer.text)
        assert (await gateway.get(f"{SUBMIT}/{task_id}/download")).status_code == 200
        refused = await gateway.post(SUBMIT, BOAT)
        assert refused.status_code == 400
    finally:
        object.__setattr__(gateway.gateway, "catalogue", usual)
    assert before.available - (await standing(gateway)).available == price
    assert catalogue.load().models() == usual.models()


async def submitted(gateway: Wired, body: dict[str, Any] | None = None) -> str:
    answer = await gateway.post(SUBMIT, body or BOAT)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task"]["id"])


async def ended(gateway: Wired, task_id: str, *, step_s: float = 1) -> str:
    """Let time pass until a task has ended; returns its state."""
    for _ in range(500):
        task = (await gateway.get(f"{SUBMIT}/{task_id}")).json()
        if task["state"] not in {TaskState.QUEUED, TaskState.RUNNING, "submitting", "storing"}:
            return str(task["state"])
        await gateway.clock.advance(step_s)
        await asyncio.sleep(0.01)
    message = f"task {task_id} did not end"
    raise AssertionError(message)


async def check_told(gateway: Wired, task_id: str, told: dict[str, str]) -> None:
    """Check how each dialect tells of a failed task."""
    for path, pattern in told.items():
        answer = await gateway.get(path.replace("ID", task_id))
        assert answer.status_code == 200
        assert re.search(pattern, answer.text), (path, answer.text)
        assert "http" not in answer.text.replace("https://portico.test", ""), answer.text


def without_links(text: str) -> str:
    return re.sub(r"/files/[^/]+/", "/files/TOKEN/", text)
