"""Vendors' own clients complete their jobs against our emulators."""

import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from replicate.client import Client as ReplicateClient
from replicate.exceptions import ModelError, ReplicateError
from volcenginesdkarkruntime import AsyncArk
from volcenginesdkarkruntime._exceptions import ArkBadRequestError, ArkRateLimitError

from portico.emulators.ark import ArkEmulator
from portico.emulators.emulator import Emulator, sample
from portico.emulators.faults import Fault, On
from portico.emulators.openai import OpenAiEmulator
from portico.emulators.replicate import REFUSALS as REPLICATE_REFUSALS
from portico.emulators.replicate import VERSION, ReplicateEmulator

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SEEDANCE = "bytedance/seedance-1-pro"
QUESTION: Any = [{"role": "user", "content": "Who?"}]


@pytest.fixture
async def run() -> AsyncIterator[Callable[[Emulator], Any]]:
    """Start emulators that end with the test."""
    running: list[Emulator] = []

    async def start(emulator: Any) -> Any:
        await emulator.start()
        running.append(emulator)
        return emulator

    yield start
    for emulator in running:
        await emulator.stop()


@pytest.fixture
async def open_ai(run) -> AsyncIterator[tuple[OpenAiEmulator, AsyncOpenAI]]:
    emulator = await run(OpenAiEmulator())
    async with AsyncOpenAI(base_url=emulator.base_url, api_key="k", max_retries=0) as client:
        yield emulator, client


@pytest.fixture
async def ark(run) -> AsyncIterator[tuple[ArkEmulator, AsyncArk]]:
    emulator = await run(ArkEmulator())
    async with AsyncArk(base_url=emulator.base_url, api_key="k", max_retries=0) as client:
        yield emulator, client


@pytest.fixture
async def replicate(run) -> AsyncIterator[tuple[ReplicateEmulator, ReplicateClient]]:
    emulator = await run(ReplicateEmulator())
    client = ReplicateClient(base_url=f"http://{emulator.address}", api_token="k")
    yield emulator, client
    await client._async_client.aclose()  # it has no other way to be closed


async def test_openai_makes_a_video_and_fetches_it(open_ai):
    _, client = open_ai
    video = await client.videos.create_and_poll(prompt="sea", model="any", seconds="8")
    assert (video.status, video.seconds) == ("completed", "8")
    content = await client.videos.download_content(video.id)
    assert content.content == sample("mp4")
    assert [each.id async for each in await client.videos.list()] == [video.id]
    assert (await client.videos.delete(video.id)).deleted


async def test_openai_makes_and_changes_pictures(open_ai):
    _, client = open_ai
    made = await client.images.generate(model="any", prompt="sea", n=2, response_format="url")
    assert [bool(each.url) for each in made.data] == [True, True]
    changed = await client.images.edit(
        model="any", prompt="sea", image=[("a.png", sample("png"), "image/png")]
    )
    assert changed.data[0].b64_json


