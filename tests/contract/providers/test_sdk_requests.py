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
from portico.providers.base import InputFile
from portico.testing import START
from tests.contract.providers.cases import CASES, Bench, bench

RECORDED = Path(__file__).with_name("sdk_requests.jsonl")
OF_EMULATOR = {"openai": "OpenAI/Python", "ark": "volc-sdk-python"}
KNOWN_JOBS = {"openai": "video_1", "ark": "cgt-1"}
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
    emulator = EMULATORS[name]()
    known = Job(KNOWN_JOBS[name], "video", {"model": "m"}, START, START)
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
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", OF_EMULATOR)
def test_every_emulator_with_a_client_has_recorded_requests(name):
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


async def text(one: Bench) -> None:
    model = "doubao-seed" if one.case.provider == "ark" else "m"
    assert [piece async for piece in one.provider.stream(one.chat("x"), model=model)]


def reading(job_id: str) -> Callable[[Bench], Awaitable[Any]]:
    return lambda one: one.provider.check(job_id)


def stopping(job_id: str) -> Callable[[Bench], Awaitable[Any]]:
    return lambda one: one.provider.cancel(job_id)


TASKS = "/api/v3/contents/generations/tasks"
PAIRS = (
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
        return dict(json.loads(request.body or b"{}"))
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
