"""What is special about xPilot: its poll addresses, lists of durations, texts at once."""

from typing import Any

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatJob, Kind, Message, Role
from portico.core.upstreams import Trouble, UpstreamError
from portico.emulators.xpilot import XPilotEmulator
from portico.outbound import UpstreamClient
from portico.providers.base import Credential, Finished, InputFile, Pending
from portico.providers.xpilot import XPilot
from tests.contract.providers.cases import SECRET
from tests.unit.providers.scripted import job, linked, refusal, wired

SEEDANCE, WAN = "seedance-2.0/text-to-video", "wan-2.6/text-to-video"
PICTURE = "bytedance/seedream-4.5"
POLL = "https://api.house.example/predictions/p-1/result"


def taken(poll_url: object = "/api/v1/video/abc123?provider=seedance") -> dict[str, object]:
    return {"task_id": "abc123", "status": "processing", "poll_url": poll_url, "cost_cents": 300}


async def body_of(model: str, *inputs: InputFile, **given: Any) -> Any:
    provider, upstream = wired(XPilot, taken())
    await provider.start(job(model, *inputs, **given), attempt_id="a")
    return upstream.body


async def test_video_is_asked_as_the_page_asks_it():
    params = {"duration": 8, "ratio": "16:9", "audio": True, "lock_camera": False}
    assert await body_of(SEEDANCE, **params) == {
        "model": "seedance-2.0/text-to-video",
        "prompt": "sea",
        "duration": 8,
        "aspect_ratio": "16:9",
        "generate_audio": True,
        "lock_camera": False,
    }


async def test_first_frame_chooses_the_model_that_takes_one():
    body = await body_of(SEEDANCE, linked(Role.FIRST_FRAME), duration=4)
    assert body["model"] == "seedance-2.0/image-to-video"
    assert body["image_url"] == "https://a.example/a.png"


async def test_picture_is_asked_with_all_its_references():
    references = [linked(Role.REFERENCE_IMAGE, name) for name in ("a.png", "b.png")]
    body = await body_of(PICTURE, *references, kind=Kind.IMAGE, ratio="1:1")
    assert body == {
        "model": PICTURE,
        "prompt": "sea",
        "mode": "i2i",
        "aspect_ratio": "1:1",
        "image_urls": ["https://a.example/a.png", "https://a.example/b.png"],
    }


async def test_what_is_made_anyway_need_not_be_said():
    body = await body_of(WAN, duration=5, resolution="720p", ratio="adaptive", lock_camera=False)
    assert body.keys() == {"model", "prompt", "duration"}


@pytest.mark.parametrize(
    ("model", "params"),
    [
        (SEEDANCE, {"duration": 5}),
        (SEEDANCE, {"duration": 8, "resolution": "1080p"}),
        (WAN, {"lock_camera": True}),
        ("other/text-to-video", {"audio": True}),
    ],
)
async def test_what_a_model_lacks_is_refused_by_name(model, params):
    provider, upstream = wired(XPilot, taken())
    with pytest.raises(PorticoError) as caught:
        await provider.start(job(model, **params), attempt_id="a")
    assert (caught.value.code, caught.value.param) == (
        ErrorCode.UNSUPPORTED_OPTION,
        list(params)[-1],
    )
    assert upstream.calls == []


@pytest.mark.parametrize(
    ("told", "path", "query"),
    [
        ("/api/v1/video/abc123?provider=seedance", "/video/abc123", (("provider", "seedance"),)),
        (
            "/api/v1/video/abc123?provider=wavespeed&pollUrl=" + POLL.replace(":", "%3A"),
            "/video/abc123",
            (("provider", "wavespeed"), ("pollUrl", POLL)),
        ),
        ("/api/v1/image/abc123", "/image/abc123", ()),
        ("https://evil.example/api/v1/video/other?x=y", "/video/abc123", ()),
        (None, "/video/abc123", ()),
        (
            "/api/v1/video/abc123?provider=wavespeed&pollUrl=" + "a" * 200,
            "/video/abc123",
            (("provider", "wavespeed"),),
        ),
    ],
    ids=range(6),
)
async def test_any_process_asks_where_the_start_was_told_to(told, path, query):
    provider, _ = wired(XPilot, taken(told))
    started = await provider.start(job(SEEDANCE, duration=4), attempt_id="a")
    other, upstream = wired(XPilot, {"status": "processing", "outputs": []})
    assert isinstance(await other.check(started.upstream_id), Pending)
    assert (upstream.calls[0].path, upstream.calls[0].query) == (path, query)


