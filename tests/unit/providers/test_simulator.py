"""The simulator: what its script says happens, and nothing is remembered."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatJob, Chunk, Kind, MediaJob, Message, Mode
from portico.core.llm_tokens import count_tokens
from portico.providers.base import Assignment, Finished, Missing, Pending
from portico.providers.simulator import Script, Simulator, parse_script
from portico.testing import FakeClock

SECOND_MS = 1_000


def assignment(kind: Kind = Kind.VIDEO) -> Assignment:
    job = MediaJob(offering="portico:x", model="x", kind=kind, mode=Mode.TEXT, prompt="sea")
    return Assignment(job=job, stage="generate", model="x", inputs=(), folder=Path())


def written(
    script: Script | None = None, *, simulator: Simulator | None = None, tokens_max: int = 600
) -> AsyncIterator[Chunk]:
    job = ChatJob(
        offering="o", model="m", messages=(Message("user", "Who?"),), max_tokens=tokens_max
    )
    return (simulator or Simulator(script or Script(), clock=FakeClock())).stream(job, model="m")


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("1", Script()),
        ("latency=2s,fail=0.01", Script(latency_s=2.0, fail=0.01)),
        ("latency=50ms", Script(latency_s=0.05)),  # units
        (" busy=1 , paid=1", Script(busy=1.0, paid=True)),  # blanks
    ],
)
def test_script_is_read(text, script):
    assert parse_script(text) == script


@pytest.mark.parametrize("text", ["nonsense", "fail=2", "fail=-0.1", "speed=1"])
def test_unknown_word_or_impossible_share_is_named(text):
    with pytest.raises(ValueError, match=text):
        parse_script(text)


@pytest.mark.parametrize(("kind", "suffix"), [(Kind.VIDEO, ".mp4"), (Kind.IMAGE, ".png")])
async def test_without_latency_a_job_is_done_at_once(kind, suffix):
    outcome = await Simulator(Script(), clock=FakeClock()).start(assignment(kind), attempt_id="a")

    assert isinstance(outcome, Finished)
    assert outcome.outputs[0].path is not None
    assert outcome.outputs[0].path.suffix == suffix


async def test_latency_passes_by_the_clock_even_in_another_process():
    clock = FakeClock()
    waiting = await Simulator(Script(latency_s=10), clock=clock).start(assignment(), attempt_id="a")
    assert isinstance(waiting, Pending)
    clock.jump(4 * SECOND_MS)
    later = Simulator(Script(latency_s=10), clock=clock)  # knows nothing of the first
    half = await later.check(waiting.upstream_id)
    clock.jump(6 * SECOND_MS)

    assert isinstance(half, Pending)
    assert half.progress == pytest.approx(0.4)
    assert half.check_after_s == pytest.approx(6)
    assert isinstance(await later.check(waiting.upstream_id), Finished)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("fail", ErrorCode.UPSTREAM_FAILED),
        ("refuse", ErrorCode.CONTENT_REFUSED),
        ("timeout", ErrorCode.UPSTREAM_TIMEOUT),
        ("busy", ErrorCode.OVERLOADED),
    ],
)
async def test_scripted_fault_has_its_code(fault, code):
    simulator = Simulator(parse_script(f"{fault}=1"), clock=FakeClock())
    with pytest.raises(PorticoError) as caught:
        await simulator.start(assignment(), attempt_id="a")
    assert caught.value.code is code


async def test_missing_job_was_taken_and_then_forgotten():
    simulator = Simulator(Script(missing=1.0), clock=FakeClock())
    taken = await simulator.start(assignment(), attempt_id="a")

    assert isinstance(taken, Pending)
    assert isinstance(await simulator.check(taken.upstream_id), Missing)


def test_only_one_that_charges_is_not_restartable():
    clock = FakeClock()
    assert Simulator(Script(), clock=clock).restartable
    assert not Simulator(Script(paid=True), clock=clock).restartable


async def test_text_counts_what_it_wrote_within_the_limit():
    pieces = [piece async for piece in written(Script(), tokens_max=6)]

    usage = pieces[-1].usage
    assert usage is not None
    assert usage.output_tokens == count_tokens(pieces[0].text) <= 6


@pytest.mark.parametrize(("tokens_max", "finish"), [(6, "length"), (600, "stop")])
async def test_text_says_whether_the_limit_ended_it(tokens_max, finish):
    pieces = [piece async for piece in written(Script(), tokens_max=tokens_max)]
    assert pieces[-1].finish == finish


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("fail", ErrorCode.UPSTREAM_FAILED),
        ("refuse", ErrorCode.CONTENT_REFUSED),
        ("timeout", ErrorCode.UPSTREAM_TIMEOUT),
        ("busy", ErrorCode.OVERLOADED),
    ],
)
async def test_text_meets_the_scripted_fault(fault, code):
    with pytest.raises(PorticoError) as caught:
        await anext(written(parse_script(f"{fault}=1")))
    assert caught.value.code is code


async def test_text_fails_as_often_as_the_script_says():
    simulator = Simulator(Script(fail=0.25), clock=FakeClock())
    failed = 0
    for _ in range(400):
        try:
            await anext(written(simulator=simulator))
        except PorticoError:
            failed += 1
    assert 60 < failed < 140


async def test_text_cannot_go_missing():
    assert [piece async for piece in written(Script(missing=1.0))]
