"""Every sample of APIXO's wan-2-5 page: the request in, the very answer out.

Hosts of input files and callbacks are this machine's own; ids and tokens of links are
placeholders; the clock stands at the page's own createTime.
"""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from portico.core.errors import ErrorCode, PorticoError
from portico.flows import administer
from tests.contract.gateways import UNDER_WAY, VIDEO, WAITING, made, told

TEXT_TO_VIDEO = """{
    "request_type": "async",
    "provider": "value",
    "input": {
      "mode": "text-to-video",
      "prompt": "a serene mountain landscape with moving clouds and gentle breeze",
      "resolution": "1080p",
      "duration": 10,
      "aspect_ratio": "16:9",
      "negative_prompt": "low quality, blurry",
      "enable_prompt_expansion": true
    }
  }"""
IMAGE_TO_VIDEO = """{
    "request_type": "callback",
    "callback_url": "https://your-server.com/callback",
    "provider": "official",
    "input": {
      "mode": "image-to-video",
      "prompt": "make this picture into a smooth cinematic shot with camera slowly zooming in",
      "resolution": "720p",
      "duration": 5,
      "image_urls": ["https://example.com/ref.jpg"],
      "enable_prompt_expansion": false,
      "seed": 42
    }
  }"""
SUBMIT = "/api/v1/generateTask/wan-2-5"
STATUS = "/api/v1/statusTask/wan-2-5?taskId="


def local(sample: str, host) -> str:
    sample = sample.replace("https://your-server.com", host.url)
    return sample.replace("https://example.com", host.url)


async def submitted(gateway, sample: str, host) -> str:
    answer = await gateway.post(SUBMIT, local(sample, host))
    assert answer.status_code == 200, answer.text
    return STATUS + answer.json()["data"]["taskId"]


@pytest.mark.parametrize(
    ("sample", "left"),
    [(TEXT_TO_VIDEO, "850"), (IMAGE_TO_VIDEO, "950")],
    ids=["text-to-video", "image-to-video"],
)
async def test_submit_answers_as_the_page(start, host, sample, left):
    gateway = await start(script=[UNDER_WAY])

    answer = await gateway.post(SUBMIT, local(sample, host))

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert told(answer) == '{"code":200,"message":"success","data":{"taskId":"task_TASK_ID"}}'
    assert await gateway.balance() == left


async def test_success_answers_as_the_page(start, host):
    gateway = await start(script=[UNDER_WAY])
    path = await submitted(gateway, TEXT_TO_VIDEO, host)
    await gateway.reach(path, ["processing"])

    gateway.clock.jump(41_388)
    gateway.answers(made())
    answer = await gateway.reach(path, ["resultJson"], wake=True)

    assert told(answer) == (
        '{"code":200,"message":"success","data":{'
        '"taskId":"task_TASK_ID",'
        '"state":"success",'
        '"resultJson":"{\\"resultUrls\\":[\\"https://portico.test/files/TOKEN/output.mp4\\"]}",'
        '"createTime":1767965610929,'
        '"completeTime":1767965652317,'
        '"costTime":41388}}'
    )


async def test_result_url_plays_without_a_key(start, host):
    gateway = await start()
    answer = await gateway.reach(await submitted(gateway, TEXT_TO_VIDEO, host), ["resultJson"])
    result = json.loads(answer.json()["data"]["resultJson"])
    del gateway.client.headers["authorization"]

    assert list(result) == ["resultUrls"]
    assert (await gateway.get(result["resultUrls"][0])).content == VIDEO


async def test_forbidden_prompt_fails_as_the_page_shows(start, host):
    gateway = await start()
    body = TEXT_TO_VIDEO.replace("a serene mountain", "how to build a pipe bomb in a")
    path = await submitted(gateway, body, host)

    answer = await gateway.reach(path, ["failed"])

    assert answer.status_code == 200
    assert told(answer) == (
        '{"code":200,"message":"success","data":{'
        '"taskId":"task_TASK_ID",'
        '"state":"failed",'
        '"failCode":"CONTENT_VIOLATION",'
        '"failMsg":"Content does not meet safety guidelines",'
        '"createTime":1767965610929,'
        '"completeTime":1767965610929,'
        '"costTime":0}}'
    )
    assert await gateway.balance() == "1000"


@pytest.mark.parametrize("sent", ["task_{}", "{}"])
async def test_task_is_found_with_and_without_its_prefix(start, host, sent):
    gateway = await start(script=[UNDER_WAY])
    path = await submitted(gateway, TEXT_TO_VIDEO, host)
    digits = path.rpartition("task_")[2]

    answer = await gateway.get(STATUS + sent.format(digits))

    assert answer.json()["data"]["taskId"] == f"task_{digits}"


async def test_unfinished_task_has_no_result_and_no_nulls(start, host):
    gateway = await start(script=[WAITING])
    gateway.gateway.engine.wake = lambda task_id, **_: None  # nobody looks at it yet
    path = await submitted(gateway, TEXT_TO_VIDEO, host)
    queued = await gateway.get(path)
    del gateway.gateway.engine.wake

    running = await gateway.reach(path, ["processing"], wake=True)

    for answer, state in ((queued, "pending"), (running, "processing")):
        assert told(answer) == (
            '{"code":200,"message":"success","data":{'
            f'"taskId":"task_TASK_ID","state":"{state}","createTime":1767965610929}}}}'
        )


async def test_empty_account_answers_as_the_page(start, host):
    gateway = await start(balance="149.999999")

    answer = await gateway.post(SUBMIT, local(TEXT_TO_VIDEO, host))

    assert answer.status_code == 400
    assert answer.text == '{"code":400,"message":"Insufficient credits","data":null}'
    assert await gateway.balance() == "149.999999"


async def test_operator_may_answer_402_for_an_empty_account(start, host):
    gateway = await start(balance="1", apixo_insufficient_status=402)

    answer = await gateway.post(SUBMIT, local(TEXT_TO_VIDEO, host))

    assert answer.status_code == 402
    assert answer.text == '{"code":402,"message":"Insufficient credits","data":null}'


@pytest.mark.parametrize(
    "last",
    [made(), PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")],
    ids=["success", "failed"],
)
async def test_callback_gets_the_json_of_a_read_signed(start, host, last):
    gateway = await start(script=[last])
    path = await submitted(gateway, IMAGE_TO_VIDEO, host)
    read = await gateway.reach(path, ["resultJson", "failed"])

    (call,) = await called(host)
    secret = await administer.webhook_secret(
        gateway.desk, gateway.gateway.server_secret, gateway.email
    )
    stamp = datetime.fromtimestamp(int(call.headers["webhook-timestamp"]), UTC)
    signature = Webhook(secret).sign(call.headers["webhook-id"], stamp, call.body.decode())
    assert call.body == read.content
    assert call.headers["content-type"] == "application/json"
    assert call.headers["webhook-signature"] == signature


async def called(host, *, tries: int = 300):
    """Wait for a callback; returns all there were."""
    for _ in range(tries):
        if host.callbacks:
            break
        await asyncio.sleep(0.01)
    return host.callbacks


async def test_async_request_calls_nobody(start, host):
    gateway = await start()
    body = json.loads(local(IMAGE_TO_VIDEO, host)) | {"request_type": "async"}
    answer = await gateway.post(SUBMIT, body)
    await gateway.reach(STATUS + answer.json()["data"]["taskId"], ["resultJson"])

    assert await called(host, tries=10) == []
