"""What is special about Vidu's emulator: what each call refuses, and how callbacks are signed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx2 import AsyncClient

from portico.emulators.vidu import ViduEmulator, signed
from portico.testing import FakeClock

KEY = {"authorization": "Token k"}
PICTURE = "https://a.example/a.png"
TEXT: dict[str, Any] = {"model": "viduq3-pro", "prompt": "sea"}


@pytest.fixture
async def vidu() -> AsyncIterator[ViduEmulator]:
    emulator = ViduEmulator(clock=FakeClock(), latency_s=10)
    await emulator.start()
    yield emulator
    await emulator.stop()


@pytest.fixture
async def client(vidu: ViduEmulator) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(base_url=vidu.base_url, headers=KEY) as one:
        yield one


@pytest.mark.parametrize(
    ("call", "body", "reason"),
    [
        ("text2video", {"model": "viduq3-pro"}, "FieldInvalid"),
        ("text2video", TEXT | {"prompt": "a" * 5_001}, "FieldInvalid"),
        ("text2video", TEXT | {"model": "viduq2-turbo"}, "ModelUnavailable"),
        ("text2video", TEXT | {"images": [PICTURE]}, "FieldInvalid"),
        ("text2video", TEXT | {"duration": "5"}, "FieldInvalid"),
        ("text2video", TEXT | {"duration": 17}, "FieldInvalid"),
        ("text2video", TEXT | {"seed": True}, "FieldInvalid"),
        ("text2video", TEXT | {"resolution": "4K"}, "FieldInvalid"),
        ("text2video", TEXT | {"aspect_ratio": "auto"}, "FieldInvalid"),
        ("text2video", TEXT | {"model": "viduq1", "audio": False}, "FieldInvalid"),
        ("img2video", TEXT | {"images": []}, "FieldInvalid"),
        ("img2video", TEXT | {"images": [PICTURE] * 2}, "FieldInvalid"),
        ("img2video", TEXT | {"images": [PICTURE], "aspect_ratio": "16:9"}, "FieldInvalid"),
        ("start-end2video", TEXT | {"images": [PICTURE]}, "FieldInvalid"),
        ("start-end2video", TEXT | {"images": [PICTURE, "file:///a"]}, "FieldInvalid"),
        ("reference2video", TEXT | {"images": [PICTURE]}, "ModelUnavailable"),
        ("reference2video", {"model": "viduq3", "prompt": "sea"}, "FieldInvalid"),
        ("reference2image", {"model": "viduq2"}, "FieldInvalid"),
        ("reference2image", TEXT | {"model": "viduq2", "duration": 5}, "FieldInvalid"),
    ],
)
async def test_wrong_request_is_refused(vidu, client, call, body, reason):
    answer = await client.post(f"/{call}", json=body)
    assert (answer.status_code, answer.json()["reason"]) == (400, reason)
    assert vidu.begun == 0


async def test_key_needs_the_word_token(vidu):
    async with AsyncClient(base_url=vidu.base_url) as stranger:
        for given in ("Bearer k", "Token", ""):
            headers = {"authorization": given}
            answer = await stranger.post("/text2video", json=TEXT, headers=headers)
            assert (answer.status_code, answer.json()["reason"]) == (401, "Unauthorized")


async def test_what_was_asked_and_its_credits_are_told_at_once(client):
    asked = TEXT | {"payload": "mine", "resolution": "540p", "duration": 2, "off_peak": True}
    told = (await client.post("/text2video", json=asked)).json()
    assert told["state"] == "created"
    assert {name: told[name] for name in asked} == asked
    assert told["credits"] == 14


async def test_list_holds_payloads_of_a_time_page_by_page(vidu, client):
    for number in range(3):
        await client.post("/text2video", json=TEXT | {"payload": str(number)})
        await vidu.clock.advance(60)
    query = {"created_at.from": "yesterday"}
    assert (await client.get("/tasks", params=query)).status_code == 400

    async def payloads(page: int, **more: str) -> list[str]:
        params = {"pager.page": str(page), "pager.pagesz": "2", **more}
        listed = (await client.get("/tasks", params=params)).json()["tasks"]
        return [task["payload"] for task in listed]

    assert [await payloads(page) for page in range(3)] == [["2", "1"], ["0"], []]
    first = (await client.get("/tasks")).json()["tasks"][-1]["created_at"]
    second = (await client.get("/tasks")).json()["tasks"][-2]["created_at"]
    assert first < second
    assert await payloads(0, **{"created_at.from": second}) == ["2", "1"]
    assert (await client.get("/tasks", params={"pager.pagesz": "101"})).status_code == 400


async def test_task_is_stopped_while_it_waits_and_later_if_it_is_off_peak(vidu, client):
    async def stop(seconds: float, **more: bool) -> str:
        task_id = (await client.post("/text2video", json=TEXT | more)).json()["task_id"]
        await vidu.clock.advance(seconds)
        await client.post(f"/tasks/{task_id}/cancel", json={"id": task_id})
        shown = (await client.get(f"/tasks/{task_id}/creations")).json()
        return f"{shown['state']} {shown['err_code']}".strip()

    assert await stop(1) == "failed UserCancelled"
    assert await stop(6) == "processing"
    assert await stop(6, off_peak=True) == "failed UserCancelled"
    assert await stop(20, off_peak=True) == "success"


async def test_stop_has_to_name_its_task_twice(client):
    task_id = (await client.post("/text2video", json=TEXT)).json()["task_id"]
    assert (await client.post(f"/tasks/{task_id}/cancel", json={})).status_code == 400


async def test_credits_are_told(client):
    (package,) = (await client.get("/credits")).json()["remains"]
    assert package["credit_remain"] > 0


def test_signature_is_that_of_the_published_rule():
    headers = signed(
        "http://p.example/cb/vidu?b=2&a=1",
        key="vda_test_key",
        date="Fri, 20 Nov 2026 00:00:00 GMT",
        more={"x-request-nonce": "n-1"},
    )
    assert headers["X-HMAC-SIGNATURE"] == "dlyjEMBQTctxlDIywDg2dSOnCQNkyKhh47MK954Mi8M="
    assert headers["X-HMAC-SIGNED-HEADERS"] == "x-request-nonce"


async def test_callback_is_sent_with_its_signature():
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await heard.put(head.decode())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    emulator = ViduEmulator()
    await emulator.start()
    async with AsyncClient(base_url=emulator.base_url, headers=KEY) as client:
        url = f"http://127.0.0.1:{port}/cb"
        await client.post("/text2video", json=TEXT | {"callback_url": url})
        lines = (await asyncio.wait_for(heard.get(), 5)).split("\r\n")
    await emulator.stop()
    server.close()
    told = dict(line.split(": ", 1) for line in lines[1:] if line)
    again = signed(url, key="k", date=told["Date"], more={"x-request-nonce": "n-1"})
    assert {name: told[name] for name in again} == again
