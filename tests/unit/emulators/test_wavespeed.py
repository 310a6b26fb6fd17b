"""What is special about WaveSpeed's emulator: models as paths, uploads, signed webhooks."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx2 import AsyncClient

from portico.emulators.faults import Fault
from portico.emulators.wavespeed import SECRET, WaveSpeedEmulator, signed
from portico.testing import FakeClock

KEY = {"authorization": "Bearer k"}
FROM_WORDS, FROM_FRAME = "/bytedance/s/text-to-video", "/bytedance/s/image-to-video"
PICTURE = "https://a.example/a.png"
TEXT: dict[str, Any] = {"prompt": "sea"}


@pytest.fixture
async def wavespeed() -> AsyncIterator[WaveSpeedEmulator]:
    emulator = WaveSpeedEmulator(clock=FakeClock())
    await emulator.start()
    yield emulator
    await emulator.stop()


@pytest.fixture
async def client(wavespeed: WaveSpeedEmulator) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(base_url=wavespeed.base_url, headers=KEY) as one:
        yield one


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (FROM_WORDS, {}),
        (FROM_WORDS, TEXT | {"image": PICTURE}),
        (FROM_WORDS, TEXT | {"duration": "5"}),
        (FROM_WORDS, TEXT | {"nonsense": 1}),
        (FROM_WORDS, TEXT | {"reference_images": ["data:image/png;base64,"]}),
        (FROM_FRAME, TEXT),
        (FROM_FRAME, TEXT | {"image": "file:///a"}),
        ("/bytedance/seedream-v4.5/edit", TEXT),
    ],
)
async def test_wrong_request_is_refused(wavespeed, client, path, body):
    answer = await client.post(path, json=body)
    assert (answer.status_code, answer.json()["data"]["code"]) == (400, 1401)
    assert wavespeed.begun == 0


@pytest.mark.parametrize(
    ("path", "suffix"),
    [("/bytedance/seedream-v4.5", ".png"), (FROM_WORDS, ".mp4"), ("/a/text-to-image", ".png")],
)
async def test_model_makes_what_its_path_says(client, path, suffix):
    submitted = (await client.post(path, json=TEXT)).json()
    assert submitted["code"] == 200
    read = await client.get(f"/predictions/{submitted['data']['id']}/result")
    data = read.json()["data"]
    assert data["model"] == path.removeprefix("/")
    assert data["outputs"][0].endswith(suffix)
    assert (await client.get(f"/predictions/{data['id']}")).json() == read.json()


async def test_failed_prediction_is_a_good_answer_with_a_code_inside(wavespeed, client):
    wavespeed.plans.add(Fault.TASK_REFUSED)
    told = (await client.post(FROM_WORDS, json=TEXT)).json()["data"]
    answer = await client.get(f"/predictions/{told['id']}/result")
    assert answer.status_code == 200
    assert answer.json()["data"]["status"] == "failed"
    assert answer.json()["data"]["code"] == 1200


async def test_signed_address_takes_a_file_without_a_key(wavespeed, client):
    asked = {"filename": "a.png", "size": 2, "content_type": "image/png"}
    ticket = (await client.post("/media/uploads", json=asked)).json()["data"]
    async with AsyncClient() as stranger:
        put = await stranger.put(ticket["upload"]["url"], content=b"xx")
        refused = await stranger.post(f"{wavespeed.base_url}/media/uploads", json=asked)
    assert (put.status_code, refused.status_code) == (200, 401)
    assert list(wavespeed.uploads.values()) == [2]


async def test_upload_over_the_limit_is_refused(client):
    asked = {"filename": "a.png", "size": 200 * 2**20 + 1}
    assert (await client.post("/media/uploads", json=asked)).status_code == 400


async def test_balance_and_secret_are_told(client):
    assert (await client.get("/balance")).json()["data"]["balance"] > 0
    assert (await client.get("/webhook/secret")).json()["data"]["secret"] == SECRET


def test_signature_is_that_of_the_published_rule():
    body = b'{"type":"video.completed","data":{"id":"video_1"}}'
    headers = signed(body, webhook_id="msg_test_0001", timestamp=1_795_132_800)
    assert headers["webhook-signature"] == (
        "v3,a156f5ab7c84b6a539663c1c8ca45148dd543a2c48e2a9460b601f87c0cb5b3d"
    )
