"""What every provider of a remote upstream keeps to, tried against the emulator of its upstream.

Whatever the upstream does: at most one paid job for one attempt, an error that says what may be
done next, and not a word of the upstream's, of the prompt or of the key in it.
"""

import asyncio
import base64
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from portico.core.clock import SystemClock
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Chunk, Role
from portico.core.upstreams import Trouble, UpstreamError
from portico.emulators.emulator import sample
from portico.emulators.faults import MENU, Fault, On, When
from portico.outbound import Door
from portico.providers.base import (
    Assignment,
    CallbackReader,
    Finder,
    Finished,
    InputFile,
    Lost,
    Missing,
    OutputFile,
    Pending,
)
from portico.testing import START
from tests.contract.providers.cases import SECRET, Bench, needs

FILE_BYTES_MAX = 10 * 2**20
READS_AT_ONCE = 2  # a question is repeated at once when its connection was closed unanswered
QUEUED_S, RUNNING_S = 5, 6  # of the 10 s that a job takes

# a fault at the start of a job -> what it is, and how many paid jobs there are then
AT_START = {
    Fault.RATE_LIMITED: (Trouble.BUSY, 0),
    Fault.RATE_LIMITED_PLAIN: (Trouble.BUSY, 0),
    Fault.BUSY: (Trouble.BUSY, 0),
    Fault.INVALID: (Trouble.REQUEST, 0),
    Fault.BAD_KEY: (Trouble.CREDENTIAL, 0),
    Fault.NO_CREDIT: (Trouble.CREDIT, 0),
    Fault.NO_MODEL: (Trouble.MODEL, 0),
    Fault.REFUSED: (Trouble.CONTENT, 0),
    Fault.BROKEN_BEFORE: (Trouble.AMBIGUOUS, 0),
    Fault.CUT_BEFORE: (Trouble.AMBIGUOUS, 0),
    Fault.BROKEN_AFTER: (Trouble.AMBIGUOUS, 1),
    Fault.CUT_AFTER: (Trouble.AMBIGUOUS, 1),
    Fault.CUT_INSIDE: (Trouble.AMBIGUOUS, 1),
    Fault.SLOW: (Trouble.AMBIGUOUS, 1),
    Fault.TRICKLE: (Trouble.AMBIGUOUS, 1),
    Fault.PAGE: (Trouble.AMBIGUOUS, 1),
    Fault.EMPTY: (Trouble.AMBIGUOUS, 1),
    Fault.MALFORMED: (Trouble.AMBIGUOUS, 1),
    Fault.WRONG_TYPES: (Trouble.AMBIGUOUS, 1),
    Fault.NO_ID: (Trouble.AMBIGUOUS, 1),
    Fault.FLOOD: (Trouble.AMBIGUOUS, 1),
    Fault.COMPRESSED: (Trouble.AMBIGUOUS, 1),
}
CODES = {
    Trouble.BUSY: ErrorCode.OVERLOADED,
    Trouble.REQUEST: ErrorCode.INVALID_REQUEST,
    Trouble.CREDENTIAL: ErrorCode.UPSTREAM_FAILED,
    Trouble.CREDIT: ErrorCode.UPSTREAM_FAILED,
    Trouble.MODEL: ErrorCode.UPSTREAM_FAILED,
    Trouble.CONTENT: ErrorCode.CONTENT_REFUSED,
    Trouble.AMBIGUOUS: ErrorCode.UPSTREAM_TIMEOUT,
}
AMBIGUOUS = [fault for fault, (trouble, _) in AT_START.items() if trouble is Trouble.AMBIGUOUS]
# what a picture, which comes with the answer to its start, can suffer besides
AT_PICTURE = {
    Fault.RATE_LIMITED: (Trouble.BUSY, 0),
    Fault.REFUSED: (Trouble.CONTENT, 0),
    Fault.NO_CREDIT: (Trouble.CREDIT, 0),
    Fault.CUT_AFTER: (Trouble.AMBIGUOUS, 1),
    Fault.PAGE: (Trouble.AMBIGUOUS, 1),
    Fault.WRONG_TYPES: (Trouble.FAILED, 1),
    Fault.NO_URL: (Trouble.FAILED, 1),
}
AT_READ = [
    fault
    for fault, dish in MENU.items()
    if dish.when in {When.BEFORE, When.AFTER} and fault not in {Fault.NO_MODEL, Fault.NO_ID}
]


