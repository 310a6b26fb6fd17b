"""What xPilot's page leaves open, as we read it: lenient in, exact out."""

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Chunk
from tests.contract.dialects.xpilot.samples import (
    IMAGE,
    TEXT,
    VIDEO,
    wait_for_pictures,
    write_with,
    writer,
)
from tests.contract.gateways import UNDER_WAY, error, made

VIDEO_PATH, IMAGE_PATH, TEXT_PATH = (
    f"/api/v1/{noun}/generate" for noun in ("video", "image", "text")
)
SEEDANCE, SEEDREAM = "seedance-2.0/text-to-video", "bytedance/seedream-4.5"


async def made_as(gateway, task_id: str) -> dict[str, object]:
    """Return the mode and parameters a task is made with, and where it stands."""
    task = (await gateway.get(f"/portico/v1/tasks/{task_id}")).json()
    return {"mode": task["mode"], "price": task["price"], **task["params"]}


# --- defaults and leniency -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # nothing said: the listed value nearest to the page's 5 s, and the cheaper of the rest
        ({}, {"duration": 4, "ratio": "16:9", "audio": False, "lock_camera": False}),
        # numbers and booleans as text
        ({"duration": "8", "generate_audio": "true"}, {"duration": 8, "audio": True}),
        ({"duration": 8.0, "aspect_ratio": " 9 : 16 "}, {"duration": 8, "ratio": "9:16"}),
        # what we do not know is ignored, null is absent
        ({"style": "noir", "duration": None, "image_url": None}, {"duration": 4}),
    ],
)
async def test_video_is_made_with(start, body, expected):
    gateway = await start(script=[UNDER_WAY])

    answer = await gateway.post(VIDEO_PATH, {"model": SEEDANCE, "prompt": "A cat"} | body)

    assert answer.status_code == 200
    assert expected.items() <= (await made_as(gateway, answer.json()["task_id"])).items()


async def test_wan_has_the_pages_default_duration(start):
    gateway = await start(script=[UNDER_WAY])

    answer = await gateway.post(VIDEO_PATH, {"model": "wan-2.6/text-to-video", "prompt": "A cat"})

    assert answer.json()["cost_cents"] == 50
    assert (await made_as(gateway, answer.json()["task_id"]))["duration"] == 5


async def test_body_is_json_whatever_its_content_type(start):
    gateway = await start(script=[UNDER_WAY])

    answer = await gateway.post(
        VIDEO_PATH, VIDEO, **{"content-type": "application/x-www-form-urlencoded"}
    )

    assert answer.status_code == 200


@pytest.mark.parametrize("model", [SEEDANCE, "seedance-2.0/image-to-video"])
async def test_picture_makes_it_image_to_video_at_the_same_price(start, host, model):
    gateway = await start(script=[UNDER_WAY])
    body = {"model": model, "prompt": "A cat", "image_url": f"{host.url}/a.png"}

    answer = await gateway.post(VIDEO_PATH, body)

    assert answer.json()["cost_cents"] == 300
    assert (await made_as(gateway, answer.json()["task_id"]))["mode"] == "image"


@pytest.mark.parametrize(
    ("images", "mode"),
    [
        ({}, "text"),
        ({"image_url": "/a.png"}, "image"),
        ({"image_urls": ["/a.png", "/b.png"], "image_url": "/a.png"}, "image"),
        ({"mode": "i2i", "image_url": "/a.png"}, "image"),
        ({"mode": "i2i_text", "image_urls": ["/a.png"]}, "image"),
        ({"mode": "t2i"}, "text"),
    ],
)
async def test_picture_mode_follows_the_inputs(start, host, images, mode):
    gateway = await start(script=[made("simulated.png")])
    at_host = {
        name: [host.url + each for each in value] if isinstance(value, list) else host.url + value
        for name, value in images.items()
        if name != "mode"
    }
    body = {"model": SEEDREAM, "prompt": "A city"} | images | at_host

    answer = await gateway.post(IMAGE_PATH, body)

    assert answer.json()["status"] == "completed"
    assert (await made_as(gateway, answer.json()["task_id"]))["mode"] == mode


async def test_text_needs_only_a_prompt(start):
    gateway = await start()
    upstream = writer()
    write_with(gateway, upstream)

    answer = await gateway.post(TEXT_PATH, {"prompt": "Hello"})

    (job,) = upstream.streamed
    assert answer.json()["model"] == "openai/gpt-4o"
    assert (job.max_tokens, job.sampling) == (1000, {"temperature": 0.7})


async def test_text_length_is_clipped_to_the_models_limit(start):
    gateway = await start()
    upstream = writer()
    write_with(gateway, upstream)

    await gateway.post(TEXT_PATH, {"prompt": "Hello", "max_tokens": 1_000_000})

    assert upstream.streamed[0].max_tokens == 16_384


# --- refusals --------------------------------------------------------------------------------


async def test_suspended_account_is_401(start):
    from portico.flows import administer

    gateway = await start()
    await administer.set_suspended(gateway.desk, gateway.email, suspended=True)

    status, told = error(await gateway.get("/api/v1/models"))

    assert (status, told["error"]["code"]) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("path", "sample", "balance"), [(VIDEO_PATH, VIDEO, "299"), (IMAGE_PATH, IMAGE, "4")]
)
async def test_too_little_credit_is_402_and_takes_nothing(start, path, sample, balance):
    gateway = await start(balance=balance)

    status, told = error(await gateway.post(path, sample))

    assert (status, told["error"]["code"]) == (402, "INSUFFICIENT_CREDITS")
    assert await gateway.balance() == balance


