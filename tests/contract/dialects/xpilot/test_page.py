"""Every sample of xPilot's page: the request in, the very answer out.

Task ids and the tokens of links are placeholders, and results lie at our own address.
"""

import asyncio

import pytest

from portico.core.errors import ErrorCode, PorticoError
from tests.contract.dialects.xpilot.samples import (
    CONTENT,
    IMAGE,
    TEXT,
    VIDEO,
    wait_for_pictures,
    write_with,
    writer,
)
from tests.contract.gateways import PICTURE, PUBLIC_URL, UNDER_WAY, WAITING, made, told
from tests.contract.gateways import VIDEO as FILM

VIDEO_ACCEPTED = (
    '{"task_id":"TASK_ID","status":"processing","provider":"seedance",'
    '"poll_url":"/api/v1/video/TASK_ID?provider=seedance",'
    '"cost_cents":300,"remaining_credits_cents":4700}'
)
PROCESSING = '{"task_id":"TASK_ID","status":"processing","outputs":[],"provider":"seedance"}'
COMPLETED = (
    '{"task_id":"TASK_ID","status":"completed",'
    '"outputs":["https://portico.test/files/TOKEN/output.mp4"],"provider":"seedance"}'
)
FAILED = (
    '{"task_id":"TASK_ID","status":"failed","outputs":[],"provider":"seedance",'
    '"error":"Generation failed"}'
)
IMAGE_DONE = (
    '{"task_id":"TASK_ID","status":"completed",'
    '"outputs":["https://portico.test/files/TOKEN/output.png"],'
    '"cost_cents":5,"remaining_credits_cents":4695}'
)
IMAGE_PENDING = (
    '{"task_id":"TASK_ID","status":"processing","outputs":[],'
    '"poll_url":"/api/v1/image/TASK_ID","cost_cents":5,"remaining_credits_cents":4695}'
)
WRITTEN = (
    '{"content":"' + CONTENT + '","model":"openai/gpt-4o",'
    '"usage":{"prompt_tokens":15,"completion_tokens":42,"total_tokens":57},'
    '"cost_cents":1,"remaining_credits_cents":4694}'
)


async def test_models_are_grouped_with_the_pages_fields(start):
    gateway = await start()

    answer = await gateway.get("/api/v1/models")
    models = answer.json()["models"]

    assert list(models) == ["text", "video", "image"]
    assert models["video"][0] == {
        "id": "seedance-2.0/text-to-video",
        "label": "Seedance 2.0",
        "tier": "premium",
        "supports_audio": True,
        "supports_lock_camera": True,
        "durations": [4, 8, 12],
        "cost_cents_per_5s": 300,
        "type": "video",
        "mode": "text-to-video",
        "provider": "seedance",
    }
    assert {"id": "openai/gpt-4o", "label": "GPT-4o", "type": "text"}.items() <= models["text"][
        0
    ].items()
    assert models["image"] == [
        {
            "id": "bytedance/seedream-4.5",
            "label": "Seedream 4.5",
            "type": "image",
            "cost_cents": 5,
        }
    ]


async def test_text_models_show_exact_prices(start):
    gateway = await start()

    answer = await gateway.get("/api/v1/models")

    assert (
        '{"id":"openai/gpt-4o","label":"GPT-4o","type":"text",'
        '"cost_cents_per_1k_input_tokens":0.25,"cost_cents_per_1k_output_tokens":1}'
    ) in answer.text


async def test_text_model_sold_no_more_is_not_listed(start, tmp_path):
    (tmp_path / "old.toml").write_text(
        """[[offerings]]
dialects = ["xpilot"]
name = "openai/gpt-3"
model = "gpt-4o"
[offerings.price]
rule = "per_llm_token"
input = "1"
output = "1"
from = 2020-01-01T00:00:00Z
to = 2021-01-01T00:00:00Z
"""
    )
    gateway = await start(catalogue=str(tmp_path))

    models = (await gateway.get("/api/v1/models")).json()["models"]["text"]

    assert "openai/gpt-4o" in {each["id"] for each in models}
    assert "openai/gpt-3" not in {each["id"] for each in models}


async def test_pages_three_requests_leave_the_pages_balances(start):
    """5000 - 300 = 4700, - 5 = 4695, - 1 = 4694."""
    gateway = await start(balance="5000", script=[UNDER_WAY])
    write_with(gateway, writer())

    video = await gateway.post("/api/v1/video/generate", VIDEO)
    gateway.answers(made("simulated.png"))
    image = await gateway.post("/api/v1/image/generate", IMAGE)
    text = await gateway.post("/api/v1/text/generate", TEXT)

    assert {each.status_code for each in (video, image, text)} == {200}
    assert told(video) == VIDEO_ACCEPTED
    assert told(image) == IMAGE_DONE
    assert told(text) == WRITTEN
    assert await gateway.balance() == "4694"