def test_every_fault_of_the_menu_is_tried_at_a_start():
    served = {fault for fault, dish in MENU.items() if dish.when in {When.BEFORE, When.AFTER}}
    assert served == set(AT_START)


async def test_job_goes_from_the_queue_to_a_file(in_time: Bench):
    started = await in_time.provider.start(in_time.video(), attempt_id="att_1")
    assert isinstance(started, Pending)
    queued = await in_time.provider.check(started.upstream_id)
    await in_time.clock.advance(RUNNING_S)
    running = await in_time.provider.check(started.upstream_id)
    await in_time.clock.advance(QUEUED_S)
    finished = await in_time.provider.check(started.upstream_id)

    assert [queued.running, running.running] == [not in_time.case.shows_queue, True]
    assert queued.check_after_s > 0
    assert isinstance(finished, Finished)
    assert await content_of(in_time, finished.outputs[0]) == sample("mp4")
    assert dict(finished.usage) == in_time.case.usage
    assert in_time.emulator.begun == 1


async def test_another_process_can_ask_about_a_job(in_time: Bench):
    started = await in_time.provider.start(in_time.video(), attempt_id="att_1")
    await in_time.clock.advance(20)
    assert isinstance(await in_time.another().check(started.upstream_id), Finished)


@needs("image")
async def test_picture_comes_at_once(at_once: Bench):
    finished = await at_once.provider.start(at_once.image(), attempt_id="att_1")
    assert isinstance(finished, Finished)
    assert await content_of(at_once, finished.outputs[0]) == sample("png")
    assert finished.usage["images"] == 1
    assert at_once.emulator.begun == 1


@needs("waited_image")
async def test_picture_that_is_a_job_goes_from_the_queue_to_a_file(in_time: Bench):
    started = await in_time.provider.start(in_time.image(), attempt_id="att_1")
    assert isinstance(started, Pending)
    await in_time.clock.advance(20)
    finished = await in_time.another().check(started.upstream_id)
    assert isinstance(finished, Finished)
    assert await content_of(in_time, finished.outputs[0]) == sample("png")
    assert in_time.emulator.begun == 1


@needs("waited_image")
async def test_picture_that_is_a_job_can_be_refused_and_be_lost(at_once: Bench):
    at_once.emulator.plans.add(Fault.TASK_REFUSED)
    with pytest.raises(UpstreamError) as caught:
        await made(at_once, at_once.image())
    assert caught.value.code is ErrorCode.CONTENT_REFUSED
    at_once.emulator.plans.add(Fault.CUT_AFTER)
    with pytest.raises(UpstreamError) as caught:
        await at_once.provider.start(at_once.image(), attempt_id="att_2")
    assert caught.value.trouble is Trouble.AMBIGUOUS
    assert at_once.emulator.begun == 2


@needs("waited_image")
async def test_picture_to_change_by_a_job_is_handed_on(at_once: Bench):
    file = InputFile(Role.REFERENCE_IMAGE, "image/png", picture(at_once))
    await check_handed_on(at_once, at_once.image(file))


async def test_same_attempt_begins_one_job(at_once: Bench):
    await check_begun_once(at_once, at_once.video())


@needs("image")
async def test_same_attempt_begins_one_picture(at_once: Bench):
    await check_begun_once(at_once, at_once.image())


