"""The emulated DashScope refuses what its pages refuse, and remembers what it took."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx2 import AsyncClient

from portico.emulators.dashscope import DashScopeEmulator
from portico.testing import FakeClock

AIGC = "/api/v1/services/aigc"
VIDEO = f"{AIGC}/video-generation/video-synthesis"
IMAGE = f"{AIGC}/multimodal-generation/generation"
ASYNC = {"X-DashScope-Async": "enable"}
URL = "https://x.example/a.png"


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    emulator = DashScopeEmulator(clock=FakeClock(), latency_s=10)
    await emulator.start()
    address = f"http://{emulator.address}"
    async with AsyncClient(base_url=address, headers={"Authorization": "Bearer k"}) as client:
        yield client
    await emulator.stop()


async def refused_code(client: AsyncClient, path: str, body: Any, **headers: str) -> Any:
    answer = await client.post(path, json=body, headers=headers)
    return answer.status_code, answer.json().get("code")


def video(model: str, *, parameters: Any = None, **given: Any) -> dict[str, Any]:
    return {"model": model, "input": {"prompt": "sea"} | given, "parameters": parameters or {}}


def picture(model: str, *images: str, **parameters: Any) -> dict[str, Any]:
    content = [{"text": "sea"}, *({"image": image} for image in images)]
    messages = [{"role": "user", "content": content}]
    return {"model": model, "input": {"messages": messages}, "parameters": parameters}


@pytest.mark.parametrize(
    "body",
    [
        video("wan2.6-t2v", parameters={"resolution": "720P"}),
        video("wan2.6-t2v", parameters={"size": "832*480"}),
        video("wan2.6-t2v", parameters={"duration": 5.0}),
        video("wan2.6-t2v", parameters={"duration": True}),
        video("wan2.6-t2v", parameters={"seed": 2**31}),
        video("wan2.6-t2v", img_url=URL),
        video("wan2.6-t2v", prompt=""),
        video("wan2.6-t2v", prompt="a" * 1_501),
        video("wan2.6-i2v"),
        video("wan2.6-i2v", img_url="a.png"),
        video("wan2.6-i2v", img_url=URL, parameters={"resolution": "720p"}),
        video("wan2.6-i2v", img_url=URL, parameters={"ratio": "16:9"}),
        video("wan2.6-r2v", reference_urls=[URL] * 6),
        video("wan2.7-i2v", media=[{"type": "reference_image", "url": URL}]),
        video("happyhorse-1.0-i2v", media=[{"type": "first_frame", "url": URL}] * 2),
        video("happyhorse-1.0-r2v", media=[]),
        video("happyhorse-1.0-t2v", parameters={"ratio": "adaptive"}),
        video("happyhorse-1.0-t2v", parameters={"resolution": "480P"}),
        {"model": "wan2.6-t2v"},
    ],
    ids=str,
)
async def test_video_that_the_page_forbids_is_refused(client, body):
    assert await refused_code(client, VIDEO, body, **ASYNC) == (400, "InvalidParameter")


@pytest.mark.parametrize(
    "body",
    [
        picture("qwen-image-plus", n=2),
        picture("qwen-image-plus", size="1024*1024"),
        picture("qwen-image-plus", URL),
        picture("qwen-image-edit-plus"),
        picture("qwen-image-2.0", n=7),
        picture("wan2.6-image", enable_interleave=False),
        picture("wan2.6-image", URL, URL, enable_interleave=True),
        picture("wan2.6-t2i", size="2048*2048"),
    ],
    ids=str,
)
async def test_picture_that_the_page_forbids_is_refused(client, body):
    assert await refused_code(client, IMAGE, body) == (400, "InvalidParameter")


async def test_video_is_made_as_a_task_only(client):
    assert (await refused_code(client, VIDEO, video("wan2.6-t2v")))[0] == 400
    assert (await refused_code(client, VIDEO, video("wan2.6-t2v"), **ASYNC))[0] == 200


async def test_model_is_known_at_its_own_path_only(client):
    path = f"{AIGC}/image2video/video-synthesis"
    refused = await refused_code(client, path, video("wan2.6-t2v"), **ASYNC)
    assert refused == (404, "ModelNotFound")


async def test_only_a_waiting_task_is_stopped(client):
    made = await client.post(VIDEO, json=video("wan2.6-t2v"), headers=ASYNC)
    task = f"/api/v1/tasks/{made.json()['output']['task_id']}"
    assert (await client.post(f"{task}/cancel")).status_code == 200
    assert (await client.get(task)).json()["output"]["task_status"] == "CANCELED"
    assert await refused_code(client, f"{task}/cancel", {}) == (400, "UnsupportedOperation")


async def test_task_that_it_never_had_is_unknown_and_no_error(client):
    answer = await client.get("/api/v1/tasks/never-seen")
    assert (answer.status_code, answer.json()["output"]["task_status"]) == (200, "UNKNOWN")