async def test_foreign_task_is_as_unknown_as_no_task(start):
    from portico.flows import administer

    gateway = await start(script=[UNDER_WAY])
    task_id = (await gateway.post(VIDEO_PATH, VIDEO)).json()["task_id"]
    await administer.create_account(gateway.desk, "other@example.com")
    other = await administer.create_key(gateway.desk, "other@example.com")
    gateway.client.headers["authorization"] = f"Bearer {other.key}"

    foreign = await gateway.get(f"/api/v1/video/{task_id}")
    unknown = await gateway.get("/api/v1/video/1")

    assert error(foreign) == error(unknown)


async def test_page_in_place_of_a_picture_is_refused_before_any_debit(start, host):
    gateway = await start(balance="5000")
    body = {"model": SEEDANCE, "prompt": "x", "image_url": f"{host.url}/page.html"}

    status, told = error(await gateway.post(VIDEO_PATH, body))

    assert (status, told["error"]["code"]) == (400, "INVALID_PARAMS")
    assert told["error"]["message"].startswith("image_url: ")
    assert await gateway.balance() == "5000"


# --- failures of the upstream ----------------------------------------------------------------


async def test_picture_that_fails_at_once_is_500_and_refunded(start):
    failure = PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
    gateway = await start(balance="100", script=[failure])

    answer = await gateway.post(IMAGE_PATH, IMAGE)

    expected = {"error": {"message": "Generation failed", "code": "GENERATION_FAILED"}}
    assert error(answer) == (500, expected)
    assert await gateway.balance() == "100"


async def test_text_that_fails_is_500_and_refunded(start):
    gateway = await start(balance="100")
    broken = PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
    write_with(gateway, writer(Chunk("half of"), broken))

    status, told = error(await gateway.post(TEXT_PATH, TEXT))

    assert (status, told["error"]["code"]) == (500, "GENERATION_FAILED")
    assert await gateway.balance() == "100"


@pytest.mark.parametrize("path", [IMAGE_PATH, TEXT_PATH])
async def test_refused_content_of_a_sync_call_is_the_callers_fault(start, path):
    refused = PorticoError(ErrorCode.CONTENT_REFUSED, "Content does not meet safety guidelines")
    gateway = await start(balance="100", script=[refused])
    write_with(gateway, writer(refused))

    answer = await gateway.post(path, IMAGE if path == IMAGE_PATH else TEXT)

    expected = {
        "error": {
            "message": "Content does not meet safety guidelines",
            "code": "INVALID_PARAMS",
        }
    }
    assert error(answer) == (400, expected)
    assert await gateway.balance() == "100"


async def test_refused_content_of_a_video_is_a_failed_task(start):
    refused = PorticoError(ErrorCode.CONTENT_REFUSED, "Content does not meet safety guidelines")
    gateway = await start(balance="5000", script=[refused])
    accepted = await gateway.post(VIDEO_PATH, VIDEO)

    answer = await gateway.reach(accepted.json()["poll_url"], ["failed"])

    assert answer.json()["error"] == "Content does not meet safety guidelines"
    assert await gateway.balance() == "5000"


# --- rates and repeats -----------------------------------------------------------------------


async def test_thirty_submits_a_minute_and_no_more(start):
    gateway = await start(balance="100000", script=[UNDER_WAY])

    answers = [await gateway.post(VIDEO_PATH, VIDEO) for _ in range(31)]

    assert [each.status_code for each in answers] == [200] * 30 + [429]
    status, told = error(answers[-1])
    assert (status, told["error"]["code"]) == (429, "RATE_LIMITED")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


async def test_reads_do_not_count_as_submits(start):
    gateway = await start(balance="100000", script=[UNDER_WAY])
    path = (await gateway.post(VIDEO_PATH, VIDEO)).json()["poll_url"]

    answers = [await gateway.get(path) for _ in range(60)]
    submitted = await gateway.post(VIDEO_PATH, VIDEO)

    assert {each.status_code for each in [*answers, submitted]} == {200}


async def test_reads_have_their_own_limit(start):
    gateway = await start(xpilot_reads_per_minute=3)

    answers = [await gateway.get("/api/v1/models") for _ in range(4)]

    assert [each.status_code for each in answers] == [200, 200, 200, 429]


@pytest.mark.parametrize(
    ("path", "sample"), [(VIDEO_PATH, VIDEO), (IMAGE_PATH, IMAGE), (TEXT_PATH, TEXT)]
)
async def test_repeat_with_the_same_key_is_charged_once(start, path, sample):
    gateway = await start(balance="1000", script=[made("simulated.png")])
    write_with(gateway, writer())
    again = {"idempotency-key": "k1"}

    first = await gateway.post(path, sample, **again)
    balance = await gateway.balance()
    second = await gateway.post(path, sample, **again)

    assert second.status_code == 200
    assert {key: value for key, value in second.json().items() if key != "outputs"} == {
        key: value for key, value in first.json().items() if key != "outputs"
    }
    assert await gateway.balance() == balance


async def test_repeat_of_a_finished_picture_waits_for_nothing(start):
    gateway = await start(script=[made("simulated.png")])
    wait_for_pictures(gateway, 3_600)
    again = {"idempotency-key": "k1"}

    await gateway.post(IMAGE_PATH, IMAGE, **again)
    second = await gateway.post(IMAGE_PATH, IMAGE, **again)

    assert second.json()["status"] == "completed"


async def test_same_key_for_another_body_is_409_in_shape(start):
    gateway = await start(balance="1000", script=[UNDER_WAY])
    again = {"idempotency-key": "k1"}

    await gateway.post(VIDEO_PATH, VIDEO, **again)
    answer = await gateway.post(VIDEO_PATH, VIDEO.replace("cat", "dog"), **again)

    assert error(answer)[0] == 409
    assert list(answer.json()["error"]) == ["message", "code"]
    assert await gateway.balance() == "700"