async def check_begun_once(at_once: Bench, assignment: Assignment) -> None:
    await at_once.provider.start(assignment, attempt_id="att_1")
    with pytest.raises(UpstreamError) as caught:
        await at_once.provider.start(assignment, attempt_id="att_1")
    assert caught.value.trouble is Trouble.AMBIGUOUS
    assert at_once.emulator.begun == 1


@pytest.mark.parametrize("fault", AT_START)
async def test_fault_at_the_start_of_a_job(at_once: Bench, fault):
    trouble, begun = AT_START[fault]
    at_once.emulator.plans.add(fault)
    error = await trouble_of(at_once, at_once.video(prompt="my words"))
    assert error.trouble is trouble
    assert error.code is CODES[trouble]
    assert error.retry_after_s == (7.0 if fault is Fault.RATE_LIMITED else None)
    assert at_once.emulator.begun == begun
    assert len(at_once.emulator.requests) == 1  # never a second time by itself


@needs("image")
@pytest.mark.parametrize("fault", AT_PICTURE)
async def test_fault_at_the_start_of_a_picture(at_once: Bench, fault):
    trouble, begun = AT_PICTURE[fault]
    at_once.emulator.plans.add(fault)
    error = await trouble_of(at_once, at_once.image(prompt="my words"))
    assert error.trouble is trouble
    assert at_once.emulator.begun == begun
    assert len(at_once.emulator.requests) == 1


async def test_upstream_that_is_away_took_nothing(at_once: Bench):
    await at_once.emulator.stop()
    error = await trouble_of(at_once, at_once.video())
    assert error.trouble is Trouble.UNREACHED
    assert error.code is ErrorCode.OVERLOADED


@pytest.mark.parametrize("fault", AMBIGUOUS)
async def test_lost_start_is_found_or_known_to_be_none(at_once: Bench, fault):
    at_once.emulator.plans.add(fault)
    assignment = at_once.video()
    await trouble_of(at_once, assignment)
    taken = at_once.emulator.begun
    found = await find(at_once, assignment)

    if not at_once.case.finds:
        assert found is None
    elif taken or at_once.case.by_key:  # a key begins it now, at most once
        assert isinstance(found, Pending | Finished)
        assert at_once.emulator.begun == 1
    else:
        assert isinstance(found, Missing)
        assert at_once.emulator.begun == 0


async def test_looking_twice_finds_the_same_job(in_time: Bench):
    in_time.emulator.plans.add(Fault.CUT_AFTER)
    assignment = in_time.video()
    await trouble_of(in_time, assignment)
    first, second = [await find(in_time, assignment) for _ in range(2)]
    assert first == second
    assert in_time.emulator.begun == 1


async def test_jobs_of_others_are_not_taken_for_a_lost_one(in_time: Bench):
    for number in range(3):
        await in_time.provider.start(in_time.video(), attempt_id=f"att_other_{number}")
    others = set(in_time.emulator.jobs)
    found = await find(in_time, in_time.video())
    assert not isinstance(found, Pending) or found.upstream_id not in others


async def test_upstream_that_cannot_be_asked_about_a_lost_start_is_asked_later(at_once: Bench):
    await at_once.emulator.stop()
    if at_once.case.finds:
        with pytest.raises(PorticoError) as caught:
            await find(at_once, at_once.video())
        assert caught.value.code is ErrorCode.OVERLOADED


@pytest.mark.parametrize("fault", [each for each in AT_READ if each is not Fault.WRONG_TYPES])
async def test_fault_of_a_question_means_asking_again_later(at_once: Bench, fault):
    started = await at_once.provider.start(at_once.video(), attempt_id="att_1")
    at_once.emulator.plans.add(fault, on=On.READ, times=READS_AT_ONCE)
    with pytest.raises(UpstreamError) as caught:
        await at_once.provider.check(started.upstream_id)
    assert caught.value.code is ErrorCode.OVERLOADED
    check_untold(caught.value)


