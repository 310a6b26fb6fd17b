"""What all emulators share: the menu, jobs that take their time, callbacks, the panel."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx2 import AsyncClient, HTTPError

from portico.emulators.ark import ArkEmulator
from portico.emulators.emulator import sample
from portico.emulators.faults import MENU, Fault, On, Plans
from portico.emulators.registry import EMULATORS
from portico.testing import FakeClock

TASKS = "/api/v3/contents/generations/tasks"
KEY = {"authorization": "Bearer k"}


def body(prompt: str = "sea", **fields: Any) -> dict[str, Any]:
    return {"model": "m", "content": [{"type": "text", "text": prompt}], **fields}


@pytest.fixture
async def ark() -> AsyncIterator[ArkEmulator]:
    emulator = ArkEmulator(clock=FakeClock(), latency_s=10)
    await emulator.start()
    yield emulator
    await emulator.stop()


@pytest.fixture
async def client(ark: ArkEmulator) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(base_url=f"http://{ark.address}", headers=KEY) as one:
        yield one


async def state_of(client: AsyncClient, job_id: str) -> str:
    shown: str = (await client.get(f"{TASKS}/{job_id}")).json()["status"]
    return shown


def test_every_fault_is_on_the_menu_with_its_number():
    assert set(MENU) == set(Fault)
    assert all(dish.number.startswith("F") for dish in MENU.values())


def test_every_emulator_is_known_by_its_name():
    assert {name: emulator().name for name, emulator in EMULATORS.items()} == {
        name: name for name in EMULATORS
    }


def test_planned_faults_come_in_order_and_each_once():
    plans = Plans()
    plans.add(Fault.BUSY, times=2)
    plans.add(Fault.PAGE)
    assert [plans.take(On.BEGIN) for _ in range(4)] == [Fault.BUSY, Fault.BUSY, Fault.PAGE, None]
    assert plans.take(On.READ) is None


def test_words_order_a_fault_only_for_what_they_begin():
    plans = Plans()
    assert plans.take(On.BEGIN, "a boat [fault:busy]") is Fault.BUSY
    assert plans.take(On.BEGIN, "a boat [fault:nonsense]") is None
    assert plans.take(On.READ, "[fault:busy]") is None


async def test_job_takes_its_time(ark, client):
    job_id = (await client.post(TASKS, json=body())).json()["id"]
    states = []
    for _ in range(3):
        states.append(await state_of(client, job_id))
        await ark.clock.advance(6)
    assert states == ["queued", "running", "succeeded"]


async def test_running_job_is_not_stopped_and_a_done_one_is_deleted(ark, client):
    job_id = (await client.post(TASKS, json=body())).json()["id"]
    await ark.clock.advance(6)
    assert (await client.delete(f"{TASKS}/{job_id}")).status_code == 400
    await ark.clock.advance(6)
    assert (await client.delete(f"{TASKS}/{job_id}")).status_code == 200
    assert (await client.get(f"{TASKS}/{job_id}")).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": 7},
        {"content": "sea"},
        {"content": [{"type": "image_url", "image_url": {"url": "file:///a"}}]},
        {"content": [{"type": "video_url", "video_url": {"url": "data:video/mp4;base64,"}}]},
        {"ratio": "9:21"},
        {"duration": "5"},
        {"duration": 99},
        {"seed": True},
        {"nonsense": 1},
        {"model": "doubao-seedance-2-0-260128", "camera_fixed": True},
    ],
    ids=str,
)
async def test_wrong_request_is_refused(ark, client, wrong):
    answer = await client.post(TASKS, json=body() | wrong)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidParameter")
    assert ark.begun == 0


async def test_mode_is_one_of_three(client):
    def picture(role: str) -> dict[str, Any]:
        return {"type": "image_url", "image_url": {"url": "http://x/a.png"}, "role": role}

    both = [picture("first_frame"), picture("reference_image")]
    assert (await client.post(TASKS, json=body(content=both))).status_code == 400


async def test_key_is_asked_for(ark):
    async with AsyncClient(base_url=f"http://{ark.address}") as stranger:
        assert (await stranger.post(TASKS, json=body())).status_code == 401
    ark.key = "other"
    async with AsyncClient(base_url=f"http://{ark.address}", headers=KEY) as stranger:
        assert (await stranger.post(TASKS, json=body())).status_code == 401


async def test_panel_plans_faults_and_tells_what_happened(ark, client):
    wish = {"fault": "rate_limited", "times": 1}
    assert (await client.post("/_emulator/faults", json=wish)).status_code == 200
    refused = await client.post(TASKS, json=body())
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "7")
    assert (await client.post(TASKS, json=body())).status_code == 200
    told = (await client.get("/_emulator")).json()
    assert (told["begun"], told["jobs"], told["planned"]) == (1, 1, {})
    assert (await client.post("/_emulator/faults", json={"fault": "no"})).status_code == 400


async def test_cut_connection_gives_no_answer_whether_or_not_the_job_was_taken(ark, client):
    for prompt in ("[fault:cut_before]", "[fault:cut_after]"):
        with pytest.raises(HTTPError):
            await client.post(TASKS, json=body(prompt))
    assert ark.begun == 1


@pytest.mark.parametrize(
    ("fault", "status", "content"),
    [
        (None, 200, sample("mp4")),
        (Fault.DEAD_URL, 404, b""),
        (Fault.EMPTY_FILE, 200, b""),
        (Fault.BROKEN_FILE, 200, sample("mp4")[: len(sample("mp4")) // 2]),
    ],
)
async def test_result_is_a_small_real_file_or_what_the_fault_makes_of_it(
    ark, client, fault, status, content
):
    if fault:
        ark.plans.add(fault)
    job_id = (await client.post(TASKS, json=body())).json()["id"]
    await ark.clock.advance(20)
    shown = (await client.get(f"{TASKS}/{job_id}")).json()
    answer = await client.get(shown["content"]["video_url"])
    assert (answer.status_code, answer.content) == (status, content)


async def test_finished_job_calls_back():
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        heard.put_nowait(head.split()[1] + b" " + await reader.readexactly(int(length)))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    ark = ArkEmulator()
    await ark.start()
    async with AsyncClient(base_url=f"http://{ark.address}", headers=KEY) as client:
        url = f"http://127.0.0.1:{port}/callbacks/token"
        job_id = (await client.post(TASKS, json=body(callback_url=url))).json()["id"]
        path, _, told = (await asyncio.wait_for(heard.get(), 5)).partition(b" ")
    await ark.stop()
    server.close()
    assert path == b"/callbacks/token"
    assert (json.loads(told)["id"], json.loads(told)["status"]) == (job_id, "succeeded")