@pytest.mark.parametrize("beside", ["~wavespeed~%%%", "~wavespeed~gA==", "~a~b~c"])
async def test_id_that_is_not_ours_is_asked_for_all_the_same(beside):
    provider, upstream = wired(XPilot, {"status": "completed", "outputs": ["https://a/v.mp4"]})
    assert isinstance(await provider.check(f"abc{beside}"), Finished)
    assert upstream.calls[0].path == "/video/abc"


@pytest.mark.parametrize(
    ("status", "code", "message", "trouble"),
    [
        (400, "INVALID_PARAMS", "duration", Trouble.REQUEST),
        (400, "INVALID_PARAMS", "Content does not meet safety guidelines", Trouble.CONTENT),
        (400, "INVALID_MODEL", "", Trouble.MODEL),
        (401, "UNAUTHORIZED", "", Trouble.CREDENTIAL),
        (402, "INSUFFICIENT_CREDITS", "", Trouble.CREDIT),
        (429, "RATE_LIMITED", "", Trouble.BUSY),
        (500, "GENERATION_FAILED", "", Trouble.AMBIGUOUS),
    ],
)
async def test_refusals_of_the_page_are_understood(status, code, message, trouble):
    provider, _ = wired(XPilot, refusal(status, {"error": {"code": code, "message": message}}))
    with pytest.raises(UpstreamError) as caught:
        await provider.start(job(SEEDANCE, duration=4), attempt_id="a")
    assert caught.value.trouble is trouble


async def test_picture_that_takes_longer_is_polled():
    emulator = XPilotEmulator(key=SECRET, pictures_later=True)
    await emulator.start()
    listed = frozenset({("127.0.0.1", emulator.port)})
    client = UpstreamClient(emulator.base_url, private_hosts=listed)
    provider = XPilot(Credential(name="m", base_url="", secret=SECRET), client)
    try:
        started = await provider.start(job(PICTURE, kind=Kind.IMAGE), attempt_id="a")
        assert isinstance(started, Pending)
        assert started.upstream_id.startswith("image:img_")
        assert isinstance(await provider.check(started.upstream_id), Finished)
    finally:
        await provider.close()
        await emulator.stop()


def question(*messages: Message, **sampling: object) -> ChatJob:
    asked = messages or (Message("user", "Who?"),)
    return ChatJob(offering="o", model="m", messages=asked, max_tokens=280, sampling=sampling)


ANSWER = {
    "content": "A new level...",
    "usage": {"prompt_tokens": 15, "completion_tokens": 42, "total_tokens": 57},
}


async def test_text_comes_whole_and_counted():
    provider, upstream = wired(XPilot, ANSWER)
    asked = question(Message("system", "Be brief"), Message("user", "Who?"), temperature=0.2)
    pieces = [piece async for piece in provider.stream(asked, model="openai/gpt-4o")]
    assert [piece.text for piece in pieces] == ["A new level...", ""]
    assert pieces[-1].finish == "stop"
    assert (pieces[-1].usage.input_tokens, pieces[-1].usage.output_tokens) == (15, 42)
    assert upstream.body == {
        "model": "openai/gpt-4o",
        "prompt": "Who?",
        "max_tokens": 280,
        "system": "Be brief",
        "temperature": 0.2,
    }


@pytest.mark.parametrize(
    "messages",
    [
        (Message("user", "a"), Message("assistant", "b"), Message("user", "c")),
        (Message("user", [{"type": "image_url", "image_url": {"url": "https://a/b"}}]),),
        (Message("user", "a"), Message("assistant", "b")),
    ],
)
async def test_conversation_is_refused_since_one_question_is_all_it_takes(messages):
    provider, upstream = wired(XPilot, ANSWER)
    with pytest.raises(PorticoError) as caught:
        await anext(provider.stream(question(*messages), model="m"))
    assert caught.value.code is ErrorCode.UNSUPPORTED_OPTION
    assert upstream.calls == []


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (refusal(402, {"error": {"code": "INSUFFICIENT_CREDITS"}}), Trouble.CREDIT),
        (refusal(200, {"content": ["x"]}), Trouble.FAILED),
        (refusal(200, []), Trouble.AMBIGUOUS),
    ],
    ids=range(3),
)
async def test_text_that_does_not_come_says_why(answer, trouble):
    provider, _ = wired(XPilot, answer)
    with pytest.raises(UpstreamError) as caught:
        await anext(provider.stream(question(), model="m"))
    assert caught.value.trouble is trouble


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": -1, "completion_tokens": 5}, [7]])
async def test_usage_that_cannot_be_is_left_to_us(usage):
    provider, _ = wired(XPilot, {"content": "x", "usage": usage})
    pieces = [piece async for piece in provider.stream(question(), model="m")]
    assert pieces[-1].usage is None
