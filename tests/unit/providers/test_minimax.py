"""What is special about MiniMax: two ways to videos, codes inside good answers, a challenge."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaJob, Mode, Role
from portico.core.upstreams import Call, Reply, Trouble, UpstreamError
from portico.emulators.faults import Fault, On
from portico.emulators.minimax import MiniMaxEmulator
from portico.emulators.wire import Answer, Request, WireServer, json_answer
from portico.outbound import UpstreamClient
from portico.providers.base import (
    Assignment,
    Credential,
    Finder,
    Finished,
    InputFile,
    Missing,
    Pending,
)
from portico.providers.minimax import MiniMax
from portico.testing import FakeClock

HAILUO = "MiniMax-Hailuo-02"
H3 = "MiniMax-H3"
V1: dict[str, Any] = {"duration": 6, "resolution": "720p", "ratio": "16:9"}


class ScriptedUpstream:
    """Implements `Upstream`: gives one answer to everything and remembers the calls."""

    def __init__(self, answer: object, status: int = 200) -> None:
        self.reply = Reply(status=status, body=msgspec.json.encode(answer))
        self.calls: list[Call] = []

    async def send(self, call: Call) -> Reply:
        self.calls.append(call)
        return self.reply

    def listen(self, call: Call) -> AsyncIterator[bytes]:
        raise NotImplementedError

    async def save(self, call: Call, to: Path, *, size_max_bytes: int) -> int:
        raise NotImplementedError

    async def close(self) -> None:
        pass


def minimax(answer: object = None, status: int = 200) -> tuple[MiniMax, ScriptedUpstream]:
    told = {"task_id": "77", "base_resp": {"status_code": 0}} if answer is None else answer
    upstream = ScriptedUpstream(told, status)
    return MiniMax(Credential(name="main", base_url="", secret="k"), upstream), upstream


def assignment(
    *inputs: InputFile, model: str = HAILUO, kind: Kind = Kind.VIDEO, **params: Any
) -> Assignment:
    job = MediaJob(offering="o", model="m", kind=kind, mode=Mode.TEXT, prompt="sea", params=params)
    return Assignment(job=job, stage="generate", model=model, inputs=inputs, folder=Path())


async def sent(*inputs: InputFile, **given: Any) -> tuple[str, Any]:
    provider, upstream = minimax()
    await provider.start(assignment(*inputs, **given), attempt_id="a")
    return upstream.calls[-1].path, upstream.calls[-1].body


def at(role: Role, kind: str = "image/png") -> InputFile:
    return InputFile(role, kind, Path("none"), url=f"https://a.example/{role}")


@asynccontextmanager
async def emulated() -> AsyncIterator[tuple[MiniMaxEmulator, MiniMax]]:
    emulator = MiniMaxEmulator(clock=FakeClock())
    await emulator.start()
    listed = frozenset({("127.0.0.1", emulator.port)})
    upstream = UpstreamClient(emulator.base_url, private_hosts=listed, clock=emulator.clock)
    credential = Credential(name="main", base_url=emulator.base_url, secret="k")
    provider = MiniMax(credential, upstream)
    try:
        yield emulator, provider
    finally:
        await provider.close()
        await emulator.stop()


async def test_older_model_takes_fields():
    path, body = await sent(duration=10, resolution="720p", ratio="16:9", prompt_expansion=False)
    assert path == "/v1/video_generation"
    assert body == {
        "model": HAILUO,
        "prompt": "sea",
        "duration": 10,
        "resolution": "768P",
        "prompt_optimizer": False,
    }


async def test_frames_of_an_older_model_settle_the_shape():
    _, body = await sent(at(Role.FIRST_FRAME), at(Role.LAST_FRAME), ratio="9:16")
    assert body["first_frame_image"] == "https://a.example/first_frame"
    assert body["last_frame_image"] == "https://a.example/last_frame"
    assert "ratio" not in body


async def test_person_of_an_older_model_is_a_subject():
    _, body = await sent(at(Role.REFERENCE_IMAGE), model="S2V-01", duration=6, resolution="720p")
    url = "https://a.example/reference_image"
    assert body == {
        "model": "S2V-01",
        "prompt": "sea",
        "subject_reference": [{"type": "character", "image": [url]}],
    }


async def test_newer_model_takes_a_list():
    files = at(Role.REFERENCE_IMAGE), at(Role.REFERENCE_AUDIO, "audio/mpeg")
    path, body = await sent(*files, model=H3, duration=8, resolution="2k", ratio="adaptive")
    assert path == "/v2/video_generation"
    image = {"url": "https://a.example/reference_image"}
    audio = {"url": "https://a.example/reference_audio"}
    assert body == {
        "model": H3,
        "content": [
            {"type": "text", "text": "sea"},
            {"type": "image_url", "image_url": image, "role": "reference_image"},
            {"type": "audio_url", "audio_url": audio, "role": "reference_audio"},
        ],
        "duration": 8,
        "resolution": "2K",
        "ratio": "adaptive",
    }


async def test_words_alone_need_a_shape_of_their_own():
    _, body = await sent(model=H3, ratio="adaptive")
    assert body["ratio"] == "16:9"


async def test_picture_has_sides_or_a_shape():
    provider, upstream = minimax({"data": {"image_urls": ["https://x.example/a.png"]}})
    asked = assignment(kind=Kind.IMAGE, model="image-01", size="1024x512", seed=7)
    await provider.start(asked, attempt_id="a")
    body: Any = upstream.calls[-1].body
    assert (body["width"], body["height"], body["seed"]) == (1_024, 512, 7)
    assert "aspect_ratio" not in body


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"duration": 5}, "duration"),
        ({"duration": 10, "resolution": "1080p"}, "duration"),
        ({"resolution": "480p"}, "resolution"),
        ({"ratio": "9:16"}, "ratio"),
        ({"audio": True}, "audio"),
        ({"model": H3, "resolution": "1080p"}, "resolution"),
        ({"model": "MiniMax-H3-Max", "resolution": "2k"}, "resolution"),
        ({"model": H3, "duration": 16}, "duration"),
        ({"model": "image-01", "kind": Kind.IMAGE, "size": "100x100"}, "size"),
        ({"model": "image-01", "kind": Kind.IMAGE, "size": "large"}, "size"),
    ],
)
async def test_what_a_model_lacks_is_refused_by_name(given, param):
    await check_refused(assignment(**given), param)


@pytest.mark.parametrize(
    ("model", "roles"),
    [
        ("MiniMax-Hailuo-2.3", [Role.FIRST_FRAME, Role.LAST_FRAME]),
        ("T2V-01", [Role.REFERENCE_IMAGE]),
        (HAILUO, [Role.FIRST_FRAME, Role.FIRST_FRAME]),
        (H3, [Role.REFERENCE_IMAGE] * 10),
    ],
)
async def test_input_that_a_model_lacks_is_refused_by_name(model, roles):
    await check_refused(assignment(*[at(role) for role in roles], model=model), roles[-1].value)


async def check_refused(asked: Assignment, param: str) -> None:
    provider, upstream = minimax()
    with pytest.raises(PorticoError) as caught:
        await provider.start(asked, attempt_id="a")
    assert (caught.value.code, caught.value.param) == (ErrorCode.UNSUPPORTED_OPTION, param)
    assert upstream.calls == []


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        (1002, Trouble.BUSY),
        (1004, Trouble.CREDENTIAL),
        (2049, Trouble.CREDENTIAL),
        (1008, Trouble.CREDIT),
        (1026, Trouble.CONTENT),
        (1027, Trouble.CONTENT),
        (2013, Trouble.REQUEST),
        (9999, Trouble.AMBIGUOUS),
    ],
)
async def test_code_inside_a_good_answer_is_a_refusal(code, trouble):
    provider, _ = minimax({"task_id": "", "base_resp": {"status_code": code}})
    with pytest.raises(UpstreamError) as caught:
        await provider.start(assignment(), attempt_id="a")
    assert caught.value.trouble is trouble


async def test_code_at_the_end_of_the_words_counts_more_than_the_status():
    told = {"type": "error", "error": {"message": "secret (1008)", "type": "x"}}
    provider, _ = minimax(told, status=400)
    with pytest.raises(UpstreamError) as caught:
        await provider.start(assignment(model=H3), attempt_id="a")
    assert caught.value.trouble is Trouble.CREDIT


async def test_older_video_comes_by_three_steps():
    async with emulated() as (emulator, provider):
        started = await provider.start(assignment(**V1), attempt_id="a")
        assert isinstance(started, Pending)
        finished = await provider.check(started.upstream_id)
        paths = [request.path for request in emulator.requests]
    assert isinstance(finished, Finished)
    (output,) = finished.outputs
    assert output.url is not None
    assert output.url.endswith(f"/_files/{started.upstream_id}.mp4")
    assert paths == [
        "/v1/video_generation",
        "/v1/query/video_generation",
        "/v1/files/retrieve",
    ]


@pytest.mark.parametrize(
    ("fault", "trouble", "begun"),
    [
        (Fault.RATE_LIMITED, Trouble.BUSY, 0),
        (Fault.NO_CREDIT, Trouble.CREDIT, 0),
        (Fault.BAD_KEY, Trouble.CREDENTIAL, 0),
        (Fault.NO_MODEL, Trouble.MODEL, 0),
        (Fault.REFUSED, Trouble.CONTENT, 0),
        (Fault.INVALID, Trouble.REQUEST, 0),
        (Fault.BROKEN_AFTER, Trouble.AMBIGUOUS, 1),
        (Fault.CUT_AFTER, Trouble.AMBIGUOUS, 1),
        (Fault.NO_ID, Trouble.AMBIGUOUS, 1),
    ],
)
async def test_fault_at_the_start_of_an_older_video(fault, trouble, begun):
    async with emulated() as (emulator, provider):
        emulator.plans.add(fault)
        with pytest.raises(UpstreamError) as caught:
            await provider.start(assignment(**V1), attempt_id="a")
        assert emulator.begun == begun
    assert caught.value.trouble is trouble
    assert "secret" not in f"{caught.value!r} {caught.value.facts}"


@pytest.mark.parametrize("on", [On.READ, On.FILE])
@pytest.mark.parametrize("fault", [Fault.RATE_LIMITED, Fault.BROKEN_BEFORE, Fault.REFUSED])
async def test_fault_of_a_question_about_an_older_video_ends_nothing(fault, on):
    async with emulated() as (emulator, provider):
        started: Any = await provider.start(assignment(**V1), attempt_id="a")
        emulator.plans.add(fault, on=on)
        with pytest.raises(UpstreamError) as caught:
            await provider.check(started.upstream_id)
        assert isinstance(await provider.check(started.upstream_id), Finished)
    assert caught.value.code is ErrorCode.OVERLOADED


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.TASK_FAILED, ErrorCode.UPSTREAM_FAILED),
        (Fault.TASK_REFUSED, ErrorCode.CONTENT_REFUSED),
    ],
)
async def test_older_video_that_failed_says_why_in_our_words(fault, code):
    async with emulated() as (emulator, provider):
        emulator.plans.add(fault)
        started: Any = await provider.start(assignment(**V1), attempt_id="a")
        with pytest.raises(UpstreamError) as caught:
            await provider.check(started.upstream_id)
    assert caught.value.code is code


async def test_older_video_without_a_file_has_no_output_and_a_lost_one_is_missing():
    async with emulated() as (emulator, provider):
        emulator.plans.add(Fault.NO_URL)
        emulator.plans.add(Fault.TASK_LOST)
        empty: Any = await provider.start(assignment(**V1), attempt_id="a")
        lost: Any = await provider.start(assignment(**V1), attempt_id="b")
        finished = await provider.check(empty.upstream_id)
        assert isinstance(finished, Finished)
        assert finished.outputs == ()
        assert isinstance(await provider.check(lost.upstream_id), Missing)
        assert isinstance(await provider.check("v2:never-seen"), Missing)


async def test_older_video_cannot_be_stopped_and_nothing_is_tried():
    async with emulated() as (emulator, provider):
        emulator.latency_s = 10
        started: Any = await provider.start(assignment(**V1), attempt_id="a")
        await provider.cancel(started.upstream_id)
        assert [request.method for request in emulator.requests] == ["POST", "GET"]


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (b'{"task_id": "7", "status": "success"}', "7"),
        (b'{"task": {"id": "7", "status": "succeeded"}}', "v2:7"),
        (b'{"challenge": "x"}', None),
    ],
)
def test_callback_of_either_way_names_a_task(body, hint):
    assert minimax()[0].parse_callback(body) == hint


@pytest.mark.parametrize(
    ("body", "reply"),
    [
        (b'{"challenge": "a/b+c="}', {"challenge": "a/b+c="}),
        (b'{"challenge": 7}', None),
        (b'{"task_id": "7"}', None),
        (b'{"challenge": "' + b"x" * 5_000 + b'"}', None),
        (b"{", None),
    ],
)
def test_challenge_is_echoed(body, reply):
    assert minimax()[0].reply_to_callback(body) == reply


@pytest.mark.parametrize("echoes", [True, False])
async def test_emulator_calls_back_only_where_its_challenge_was_echoed(echoes):
    bodies: list[bytes] = []
    provider, _ = minimax()

    async def receive(request: Request) -> Answer:
        bodies.append(request.body)
        reply = provider.reply_to_callback(request.body)
        return json_answer(reply if echoes else {})

    server = WireServer(receive)
    port = await server.start()
    async with emulated() as (emulator, asking):
        url = f"http://127.0.0.1:{port}/x"
        asked = msgspec.structs.replace(assignment(**V1), callback_url=url)
        started: Any = await asking.start(asked, attempt_id="a")
        while emulator._sending:
            await asyncio.wait(list(emulator._sending))
            await asyncio.sleep(0)
    await server.stop()
    hints = [provider.parse_callback(body) for body in bodies]
    assert hints == ([None, started.upstream_id] if echoes else [None])


def test_lost_start_cannot_be_looked_up():
    assert not isinstance(minimax()[0], Finder)
