"""Requests as vendors' own clients put them on the wire: emulators take them, providers send them.

`sdk_requests.jsonl` was recorded from those clients against a local server. A field that a client
sends as null is one it leaves unset. Fields of ours are compared wherever both have them.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from httpx2 import AsyncClient

from portico.core.jobs import Kind, Role
from portico.emulators.emulator import Job, Received
from portico.emulators.registry import EMULATORS
from portico.emulators.wire import Request
from portico.providers.base import InputFile, Lost
from portico.testing import START, FakeClock
from tests.contract.providers.cases import CASES, Bench, bench

RECORDED = Path(__file__).with_name("sdk_requests.jsonl")
OF_EMULATOR = {
    "openai": "OpenAI/Python",
    "ark": "volc-sdk-python",
    "dashscope": "dashscope/",
    "replicate": "replicate-python",
    "wavespeed": "python-requests",
}
# whose vendor has none for Python that could be recorded, or one that speaks only over TLS
WITHOUT_CLIENT = {
    "apixo",
    "fal",
    "kling",
    "minimax",
    "portico",
    "vidu",
    "xiaoyang",
    "xpilot",
    "yuanjing",
}
KNOWN_JOBS = {
    "openai": "video_1",
    "ark": "cgt-1",
    "dashscope": "t-1",
    "replicate": "p1",
    "wavespeed": "w1",
}
# what we always say and a client was not asked to: limits, and one picture at a time
OURS = {"max_tokens", "model", "n", "seconds", "size"}
# where we never do as the recording did: one picture at a time, texts as streams
THEIRS = {"n", "stream"}


@dataclass(frozen=True)
class Pair:
    """A recorded request, and how to make a provider send its like."""

    provider: str
    method: str
    path: str
    has: str  # words that only this recorded body has
    send: Callable[[Bench], Awaitable[Any]]

    @property
    def emulator(self) -> str:
        """Whose recordings are meant."""
        return {"openai_like": "openai"}.get(self.provider, self.provider)


@cache
def recorded() -> list[dict[str, Any]]:
    lines = RECORDED.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def of_emulator(name: str) -> list[dict[str, Any]]:
    mark = OF_EMULATOR[name]
    return [each for each in recorded() if each["headers"]["user-agent"].startswith(mark)]


@pytest.mark.parametrize(
    ("name", "number"),
    [(name, number) for name in OF_EMULATOR for number in range(len(of_emulator(name)))],
)
async def test_emulator_takes_what_the_client_sends(name, number):
    sent = of_emulator(name)[number]
    emulator = EMULATORS[name](clock=FakeClock())
    known = Job(KNOWN_JOBS[name], "video", {"model": "m"}, START, START + 10_000)
    emulator.jobs[known.id] = known
    await emulator.start()
    try:
        async with AsyncClient(base_url=f"http://{emulator.address}") as client:
            answer = await client.request(
                sent["method"],
                sent["path"],
                headers=sent["headers"],
                content=sent["body"].encode(),
            )
    finally:
        await emulator.stop()
    assert answer.status_code in {200, 201}, answer.text


@pytest.mark.parametrize("name", sorted(set(EMULATORS) - WITHOUT_CLIENT))
def test_every_emulator_has_recorded_requests(name):
    assert len(of_emulator(name)) > 5


def png(one: Bench, role: Role, content: bytes, *, url: str | None = None) -> InputFile:
    path = one.folder / f"input-{content.decode()}"
    path.write_bytes(content)
    return InputFile(role, "image/png", path, url=url)


async def ark_video(one: Bench) -> None:
    frame = png(one, Role.FIRST_FRAME, b"x", url="http://x/a.png")
    asked = one.video(frame, prompt="p", audio=True)
    asked = msgspec.structs.replace(asked, callback_url="http://cb")
    await one.provider.start(asked, attempt_id="a")


async def ark_picture(one: Bench) -> None:
    assignment = one.assignment(Kind.IMAGE, one.case.image or "", "p", {}, ())
    await one.provider.start(assignment, attempt_id="a")


async def openai_video(one: Bench) -> None:
    assignment = one.assignment(Kind.VIDEO, "any-model", "p", {"duration": 5, "size": "1x1"}, ())
    await one.provider.start(assignment, attempt_id="a")


async def openai_video_from_picture(one: Bench) -> None:
    await one.provider.start(
        one.video(png(one, Role.FIRST_FRAME, b"xx"), prompt="p"), attempt_id="a"
    )


async def openai_picture(one: Bench) -> None:
    assignment = one.assignment(Kind.IMAGE, "m", "p", {"ratio": "1:1"}, ())
    await one.provider.start(assignment, attempt_id="a")


async def openai_edit(one: Bench) -> None:
    files = tuple(png(one, Role.REFERENCE_IMAGE, content) for content in (b"1", b"2"))
    await one.provider.start(one.assignment(Kind.IMAGE, "m", "p", {}, files), attempt_id="a")


async def wavespeed_video(one: Bench) -> None:
    await one.provider.start(one.video(prompt="p"), attempt_id="a")


async def wavespeed_video_between_frames(one: Bench) -> None:
    frames = (
        png(one, Role.FIRST_FRAME, b"1", url="http://x/a.png"),
        png(one, Role.LAST_FRAME, b"2", url="http://x/b.png"),
    )
    model = one.case.video or ""
    assignment = one.assignment(Kind.VIDEO, model, "p", {"audio": True}, frames)
    await one.provider.start(assignment, attempt_id="a")


async def replicate_video(one: Bench) -> None:
    frame = png(one, Role.FIRST_FRAME, b"x", url="http://x/a.png")
    asked = one.video(frame, prompt="p", seed=7)
    asked = msgspec.structs.replace(asked, callback_url="http://cb")
    await one.provider.start(asked, attempt_id="a")


async def replicate_file(one: Bench) -> None:
    await one.provider._upload(png(one, Role.FIRST_FRAME, b"xx"))


async def replicate_list(one: Bench) -> None:
    await one.provider.find(Lost(attempt_id="a", assignment=one.video(), started_at=START))


async def text(one: Bench) -> None:
    model = "doubao-seed" if one.case.provider == "ark" else "m"
    assert [piece async for piece in one.provider.stream(one.chat("x"), model=model)]


def reading(job_id: str) -> Callable[[Bench], Awaitable[Any]]:
    return lambda one: one.provider.check(job_id)


def stopping(job_id: str) -> Callable[[Bench], Awaitable[Any]]:
    return lambda one: one.provider.cancel(job_id)


async def dashscope_video(one: Bench) -> None:
    params = {"duration": 5, "size": "1280x720", "seed": 7, "prompt_expansion": False}
    params["negative_prompt"] = "n"
    await start(one, Kind.VIDEO, "wan2.6-t2v", params)


async def dashscope_video_from_picture(one: Bench) -> None:
    frame = png(one, Role.FIRST_FRAME, b"a", url="http://x/a.png")
    params = {"duration": 5, "resolution": "720p", "ratio": "16:9", "audio": True}
    await start(one, Kind.VIDEO, "wan2.6-i2v", params, frame)


async def dashscope_video_between(one: Bench) -> None:
    params = {"duration": 5, "resolution": "1080p", "ratio": "16:9"}
    await start(one, Kind.VIDEO, "wan2.7-i2v", params, *dashscope_frames(one))


async def dashscope_old_video_between(one: Bench) -> None:
    params = {"duration": 5, "resolution": "720p", "ratio": "16:9"}
    await start(one, Kind.VIDEO, "wan2.2-kf2v-flash", params, *dashscope_frames(one))


async def dashscope_horse(one: Bench) -> None:
    person = png(one, Role.REFERENCE_IMAGE, b"a", url="http://x/a.png")
    params = {"duration": 5, "resolution": "720p", "ratio": "9:16"}
    await start(one, Kind.VIDEO, "happyhorse-1.0-r2v", params, person)


def dashscope_edit(model: str) -> Callable[[Bench], Awaitable[Any]]:
    async def send(one: Bench) -> None:
        source = png(one, Role.REFERENCE_IMAGE, b"a", url="http://x/a.png")
        await start(one, Kind.IMAGE, model, {"ratio": "1:1"}, source)

    return send


async def dashscope_old_picture(one: Bench) -> None:
    await start(one, Kind.IMAGE, "wanx2.1-t2i-turbo", {"ratio": "1:1"})


def dashscope_frames(one: Bench) -> tuple[InputFile, InputFile]:
    first = png(one, Role.FIRST_FRAME, b"a", url="http://x/a.png")
    return first, png(one, Role.LAST_FRAME, b"b", url="http://x/b.png")


async def start(
    one: Bench, kind: Kind, model: str, params: dict[str, Any], *inputs: InputFile
) -> None:
    await one.provider.start(one.assignment(kind, model, "p", params, inputs), attempt_id="a")


REPLICATED = "bytedance/seedance-1-pro"
TASKS = "/api/v3/contents/generations/tasks"
AIGC = "/api/v1/services/aigc"
VIDEOS = f"{AIGC}/video-generation/video-synthesis"
SEEDANCE = "/api/v3/bytedance/seedance-2.0"
PAIRS = (
    Pair("dashscope", "POST", VIDEOS, "negative_prompt", dashscope_video),
    Pair("dashscope", "POST", VIDEOS, "wan2.6-i2v", dashscope_video_from_picture),
    Pair("dashscope", "POST", VIDEOS, "wan2.7-i2v", dashscope_video_between),
    Pair("dashscope", "POST", VIDEOS, "happyhorse-1.0-r2v", dashscope_horse),
    Pair(
        "dashscope",
        "POST",
        f"{AIGC}/image2video/video-synthesis",
        "720P",
        dashscope_old_video_between,
    ),
    Pair(
        "dashscope",
        "POST",
        f"{AIGC}/image-generation/generation",
        "enable_interleave",
        dashscope_edit("wan2.6-image"),
    ),
    Pair(
        "dashscope",
        "POST",
        f"{AIGC}/multimodal-generation/generation",
        "qwen-image-2.0",
        dashscope_edit("qwen-image-2.0"),
    ),
    Pair(
        "dashscope",
        "POST",
        f"{AIGC}/text2image/image-synthesis",
        "wanx2.1",
        dashscope_old_picture,
    ),
    Pair("dashscope", "GET", "/api/v1/tasks/t-1", "", reading("t-1")),
    Pair("dashscope", "POST", "/api/v1/tasks/t-1/cancel", "", stopping("t-1")),
    Pair("ark", "POST", TASKS, "first_frame", ark_video),
    Pair("ark", "GET", f"{TASKS}/cgt-1", "", reading("cgt-1")),
    Pair("ark", "DELETE", f"{TASKS}/cgt-1", "", stopping("cgt-1")),
    Pair("ark", "POST", "/api/v3/images/generations", "", ark_picture),
    Pair("ark", "POST", "/api/v3/chat/completions", "", text),
    Pair("openai_like", "POST", "/v1/videos", "any-model", openai_video),
    Pair("openai_like", "POST", "/v1/videos", "input_reference", openai_video_from_picture),
    Pair("openai_like", "GET", "/v1/videos/video_1", "", reading("video_1")),
    Pair("openai_like", "DELETE", "/v1/videos/video_1", "", stopping("video_1")),
    Pair("openai_like", "POST", "/v1/images/generations", "", openai_picture),
    Pair("openai_like", "POST", "/v1/images/edits", "", openai_edit),
    Pair("openai_like", "POST", "/v1/chat/completions", "include_usage", text),
    Pair("wavespeed", "POST", f"{SEEDANCE}/text-to-video", "720p", wavespeed_video),
    Pair("wavespeed", "POST", f"{SEEDANCE}/image-to-video", "", wavespeed_video_between_frames),
    Pair("wavespeed", "GET", "/api/v3/predictions/w1/result", "", reading("w1")),
    Pair("replicate", "POST", f"/v1/models/{REPLICATED}/predictions", "", replicate_video),
    Pair("replicate", "GET", "/v1/predictions", "", replicate_list),
    Pair("replicate", "GET", "/v1/predictions/p1", "", reading("p1")),
    Pair("replicate", "POST", "/v1/predictions/p1/cancel", "", stopping("p1")),
    Pair("replicate", "POST", "/v1/files", "xx", replicate_file),
)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair.method} {pair.path} {pair.has}")
async def test_provider_sends_what_the_client_sends(pair: Pair, tmp_path):
    theirs = next(
        each
        for each in of_emulator(pair.emulator)
        if (each["method"], each["path"]) == (pair.method, pair.path) and pair.has in each["body"]
    )
    case = next(each for each in CASES if each.provider == pair.provider)
    async with bench(case, tmp_path, latency_s=10) as one:
        for job_id in KNOWN_JOBS.values():
            job = Job(job_id, "video", {"model": "m"}, START, START + 10_000)
            one.emulator.jobs[job_id] = job
        await pair.send(one)
        ours = one.emulator.requests[-1]
    assert (ours.method, ours.path) == (theirs["method"], theirs["path"])
    assert ours.headers["authorization"].startswith("Bearer ")
    if ours.body:
        assert kind_of(ours.headers) == kind_of(theirs["headers"])
    check_fields(fields(ours), fields(as_request(theirs)))


def check_fields(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert set(ours) - set(theirs) <= OURS
    told = {name: value for name, value in theirs.items() if value is not None}
    both = (set(ours) & set(told)) - THEIRS
    assert {name: ours[name] for name in both} == {name: told[name] for name in both}


def fields(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").startswith("application/json"):
        body = dict(json.loads(request.body or b"{}"))
        return body.pop("input", {}) | body.pop("parameters", {}) | body
    return Received(request, (), None).body if request.body else {}


def kind_of(headers: dict[str, str]) -> str:
    return headers["content-type"].partition(";")[0]


def as_request(sent: dict[str, Any]) -> Request:
    return Request(
        method=sent["method"],
        path=sent["path"],
        headers=sent["headers"],
        body=sent["body"].encode(),
    )