async def test_openai_writes_whole_texts_and_streams(open_ai):
    _, client = open_ai
    whole = await client.chat.completions.create(model="any", messages=QUESTION)
    assert whole.choices[0].message.content == "This is an emulated answer."
    stream = await client.chat.completions.create(
        model="any", messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    pieces = [piece async for piece in stream]
    assert pieces[-1].usage.completion_tokens == 5
    assert pieces[-1].choices == []


async def test_openai_reads_refusals_as_its_own_errors(open_ai):
    emulator, client = open_ai
    for fault, error in (
        (Fault.RATE_LIMITED, openai.RateLimitError),
        (Fault.BAD_KEY, openai.AuthenticationError),
        (Fault.NO_MODEL, openai.NotFoundError),
        (Fault.REFUSED, openai.BadRequestError),
        (Fault.BROKEN_BEFORE, openai.InternalServerError),
        (Fault.CUT_BEFORE, openai.APIConnectionError),
    ):
        emulator.plans.add(fault, on=On.TEXT)
        with pytest.raises(error):
            await client.chat.completions.create(model="any", messages=QUESTION)
    emulator.plans.add(Fault.TASK_FAILED)
    video = await client.videos.create_and_poll(prompt="sea", model="any")
    assert (video.status, video.error.code) == ("failed", "video_generation_failed")


async def test_ark_makes_a_video_and_counts_it(ark):
    emulator, client = ark
    tasks = client.content_generation.tasks
    frame = {"type": "image_url", "image_url": {"url": "http://x/a.png"}, "role": "first_frame"}
    made = await tasks.create(
        model="doubao-seedance-2-0-260128",
        content=[{"type": "text", "text": "sea"}, frame],
        resolution="720p",
        ratio="16:9",
        duration=5,
        generate_audio=True,
    )
    task = await tasks.get(task_id=made.id)
    assert task.status == "succeeded"
    assert task.usage.completion_tokens == 108_900
    assert task.content.video_url.startswith(f"http://{emulator.address}/")
    listed = await tasks.list(page_num=1, page_size=10, status="succeeded", task_ids=[made.id])
    assert [each.id for each in listed.items] == [made.id]
    await tasks.delete(task_id=made.id)
    assert emulator.jobs == {}


async def test_ark_makes_pictures_and_texts(ark):
    _, client = ark
    made = await client.images.generate(
        model="doubao-seedream-4-5-251128", prompt="sea", size="2K", watermark=False
    )
    assert made.data[0].url
    assert made.usage.generated_images == 1
    text = await client.chat.completions.create(model="doubao-seed", messages=QUESTION)
    assert text.choices[0].message.content == "This is an emulated answer."


async def test_ark_reads_refusals_as_its_own_errors(ark):
    emulator, client = ark
    create = client.content_generation.tasks.create
    for fault, error in (
        (Fault.RATE_LIMITED, ArkRateLimitError),
        (Fault.REFUSED, ArkBadRequestError),
    ):
        emulator.plans.add(fault)
        with pytest.raises(error):
            await create(model="m", content=[{"type": "text", "text": "sea"}])
    with pytest.raises(ArkBadRequestError):
        await create(model="m", content=[{"type": "text", "text": "sea"}], ratio="9:21")


async def test_replicate_makes_a_video_and_finds_it_in_the_list(replicate):
    emulator, client = replicate
    made = await client.async_run(SEEDANCE, input={"prompt": "sea", "duration": 5})
    (job_id,) = emulator.jobs
    assert made == f"http://{emulator.address}/_files/{job_id}.mp4"
    prediction = await client.predictions.async_get(job_id)
    assert (prediction.status, prediction.metrics["predict_time"]) == ("succeeded", 41.5)
    assert [each.id for each in await client.predictions.async_list()] == [job_id]


async def test_replicate_makes_pictures_from_files_and_versions(replicate):
    emulator, client = replicate
    picture = io.BytesIO(sample("png"))
    made = await client.async_run(
        "bytedance/seedream-4.5", input={"prompt": "sea", "image_input": [picture]}
    )
    assert [each.rpartition(".")[2] for each in made] == ["png"]
    assert list(emulator.files.values()) == [len(sample("png"))]
    prediction = await client.predictions.async_create(version=VERSION, input={"text": "x"})
    assert prediction.version == VERSION


async def test_replicate_stops_a_prediction(replicate):
    emulator, client = replicate
    emulator.latency_s = 60
    prediction = await client.models.predictions.async_create(SEEDANCE, input={"prompt": "sea"})
    await prediction.async_cancel()
    await prediction.async_reload()
    assert prediction.status == "canceled"


async def test_replicate_reads_refusals_as_its_own_errors(replicate):
    emulator, client = replicate
    for fault in (Fault.RATE_LIMITED_PLAIN, Fault.NO_CREDIT, Fault.NO_MODEL, Fault.INVALID):
        emulator.plans.add(fault)
        with pytest.raises(ReplicateError) as caught:
            await client.async_run(SEEDANCE, input={"prompt": "sea"})
        assert caught.value.status == REPLICATE_REFUSALS[fault][0]
    with pytest.raises(ReplicateError):
        await client.async_run(SEEDANCE, input={"prompt": "sea", "aspect_ratio": "7:1"})
    emulator.plans.add(Fault.TASK_REFUSED)
    with pytest.raises(ModelError, match="E005"):
        await client.async_run(SEEDANCE, input={"prompt": "sea"})
