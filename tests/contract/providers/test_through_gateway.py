"""A task goes through a whole gateway to an emulated upstream: its end, and the money, exactly."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from portico.core.clock import SystemClock
from portico.emulators.emulator import Emulator
from portico.emulators.faults import Fault, On
from portico.flows import administer
from portico.outbound import UpstreamClient
from portico.providers.base import Credential
from portico.providers.registry import BUILDERS
from tests.contract.gateways import Wired, replace_simulator, started
from tests.contract.providers.cases import LIMITS, Case, needs

SUBMIT = "/portico/v1/tasks"
VIDEO = {"model": "seedance-2.0", "prompt": "my words", "params": {"ratio": "16:9"}}
IMAGE = {"model": "seedream-4.5", "prompt": "my words"}
TEXT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Who?"}]}
STEPS_MAX = 400

# a fault -> how the task ends, and how many paid jobs that took
VIDEOS = {
    None: ("succeeded", 1),
    Fault.RATE_LIMITED: ("succeeded", 1),
    Fault.BUSY: ("succeeded", 1),
    Fault.INVALID: ("failed", 0),
    Fault.BAD_KEY: ("failed", 0),
    Fault.NO_CREDIT: ("failed", 0),
    Fault.REFUSED: ("failed", 0),
    Fault.TASK_FAILED: ("failed", 1),
    Fault.TASK_REFUSED: ("failed", 1),
    Fault.TASK_LOST: ("failed", 1),
    Fault.TASK_STUCK: ("expired", 1),
    Fault.EMPTY_FILE: ("failed", 1),
    Fault.BROKEN_FILE: ("failed", 1),
    Fault.PAGE_URL: ("failed", 1),
    Fault.DEAD_URL: ("failed", 1),
}
# the same where nobody knows whether the start was taken, for those who can look it up and others
UNCLEAR = {
    Fault.BROKEN_BEFORE: (("succeeded", 1), ("failed", 0)),
    Fault.CUT_BEFORE: (("succeeded", 1), ("failed", 0)),
    Fault.BROKEN_AFTER: (("succeeded", 1), ("failed", 1)),
    Fault.CUT_AFTER: (("succeeded", 1), ("failed", 1)),
    Fault.PAGE: (("succeeded", 1), ("failed", 1)),
    Fault.NO_ID: (("succeeded", 1), ("failed", 1)),
}
IMAGES = {
    None: ("succeeded", 1),
    Fault.BUSY: ("succeeded", 1),
    Fault.REFUSED: ("failed", 0),
    Fault.CUT_AFTER: ("failed", 1),
    Fault.NO_URL: ("failed", 1),
    Fault.BROKEN_FILE: ("failed", 1),
}


@dataclass(frozen=True)
class Through:
    """A gateway whose only upstream is an emulator."""

    wired: Wired
    emulator: Emulator


@pytest.fixture
async def through(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Through]:
    emulator = case.emulator(key=case.secret)
    await emulator.start()
    listed = frozenset({("127.0.0.1", emulator.port)})
    client = UpstreamClient(emulator.base_url, private_hosts=listed, limits=LIMITS)
    credential = Credential(
        name="main", base_url=emulator.base_url, secret=case.secret, options=case.options
    )
    provider = BUILDERS[case.provider](credential, client)
    now = SystemClock().now()
    async with started(tmp_path, private_hosts=emulator.address, now=now) as wired:
        replace_simulator(wired.gateway, tasks=provider, chat=provider)
        monkeypatch.setattr(wired.gateway.catalogue, "_models", models_for(case, wired))
        yield Through(wired, emulator)
    await emulator.stop()


def models_for(case: Case, wired: Wired) -> dict[str, Any]:
    """Return the catalogue's models, with the words of the case's upstream in their routes."""
    words = {VIDEO["model"]: case.video, IMAGE["model"]: case.image or case.waited_image}
    return {
        model.id: with_word(model, words.get(model.id))
        for model in wired.gateway.catalogue.models()
    }


def with_word(model: Any, word: str | None) -> Any:
    replace = msgspec.structs.replace
    routes = (replace(each, upstream_model=word or each.upstream_model) for each in model.routes)
    return replace(model, routes=tuple(routes))


@pytest.mark.parametrize("fault", VIDEOS, ids=str)
async def test_video_ends_as_it_must_and_costs_what_it_may(through: Through, fault):
    await check(through, VIDEO, fault, VIDEOS[fault])


@pytest.mark.parametrize("fault", UNCLEAR)
async def test_unclear_start_is_looked_up_and_never_paid_twice(through: Through, case: Case, fault):
    found, lost = UNCLEAR[fault]
    await check(through, VIDEO, fault, found if case.finds else lost)


async def test_lost_job_is_waited_for_while_its_upstream_cannot_be_asked(
    through: Through, case: Case
):
    for _ in range(5):
        through.emulator.plans.add(Fault.BROKEN_BEFORE, on=On.LIST)
    await check(through, VIDEO, Fault.CUT_AFTER, ("succeeded" if case.finds else "failed", 1))


@needs("image")
@pytest.mark.parametrize("fault", IMAGES, ids=str)
async def test_picture_ends_as_it_must_and_costs_what_it_may(through: Through, fault):
    await check(through, IMAGE, fault, IMAGES[fault])


@needs("waited_image")
@pytest.mark.parametrize(
    "fault", [None, Fault.REFUSED, Fault.TASK_FAILED, Fault.BROKEN_FILE], ids=str
)
async def test_picture_that_is_a_job_ends_as_it_must(through: Through, fault):
    ends = {None: ("succeeded", 1), Fault.REFUSED: ("failed", 0)}
    await check(through, IMAGE, fault, ends.get(fault, ("failed", 1)))


@needs("chat")
async def test_text_is_charged_by_what_the_upstream_counted(through: Through):
    answer = await through.wired.post("/v1/chat/completions", TEXT)
    assert answer.json()["choices"][0]["message"]["content"] == "This is an emulated answer."
    usage = answer.json()["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (4, 5)


@needs("chat")
async def test_text_that_breaks_off_is_not_charged_when_nobody_was_given_a_part(through: Through):
    before = await through.wired.balance()
    through.emulator.plans.add(Fault.TEXT_CUT, on=On.TEXT)
    answer = await through.wired.post("/v1/chat/completions", TEXT)
    assert answer.status_code >= 500
    assert "secret" not in answer.text
    assert await through.wired.balance() == before


async def check(
    through: Through, body: dict[str, Any], fault: Fault | None, expected: tuple[str, int]
) -> None:
    """Run one task to its end and look at everything that matters."""
    wired, emulator = through.wired, through.emulator
    before = await wired.balance()
    if fault is not None:
        emulator.plans.add(fault)
    submitted = await wired.post(SUBMIT, body)
    assert submitted.status_code == 202, submitted.text
    task_id = submitted.json()["task"]["id"]
    shown = await end_of(wired, task_id)

    assert (shown["state"], emulator.begun) == expected
    succeeded = shown["state"] == "succeeded"
    assert (await wired.balance() == before) is not succeeded
    assert "secret" not in str(shown)
    assert (await wired.get(f"{SUBMIT}/{task_id}/download")).status_code == (
        200 if succeeded else 409
    )
    assert await administer.verify(wired.desk) == []


async def end_of(wired: Wired, task_id: str) -> dict[str, Any]:
    for _ in range(STEPS_MAX):
        shown: dict[str, Any] = (await wired.get(f"{SUBMIT}/{task_id}")).json()
        if shown["state"] in {"succeeded", "failed", "expired", "cancelled"}:
            return shown
        await wired.clock.advance(10)
        await asyncio.sleep(0.02)
    message = f"task {task_id} did not end"
    raise AssertionError(message)
