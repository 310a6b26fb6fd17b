"""Each cell of the matrix of faults, through a whole gateway: the end, the words, the money."""

import json
from typing import Any

import pytest

from portico.emulators.faults import Fault, On
from portico.flows import administer
from tests.contract.providers.cases import CASES, Case
from tests.contract.providers.matrix import UNCLEAR, WELL, Cell, End, Row, cells
from tests.contract.providers.through import (
    CHAT,
    IMAGE,
    SUBMIT,
    TEXT,
    VIDEO,
    Through,
    gateway_before,
)

CELLS = tuple(cells())
BODIES = {"video": VIDEO, "image": IMAGE, "waited_image": IMAGE}
CANARIES = ("secret", "canary", "my words")
STATUSES = {"invalid_request": 400, "content_refused": 400, "upstream_failed": 502}


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.id)
async def test_fault_ends_as_the_matrix_says(cell: Cell, tmp_path):
    async with gateway_before(cell.case, tmp_path) as through:
        await plan(cell.row, through)
        run = check_text if cell.row.makes == "chat" else check_task
        await run(through, cell.row, cell.row.end(cell.case))
        assert await administer.verify(through.wired.desk) == []


async def plan(row: Row, through: Through) -> None:
    """Tell the emulator what is to go wrong."""
    plans = through.emulator.plans
    for fault, on, times in row.plan:
        if times:
            plans.add(fault, on=on, times=times)
        else:
            plans.add_for_ever(fault, on=on)
    if row.is_down:
        await through.emulator.stop()


async def check_task(through: Through, row: Row, end: End) -> None:
    """Run a task to its end, and look at all that its owner can see of it."""
    wired = through.wired
    before = await wired.balance()
    submitted = await wired.post(SUBMIT, BODIES[row.makes])
    assert submitted.status_code == 202, submitted.text
    task_id = submitted.json()["task"]["id"]
    shown = await through.end_of(task_id)

    failure = shown["error"] or {}
    assert (shown["state"], failure.get("code"), through.emulator.begun) == (
        end.state,
        end.code,
        end.jobs,
    )
    is_charged = end.money == "charged once"
    assert (await wired.balance() != before) is is_charged
    check_untold({name: value for name, value in shown.items() if name != "prompt"})
    downloaded = await wired.get(f"{SUBMIT}/{task_id}/download")
    assert downloaded.status_code == (200 if is_charged else 409)


async def check_text(through: Through, row: Row, end: End) -> None:
    """Ask for a text, whole or as a stream, and look at the answer and the balance."""
    wired = through.wired
    before = await wired.balance()
    answer = await wired.post(CHAT, TEXT | ({"stream": True} if row.streams else {}))
    if row.streams:
        check_broken_stream(answer.text)
    elif end.state == "succeeded":
        assert answer.json()["choices"][0]["message"]["content"] == "This is an emulated answer."
    else:
        assert answer.status_code == STATUSES[end.code or ""], answer.text
        check_untold(answer.json())
    assert (await wired.balance() != before) is (end.money == "charged once")


def check_broken_stream(text: str) -> None:
    """A stream that broke off has its pieces, then the error, and never says that it is done."""
    events = [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]
    assert "[DONE]" not in events
    last = json.loads(events[-1])
    assert "error" in last
    check_untold(last)
    assert any(json.loads(event).get("choices") for event in events[:-1])


def check_untold(shown: Any) -> None:
    """Neither keys, nor prompts, nor an upstream's own words are told."""
    text = json.dumps(shown)
    assert not [canary for canary in CANARIES if canary in text]


async def test_lost_job_is_waited_for_while_its_upstream_cannot_be_asked(case: Case, tmp_path):
    async with gateway_before(case, tmp_path) as through:
        for _ in range(5):
            through.emulator.plans.add(Fault.BROKEN_BEFORE, on=On.LIST)
        through.emulator.plans.add(Fault.CUT_AFTER)
        row = Row("F2", "a lost start", "video", (), UNCLEAR, found=WELL)
        await check_task(through, row, row.end(case))
        assert await administer.verify(through.wired.desk) == []


@pytest.mark.parametrize("makes", ["video", "image", "waited_image", "chat"])
def test_nothing_that_a_provider_makes_is_left_out(makes):
    assert {cell.case.id for cell in CELLS if cell.row.makes == makes} == {
        case.id for case in CASES if getattr(case, makes)
    }
