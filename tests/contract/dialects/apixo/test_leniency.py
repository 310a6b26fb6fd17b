"""What APIXO's page leaves open: defaults, loose spellings, repeats, tasks of other dialects."""

import pytest

from portico.core.jobs import Mode, RouteClass
from tests.contract.gateways import UNDER_WAY, error

SUBMIT = "/api/v1/generateTask/wan-2-5"
STATUS = "/api/v1/statusTask/wan-2-5?taskId="


@pytest.fixture
async def gateway(start):
    return await start(script=[UNDER_WAY])


def body(**fields: object) -> dict[str, object]:
    return {"input": {"prompt": "a cat"} | fields}


async def job(gateway, asked: dict[str, object]):
    """Submit, and return the job the upstream is given."""
    answer = await gateway.post(SUBMIT, asked)
    assert answer.status_code == 200, answer.text
    await gateway.reach(STATUS + answer.json()["data"]["taskId"], ["processing"])
    return gateway.upstream.started[-1][1].job


async def test_defaults_are_the_cheapest_and_always_sent(gateway):
    made = await job(gateway, body())

    assert made.params == {
        "duration": 5,
        "resolution": "720p",
        "ratio": "16:9",
        "prompt_expansion": True,
    }
    assert (made.mode, made.route_class) == (Mode.TEXT, RouteClass.AUTO)
    assert await gateway.balance() == "950"


async def test_numbers_and_booleans_may_be_strings(gateway):
    made = await job(
        gateway,
        body(duration="10", seed="42", enable_prompt_expansion="false", resolution="1080P"),
    )

    assert made.params["duration"] == 10
    assert made.params["seed"] == 42
    assert made.params["prompt_expansion"] is False
    assert made.params["resolution"] == "1080p"


async def test_whole_float_is_a_whole_number(gateway):
    assert (await job(gateway, body(duration=10.0))).params["duration"] == 10


async def test_picture_alone_means_image_to_video(gateway, host):
    made = await job(gateway, body(image_urls=[f"{host.url}/ref.jpg"]))

    assert made.mode is Mode.IMAGE


@pytest.mark.parametrize("ratio", ["9:16", "4:3", "whatever"])
async def test_ratio_is_ignored_in_image_mode(gateway, host, ratio):
    made = await job(gateway, body(image_urls=[f"{host.url}/ref.jpg"], aspect_ratio=ratio))

    assert "ratio" not in made.params


async def test_empty_list_of_pictures_is_none(gateway):
    made = await job(gateway, body(mode="text-to-video", image_urls=[]))

    assert (made.mode, made.inputs) == (Mode.TEXT, ())


@pytest.mark.parametrize("provider", ["auto", "value", "official"])
async def test_provider_is_the_class_of_routes(gateway, provider):
    made = await job(gateway, body() | {"provider": provider})

    assert made.route_class is RouteClass(provider)


async def test_nulls_count_as_left_out(gateway):
    nulls = dict.fromkeys(("request_type", "callback_url", "provider"))
    inputs = dict.fromkeys(("mode", "resolution", "duration", "image_urls", "seed"))

    made = await job(gateway, body(**inputs) | nulls)

    assert made.params["duration"] == 5


async def test_unknown_fields_are_ignored(gateway):
    await job(gateway, body(fps=60) | {"priority": "high"})


async def test_callback_url_of_an_async_request_is_ignored(gateway):
    await job(gateway, body() | {"callback_url": "http://127.0.0.1/private"})


async def test_model_of_the_status_path_may_be_another_known_one(gateway):
    made = await gateway.post(
        "/portico/v1/tasks", {"model": "portico/scene", "prompt": "a cat", "params": {}}
    )

    answer = await gateway.get(STATUS + made.json()["task"]["id"])

    assert answer.json()["data"]["taskId"] == f"task_{made.json()['task']['id']}"


async def test_task_of_a_model_no_longer_sold_stays_readable(gateway):
    made = await gateway.post(SUBMIT, body())
    gateway.gateway.catalogue.offerings = lambda *_: ()
    try:
        answer = await gateway.get(STATUS + made.json()["data"]["taskId"])
    finally:
        del gateway.gateway.catalogue.offerings

    assert answer.status_code == 200


async def test_same_idempotency_key_answers_again_and_costs_once(gateway):
    first = await gateway.post(SUBMIT, body(), **{"idempotency-key": "k1"})

    again = await gateway.post(SUBMIT, body(), **{"idempotency-key": "k1"})

    assert again.text == first.text
    assert await gateway.balance() == "950"


async def test_idempotency_key_for_another_body_is_409(gateway):
    await gateway.post(SUBMIT, body(), **{"idempotency-key": "k1"})

    answer = await gateway.post(SUBMIT, body(seed=1), **{"idempotency-key": "k1"})

    assert error(answer) == (
        409,
        {
            "code": 409,
            "message": "This Idempotency-Key was used for another request",
            "data": None,
        },
    )


async def test_cancelled_task_is_failed(gateway):
    made = await gateway.post(SUBMIT, body())
    task_id = made.json()["data"]["taskId"]

    await gateway.post(f"/portico/v1/tasks/{task_id.removeprefix('task_')}/cancel", {})

    data = (await gateway.get(STATUS + task_id)).json()["data"]
    assert (data["state"], data["failCode"], data["failMsg"]) == (
        "failed",
        "GENERATION_FAILED",
        "cancelled",
    )
    assert await gateway.balance() == "1000"
