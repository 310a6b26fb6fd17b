"""Vendors' own clients complete their jobs against our emulators."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import dashscope
import openai
import pytest
from dashscope.aigc.image_generation import AioImageGeneration
from dashscope.aigc.image_synthesis import AioImageSynthesis
from dashscope.aigc.multimodal_conversation import AioMultiModalConversation
from dashscope.aigc.video_synthesis import AioVideoSynthesis
from dashscope.api_entities.aio_session import close_shared_aio_session
from openai import AsyncOpenAI
from replicate.client import Client as ReplicateClient
from replicate.exceptions import ModelError, ReplicateError
from volcenginesdkarkruntime import AsyncArk
from volcenginesdkarkruntime._exceptions import ArkBadRequestError, ArkRateLimitError
from wavespeed import Client as WaveSpeedClient

from portico.emulators.ark import ArkEmulator
from portico.emulators.dashscope import DashScopeEmulator
from portico.emulators.emulator import Emulator, sample
from portico.emulators.faults import Fault, On
from portico.emulators.openai import OpenAiEmulator
from portico.emulators.replicate import REFUSALS as REPLICATE_REFUSALS
from portico.emulators.replicate import VERSION, ReplicateEmulator
from portico.emulators.wavespeed import WaveSpeedEmulator

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
async def scope(run, monkeypatch) -> AsyncIterator[DashScopeEmulator]:
    """Point the client, which knows one address for all calls, to an emulator."""
    emulator = await run(DashScopeEmulator())
    monkeypatch.setattr(dashscope, "base_http_api_url", f"{emulator.base_url}/api/v1")
    monkeypatch.setattr(dashscope, "api_key", "k")
    yield emulator
    await close_shared_aio_session()


@pytest.fixture
async def wavespeed(run) -> tuple[WaveSpeedEmulator, WaveSpeedClient]:
    emulator = await run(WaveSpeedEmulator())
    return emulator, WaveSpeedClient(api_key="k", base_url=f"http://{emulator.address}")


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


async def test_dashscope_makes_a_video_and_counts_it(scope):
    made = await AioVideoSynthesis.call(
        model="wan2.6-t2v", prompt="sea", size="1280*720", duration=10, watermark=False
    )
    assert (made.status_code, made.output.task_status) == (200, "SUCCEEDED")
    assert made.output.video_url.startswith(f"http://{scope.address}/")
    assert made.usage.duration == 10
    listed = await AioVideoSynthesis.list(page_no=1, page_size=10, status="SUCCEEDED")
    assert [task["task_id"] for task in listed.output["data"]] == [made.output.task_id]
    refused = await AioVideoSynthesis.cancel(made.output.task_id)
    assert (refused.status_code, refused.code) == (400, "UnsupportedOperation")


async def test_dashscope_makes_pictures_in_each_of_its_ways(scope):
    message: Any = [{"role": "user", "content": [{"text": "sea"}]}]
    old = await AioImageSynthesis.call(model="qwen-image-plus", prompt="sea", n=1)
    assert old.output.results[0].url.startswith(f"http://{scope.address}/")
    task: Any = await AioImageGeneration.async_call(model="wan2.6-image", messages=message, n=1)
    as_task = await AioImageGeneration.wait(task)
    at_once: Any = await AioMultiModalConversation.call(
        model="qwen-image-2.0", messages=message, n=1
    )
    for made in (as_task, at_once):
        assert made.output.choices[0].message.content[0]["image"].endswith(".png")
        assert made.usage["image_count"] == 1


async def test_dashscope_reads_refusals_as_codes_of_its_own(scope):
    for fault, expected in (
        (Fault.RATE_LIMITED, (429, "Throttling.RateQuota")),
        (Fault.REFUSED, (400, "DataInspectionFailed")),
        (Fault.NO_CREDIT, (400, "Arrearage")),
    ):
        scope.plans.add(fault)
        refused = await AioVideoSynthesis.async_call(model="wan2.6-t2v", prompt="sea")
        assert (refused.status_code, refused.code) == expected
    wrong = await AioVideoSynthesis.async_call(model="wan2.6-t2v", prompt="sea", ratio="16:9")
    assert (wrong.status_code, wrong.code) == (400, "InvalidParameter")
    scope.plans.add(Fault.TASK_REFUSED)
    failed = await AioVideoSynthesis.call(model="wan2.6-t2v", prompt="sea")
    assert (failed.output.task_status, failed.output.code) == ("FAILED", "DataInspectionFailed")


async def test_openai_writes_texts_in_dashscopes_compatible_mode(scope):
    base_url = f"{scope.base_url}/compatible-mode/v1"
    async with AsyncOpenAI(base_url=base_url, api_key="k", max_retries=0) as client:
        text = await client.chat.completions.create(model="qwen-plus", messages=QUESTION)
        assert text.choices[0].message.content == "This is an emulated answer."
        scope.plans.add(Fault.NO_MODEL, on=On.TEXT)
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(model="any", messages=QUESTION)


async def test_wavespeed_makes_a_video_from_an_uploaded_picture(wavespeed, tmp_path):
    emulator, client = wavespeed
    picture = tmp_path / "a.png"
    picture.write_bytes(sample("png"))
    address = await asyncio.to_thread(client.upload, str(picture))
    assert list(emulator.uploads.values()) == [len(sample("png"))]
    asked = {"prompt": "sea", "image": address, "duration": 5, "resolution": "720p"}
    model = "bytedance/seedance-2.0/image-to-video"
    made = await asyncio.to_thread(client.run, model, asked, poll_interval=0.01)
    (output,) = made["outputs"]
    assert output.startswith(f"http://{emulator.address}/")
    assert output.endswith(".mp4")


async def test_wavespeed_reads_refusals_and_failures_as_its_own_errors(wavespeed):
    emulator, client = wavespeed
    model = "bytedance/seedance-2.0/text-to-video"
    for fault, told in ((Fault.NO_CREDIT, "HTTP 402"), (Fault.TASK_FAILED, "Prediction failed")):
        emulator.plans.add(fault)
        with pytest.raises(RuntimeError, match=told):
            await asyncio.to_thread(client.run, model, {"prompt": "sea"}, poll_interval=0.01)
    assert emulator.begun == 1


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