async def test_status_answers_as_the_page(start):
    gateway = await start(balance="5000", script=[WAITING])
    accepted = await gateway.post("/api/v1/video/generate", VIDEO)
    path = accepted.json()["poll_url"]

    waiting = await gateway.get(path)
    gateway.answers(UNDER_WAY)
    under_way = await gateway.get(path)
    gateway.answers(made())
    done = await gateway.reach(path, ["completed", "failed"], wake=True)

    assert (told(waiting), told(under_way), told(done)) == (PROCESSING, PROCESSING, COMPLETED)


async def test_failed_status_is_a_success_with_a_text_and_a_refund(start):
    failure = PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
    gateway = await start(balance="5000", script=[failure])
    accepted = await gateway.post("/api/v1/video/generate", VIDEO)

    answer = await gateway.reach(accepted.json()["poll_url"], ["failed"])

    assert (answer.status_code, told(answer)) == (200, FAILED)
    assert await gateway.balance() == "5000"


async def test_cancelled_task_reads_as_failed(start):
    gateway = await start(script=[UNDER_WAY])
    task_id = (await gateway.post("/api/v1/video/generate", VIDEO)).json()["task_id"]

    await gateway.post(f"/portico/v1/tasks/{task_id}/cancel", "")
    answer = await gateway.get(f"/api/v1/video/{task_id}")

    assert (answer.json()["status"], answer.json()["error"]) == ("failed", "cancelled")


async def test_output_is_fetched_without_a_key(start):
    gateway = await start()
    task_id = (await gateway.post("/api/v1/video/generate", VIDEO)).json()["task_id"]
    answer = await gateway.reach(f"/api/v1/video/{task_id}", ["completed"])
    (output,) = answer.json()["outputs"]
    del gateway.client.headers["authorization"]

    file = await gateway.get(output)

    assert (file.status_code, file.content) == (200, FILM)
    assert file.headers["content-type"] == "video/mp4"


async def test_slow_picture_is_polled_at_its_own_path(start):
    gateway = await start(balance="4700", script=[UNDER_WAY])
    wait_for_pictures(gateway, 0.01)

    answer = await gateway.post("/api/v1/image/generate", IMAGE)
    gateway.answers(made("simulated.png"))
    done = await gateway.reach(answer.json()["poll_url"], ["completed"], wake=True)

    assert told(answer) == IMAGE_PENDING
    assert (await gateway.get(done.json()["outputs"][0])).content == PICTURE


@pytest.mark.parametrize("noun", ["video", "image"])
async def test_both_status_paths_serve_any_task(start, noun):
    gateway = await start(script=[made("simulated.png")])
    task_id = (await gateway.post("/api/v1/image/generate", IMAGE)).json()["task_id"]

    answer = await gateway.get(f"/api/v1/{noun}/{task_id}")

    assert told(answer) == (
        '{"task_id":"TASK_ID","status":"completed",'
        '"outputs":["https://portico.test/files/TOKEN/output.png"],"provider":"bytedance"}'
    )


@pytest.mark.parametrize("query", ["", "?provider=wavespeed", "?provider=nobody"])
async def test_provider_of_the_query_decides_nothing(start, query):
    gateway = await start(script=[UNDER_WAY])
    task_id = (await gateway.post("/api/v1/video/generate", VIDEO)).json()["task_id"]

    answer = await gateway.get(f"/api/v1/video/{task_id}{query}")

    assert told(answer) == PROCESSING


async def test_poll_url_of_the_query_is_never_fetched(start):
    calls = []
    server = await asyncio.start_server(lambda *call: calls.append(call), "127.0.0.1", 0)
    address = "127.0.0.1:{1}".format(*server.sockets[0].getsockname())
    gateway = await start(script=[UNDER_WAY], private_hosts=address)
    task_id = (await gateway.post("/api/v1/video/generate", VIDEO)).json()["task_id"]

    answer = await gateway.get(f"/api/v1/video/{task_id}?pollUrl=http://{address}/poll")
    await asyncio.sleep(0.05)
    server.close()

    assert told(answer) == PROCESSING
    assert calls == []


async def test_task_of_another_dialect_can_be_read(start, host):
    gateway = await start()
    body = {"model": "portico/scene", "prompt": "Sea"}
    task_id = (await gateway.post("/portico/v1/tasks", body)).json()["task"]["id"]

    answer = await gateway.reach(f"/api/v1/video/{task_id}", ["completed"])

    assert answer.json()["provider"] == "portico"
    assert answer.json()["outputs"][0].startswith(f"{PUBLIC_URL}/files/")