@pytest.mark.parametrize("fault", AT_READ)
async def test_fault_of_a_question_ends_nothing(at_once: Bench, fault):
    started = await at_once.provider.start(at_once.video(), attempt_id="att_1")
    at_once.emulator.plans.add(fault, on=On.READ, times=READS_AT_ONCE)
    known: Any = None
    with suppress(UpstreamError):
        known = await at_once.provider.check(started.upstream_id)
    assert known is None or isinstance(known, Pending)
    at_once.emulator.plans.clear()
    assert isinstance(await at_once.provider.check(started.upstream_id), Finished)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.TASK_FAILED, ErrorCode.UPSTREAM_FAILED),
        (Fault.TASK_REFUSED, ErrorCode.CONTENT_REFUSED),
    ],
)
async def test_job_that_failed_says_why_in_our_words(at_once: Bench, fault, code):
    at_once.emulator.plans.add(fault)
    with pytest.raises(UpstreamError) as caught:
        await made(at_once, at_once.video())
    assert caught.value.code is code
    check_untold(caught.value)


async def test_job_that_its_upstream_has_lost_is_missing(at_once: Bench):
    at_once.emulator.plans.add(Fault.TASK_LOST)
    started = await at_once.provider.start(at_once.video(), attempt_id="att_1")
    assert isinstance(await at_once.provider.check(started.upstream_id), Missing)
    assert isinstance(await at_once.provider.check("never-seen"), Missing)


@pytest.mark.parametrize("fault", [Fault.TASK_STUCK, Fault.STRANGE_STATE])
async def test_job_without_an_end_goes_on(at_once: Bench, fault):
    at_once.emulator.plans.add(fault)
    started = await at_once.provider.start(at_once.video(), attempt_id="att_1")
    await at_once.clock.advance(3_600)
    known = await at_once.provider.check(started.upstream_id)
    assert isinstance(known, Pending)
    assert known.running


@pytest.mark.parametrize("fault", [Fault.NO_USAGE, Fault.BAD_USAGE])
async def test_usage_is_plausible_or_absent(at_once: Bench, fault):
    await check_usage(at_once, at_once.video(), fault)


@needs("image")
@pytest.mark.parametrize("fault", [Fault.NO_USAGE, Fault.BAD_USAGE])
async def test_usage_of_a_picture_is_plausible_or_absent(at_once: Bench, fault):
    await check_usage(at_once, at_once.image(), fault)


async def check_usage(at_once: Bench, assignment: Assignment, fault: Fault) -> None:
    at_once.emulator.plans.add(fault)
    outcome = await made(at_once, assignment)
    assert "video_tokens" not in outcome.usage
    numbers: Any = outcome.usage.values()
    assert all(number >= 0 for number in numbers)


async def test_waiting_job_is_stopped(in_time: Bench):
    started = await in_time.provider.start(in_time.video(), attempt_id="att_1")
    (job,) = in_time.emulator.jobs.values()
    await in_time.provider.cancel(started.upstream_id)
    assert job.is_stopped is in_time.case.stops


async def test_finished_job_is_not_deleted_by_stopping_it(at_once: Bench):
    started = await at_once.provider.start(at_once.video(), attempt_id="att_1")
    await at_once.provider.cancel(started.upstream_id)
    assert isinstance(await at_once.provider.check(started.upstream_id), Finished)


async def test_stopping_never_fails(in_time: Bench):
    started = await in_time.provider.start(in_time.video(), attempt_id="att_1")
    await in_time.provider.cancel("never-seen")
    for fault in (Fault.CUT_BEFORE, Fault.BROKEN_BEFORE):
        in_time.emulator.plans.add(fault, on=On.STOP)
        await in_time.provider.cancel(started.upstream_id)
    await in_time.emulator.stop()
    await in_time.provider.cancel(started.upstream_id)


