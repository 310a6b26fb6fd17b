"""Upstreams with the models of many vendors: queued pictures, and emulators as strict as they."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient

from portico.core.errors import ErrorCode
from portico.core.jobs import Kind, Role
from portico.core.upstreams import Trouble, UpstreamError
from portico.emulators.emulator import Emulator, sample
from portico.emulators.fal import FalEmulator
from portico.emulators.faults import Fault, On
from portico.emulators.replicate import DATA_CHARS_MAX, ReplicateEmulator
from portico.providers.base import Finished, InputFile
from tests.contract.providers.cases import CASES, Bench, bench
from tests.contract.providers.test_contract import content_of, made, picture

PICTURES = {
    "fal": "fal-ai/bytedance/seedream/v4.5",
    "replicate": "bytedance/seedream-4.5",
}
FAL = "/bytedance/seedance-2.0"
REPLICATE = "/v1/models/bytedance/seedance-1-pro/predictions"
DATA = "data:image/png;base64,"


@pytest.fixture(params=PICTURES)
async def at_once(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    case = next(each for each in CASES if each.provider == request.param)
    async with bench(case, tmp_path) as one:
        yield one


def asked(one: Bench, *inputs: InputFile, **params: Any) -> Any:
    model = PICTURES[one.case.provider]
    return one.assignment(Kind.IMAGE, model, "sea", params, inputs)


async def test_picture_is_made_in_the_queue(at_once: Bench):
    finished = await made(at_once, asked(at_once, ratio="1:1"))
    assert await content_of(at_once, finished.outputs[0]) == sample("png")
    assert finished.usage == {"images": 1, "compute_seconds": 41.5}


async def test_picture_is_changed(at_once: Bench):
    file = InputFile(Role.REFERENCE_IMAGE, "image/png", picture(at_once))
    finished = await made(at_once, asked(at_once, file, file, ratio="3:2"))
    assert len(finished.outputs) == 1


async def test_picture_without_an_address_is_no_picture(at_once: Bench):
    at_once.emulator.plans.add(Fault.NO_URL)
    finished = await made(at_once, asked(at_once))
    assert finished.outputs == ()
    assert "images" not in finished.usage or finished.usage["images"] == 0


@pytest.mark.parametrize("roles", [(Role.FIRST_FRAME, Role.LAST_FRAME), (Role.REFERENCE_IMAGE,)])
async def test_video_from_frames_and_references_is_taken(at_once: Bench, roles):
    files = [InputFile(role, "image/png", picture(at_once)) for role in roles]
    assert isinstance(await made(at_once, at_once.video(*files, ratio="adaptive")), Finished)


async def test_stopped_job_has_failed(at_once: Bench):
    at_once.emulator.latency_s = 60
    started = await at_once.provider.start(at_once.video(), attempt_id="a")
    await at_once.provider.cancel(started.upstream_id)
    with pytest.raises(UpstreamError) as caught:
        await at_once.provider.check(started.upstream_id)
    assert caught.value.code is ErrorCode.UPSTREAM_FAILED


async def test_value_that_a_model_does_not_take_is_wrong_in_its_eyes(at_once: Bench):
    with pytest.raises(UpstreamError) as caught:
        await at_once.provider.start(at_once.video(ratio="7:1"), attempt_id="a")
    assert caught.value.trouble is Trouble.REQUEST
    assert at_once.emulator.begun == 0


@pytest.mark.parametrize("times", [1, 2])
async def test_result_that_cannot_be_read_is_asked_for_again(tmp_path, times):
    case = next(each for each in CASES if each.provider == "fal")
    async with bench(case, tmp_path) as one:
        started = await one.provider.start(one.video(), attempt_id="a")
        one.emulator.plans.add(Fault.COMPRESSED, on=On.READ, times=times)
        with pytest.raises(UpstreamError) as caught:
            await one.provider.check(started.upstream_id)
        assert caught.value.code is ErrorCode.OVERLOADED


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"{FAL}/text-to-video", {"prompt": "sea", "duration": "5"}, 200),
        (f"{FAL}/text-to-video", {"prompt": "sea", "duration": 5}, 422),
        (f"{FAL}/text-to-video", {"prompt": "sea", "fps": 24}, 422),
        (f"{FAL}/text-to-video", {}, 422),
        (f"{FAL}/image-to-video", {"prompt": "sea"}, 422),
        (f"{FAL}/image-to-video", {"prompt": "sea", "image_url": "a.png"}, 422),
        (FAL, {"prompt": "sea"}, 404),
        ("/seedance", {"prompt": "sea"}, 404),
    ],
)
async def test_fal_refuses_what_its_pages_refuse(path, body, status):
    assert (await answer_of(FalEmulator(), "Key k", path, body))[0] == status
    assert (await answer_of(FalEmulator(), "Bearer k", path, body))[0] in {401, 404}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (REPLICATE, {"input": {"prompt": "sea", "duration": 5}}, 201),
        (REPLICATE, {"input": {"prompt": "sea", "duration": "5"}}, 422),
        (REPLICATE, {"input": {"prompt": "sea", "image": "a.png"}}, 422),
        (REPLICATE, {"input": {"prompt": "sea", "image": DATA + "A" * DATA_CHARS_MAX}}, 422),
        (REPLICATE, {"input": {}}, 422),
        (REPLICATE, {"prompt": "sea"}, 422),
        (REPLICATE, {"input": {"prompt": "sea"}, "webhook_events_filter": ["done"]}, 422),
        (REPLICATE, {"input": {"prompt": "sea"}, "version": "0"}, 422),
        ("/v1/predictions", {"input": {}}, 422),
        ("/v1/predictions", {"input": {}, "version": "latest"}, 422),
        ("/v1/files", {}, 422),
    ],
)
async def test_replicate_refuses_what_its_pages_refuse(path, body, status):
    assert (await answer_of(ReplicateEmulator(), "Bearer k", path, body))[0] == status


async def test_request_is_known_to_its_app_only():
    emulator = FalEmulator()
    await emulator.start()
    async with AsyncClient(
        base_url=emulator.base_url, headers={"authorization": "Key k"}
    ) as client:
        begun = (await client.post(f"{FAL}/text-to-video", json={"prompt": "sea"})).json()
        paths = [
            f"{FAL}/requests/{begun['request_id']}/status",
            f"{FAL}/text-to-video/requests/{begun['request_id']}/status",
            f"/bytedance/another/requests/{begun['request_id']}/status",
        ]
        statuses = [(await client.get(path)).status_code for path in paths]
    await emulator.stop()
    assert begun["status_url"].endswith(paths[0])
    assert statuses == [200, 404, 404]


@pytest.mark.parametrize("fault", [None, Fault.TASK_FAILED])
async def test_callback_of_fal_tells_the_request_and_its_end(fault):
    told = await told_by(FalEmulator(), "Key k", f"{FAL}/text-to-video", {"prompt": "sea"}, fault)
    assert told["status"] == ("ERROR" if fault else "OK")
    assert told["request_id"]


async def test_callback_of_replicate_is_the_prediction():
    told = await told_by(ReplicateEmulator(), "Bearer k", REPLICATE, {"input": {"prompt": "sea"}})
    assert (told["status"], told["model"]) == ("succeeded", "bytedance/seedance-1-pro")


async def answer_of(emulator: Emulator, key: str, path: str, body: Any) -> tuple[int, Any]:
    await emulator.start()
    url = f"http://{emulator.address}"
    async with AsyncClient(base_url=url, headers={"authorization": key}) as client:
        answer = await client.post(path, json=body)
    await emulator.stop()
    return answer.status_code, answer.json()


async def told_by(
    emulator: Emulator, key: str, path: str, body: Any, fault: Fault | None = None
) -> Any:
    """Begin a job with an address to call back, and return what is told there."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        heard.put_nowait(await reader.readexactly(size))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    if fault is not None:
        emulator.plans.add(fault)
    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/back"
    await emulator.start()
    address = f"http://{emulator.address}"
    query = {"fal_webhook": url} if emulator.name == "fal" else {}
    asked = body | ({} if query else {"webhook": url, "webhook_events_filter": ["completed"]})
    async with AsyncClient(base_url=address, headers={"authorization": key}) as client:
        assert (await client.post(path, json=asked, params=query)).status_code < 300
    told = await asyncio.wait_for(heard.get(), 5)
    await emulator.stop()
    server.close()
    return json.loads(told)