async def test_callback_is_a_hint_and_nothing_else(at_once: Bench):
    reader = at_once.provider
    assert isinstance(reader, CallbackReader) is bool(at_once.case.callback)
    whole = at_once.case.callback.encode()
    if not whole:
        return
    assert reader.parse_callback(whole) == "job-1"
    for wrong in (b"7", b'"../x"', b'""', b"null", b'["job-1"]', b'"' + b"a" * 2**21 + b'"'):
        assert reader.parse_callback(whole.replace(b'"job-1"', wrong)) is None
    for body in (b"", b"{", b"[]", b"7", b"\xff", whole[:-1]):
        assert reader.parse_callback(body) is None


async def test_option_the_upstream_lacks_is_refused_before_anything_is_sent(at_once: Bench):
    with pytest.raises(PorticoError) as caught:
        await at_once.provider.start(at_once.video(motion_orientation="up"), attempt_id="att_1")
    assert caught.value.code is ErrorCode.UNSUPPORTED_OPTION
    assert caught.value.param == "motion_orientation"
    assert at_once.emulator.requests == []


async def test_input_the_upstream_lacks_is_refused_before_anything_is_sent(at_once: Bench):
    garment = InputFile(Role.GARMENT, "image/png", picture(at_once))
    with pytest.raises(PorticoError) as caught:
        await at_once.provider.start(at_once.video(garment), attempt_id="att_1")
    assert caught.value.code is ErrorCode.UNSUPPORTED_OPTION
    assert at_once.emulator.requests == []


async def test_picture_from_this_machine_is_handed_on(at_once: Bench):
    file = InputFile(Role.FIRST_FRAME, "image/png", picture(at_once))
    await check_handed_on(at_once, at_once.video(file))


@needs("image")
async def test_picture_to_change_is_handed_on(at_once: Bench):
    file = InputFile(Role.REFERENCE_IMAGE, "image/png", picture(at_once))
    await check_handed_on(at_once, at_once.image(file))


async def check_handed_on(at_once: Bench, assignment: Assignment) -> None:
    if not at_once.case.takes_files:
        with pytest.raises(PorticoError, match="PORTICO_PUBLIC_URL"):
            await at_once.provider.start(assignment, attempt_id="att_1")
        assert at_once.emulator.requests == []
        return
    await at_once.provider.start(assignment, attempt_id="att_1")
    assert at_once.emulator.begun == 1
    assert is_inside(sample("png"), at_once.emulator.requests[0].body)


async def test_address_of_a_picture_is_handed_on_or_the_picture(at_once: Bench):
    where = {"url": "https://a.example/a.png", "link": "https://p.example/a.png"}
    file = InputFile(Role.FIRST_FRAME, "image/png", picture(at_once), **where)
    await at_once.provider.start(at_once.video(file), attempt_id="att_1")
    sent = at_once.emulator.requests[0].body
    assert b"https://a.example/a.png" in sent or is_inside(sample("png"), sent)


@needs("chat")
async def test_text_is_written_and_counted(at_once: Bench):
    pieces = [piece async for piece in at_once.provider.stream(at_once.chat(), model="m")]
    assert "".join(piece.text for piece in pieces) == "This is an emulated answer."
    last = pieces[-1]
    assert last.finish == "stop"
    assert (last.usage.input_tokens, last.usage.output_tokens) == (4, 5)
    assert (last.usage.cached_tokens, last.usage.source) == (2, "upstream")


@needs("chat")
@pytest.mark.parametrize("fault", [Fault.NO_USAGE, Fault.BAD_USAGE])
async def test_text_without_plausible_usage_leaves_counting_to_us(at_once: Bench, fault):
    at_once.emulator.plans.add(fault, on=On.TEXT)
    pieces = [piece async for piece in at_once.provider.stream(at_once.chat(), model="m")]
    assert pieces[-1].finish == "stop"
    assert pieces[-1].usage is None


@needs("chat")
@pytest.mark.parametrize("fault", [Fault.TEXT_CUT, Fault.TEXT_ERROR])
async def test_text_that_breaks_off_is_an_error_after_what_came(at_once: Bench, fault):
    at_once.emulator.plans.add(fault, on=On.TEXT)
    pieces: list[Chunk] = []
    with pytest.raises(UpstreamError) as caught:
        await listen(at_once, pieces)
    assert "".join(piece.text for piece in pieces) == "This is "
    assert all(piece.finish is None for piece in pieces)
    check_untold(caught.value)


@needs("chat")
@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        (Fault.RATE_LIMITED, Trouble.BUSY),
        (Fault.BAD_KEY, Trouble.CREDENTIAL),
        (Fault.NO_CREDIT, Trouble.CREDIT),
        (Fault.NO_MODEL, Trouble.MODEL),
        (Fault.INVALID, Trouble.REQUEST),
        (Fault.REFUSED, Trouble.CONTENT),
        (Fault.CUT_BEFORE, Trouble.UNREACHED),
    ],
)
async def test_text_that_is_refused_says_how(at_once: Bench, fault, trouble):
    at_once.emulator.plans.add(fault, on=On.TEXT)
    with pytest.raises(UpstreamError) as caught:
        await anext(at_once.provider.stream(at_once.chat("my words"), model="m"))
    assert caught.value.trouble is trouble
    check_untold(caught.value)


@needs("chat")
async def test_sampling_passes_but_cannot_change_what_is_paid(at_once: Bench):
    job = at_once.chat(temperature=0.2, model="dear", max_tokens=9_999, stream=False)
    assert [piece async for piece in at_once.provider.stream(job, model="m")]
    sent = at_once.emulator.requests[0].body
    assert b'"temperature":0.2' in sent
    assert b'"model":"m"' in sent
    assert b'_tokens":50' in sent
    assert b"9999" not in sent
    assert b'"stream":true' in sent


async def listen(bench: Bench, pieces: list[Chunk]) -> None:
    """Note each piece of a text as it comes."""
    async for piece in bench.provider.stream(bench.chat(), model="m"):
        pieces.append(piece)  # noqa: PERF401 - what came before an error counts


async def trouble_of(bench: Bench, assignment: Assignment) -> UpstreamError:
    """Start a job that goes wrong."""
    with pytest.raises(UpstreamError) as caught:
        await bench.provider.start(assignment, attempt_id="att_1")
    check_untold(caught.value)
    return caught.value


async def made(bench: Bench, assignment: Assignment) -> Finished:
    """Start a job and look at its end."""
    outcome = await bench.provider.start(assignment, attempt_id="att_1")
    if isinstance(outcome, Pending):
        outcome = await bench.provider.check(outcome.upstream_id)
    assert isinstance(outcome, Finished)
    return outcome


async def find(bench: Bench, assignment: Assignment) -> Any:
    """Look for the job that `trouble_of` began."""
    if not isinstance(bench.provider, Finder):
        return None
    lost = Lost(attempt_id="att_1", assignment=assignment, started_at=START)
    return await bench.provider.find(lost)


async def content_of(bench: Bench, output: OutputFile) -> bytes:
    """Fetch a result, as a flow would."""
    to = bench.folder / "fetched"
    if output.save is not None:
        await output.save(to, FILE_BYTES_MAX)
    else:
        door = Door(frozenset({("127.0.0.1", bench.emulator.port)}), clock=SystemClock())
        await door.download(output.url or "", to, size_max_bytes=FILE_BYTES_MAX)
        await door.close()
    return await asyncio.to_thread(to.read_bytes)


def check_untold(error: PorticoError) -> None:
    """Check that an error holds no word of the upstream's, of the prompt, of the key."""
    told = f"{error!r} {error.message} {error.facts} {error.__cause__!r}"
    for word in ("secret", "my words", SECRET, "http://"):
        assert word not in told
    assert error.__cause__ is None


def picture(bench: Bench) -> Path:
    path = bench.folder / "input-0"
    path.write_bytes(sample("png"))
    return path


def is_inside(content: bytes, body: bytes) -> bool:
    """Whether a request holds a file, as it is or as a data URI."""
    return content in body or base64.b64encode(content) in body
