"""Pictures at `/v1/images/*`: made while the client waits, paid only when they are answered."""

import base64
from typing import Any

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.dialects.openai import image_routes
from portico.flows import submit
from tests.contract.gateways import NOW, PICTURE, UNDER_WAY, error, made, told

MAKE = "/v1/images/generations"
EDIT = "/v1/images/edits"
BOAT = {"model": "portico/picture", "prompt": "A boat"}
B64 = base64.b64encode(PICTURE).decode()


@pytest.fixture
async def gateway(start):
    return await start(balance="100", script=[made("simulated.png")])


async def test_answer_has_the_address_by_default(gateway):
    answer = await gateway.post(MAKE, BOAT)

    assert answer.status_code == 200
    assert told(answer) == (
        f'{{"created":{NOW // 1000},"data":[{{"url":"https://portico.test/files/TOKEN/output.png"}}],'
        '"output_format":"png"}'
    )
    assert answer.headers["x-portico-task"].isdigit()
    assert await gateway.balance() == "99"


async def test_answer_has_the_bytes_when_asked(gateway):
    answer = await gateway.post(MAKE, BOAT | {"response_format": "b64_json"})

    assert answer.json()["data"] == [{"b64_json": B64}]


async def test_model_may_be_left_out(gateway):
    answer = await gateway.post(MAKE, {"prompt": "A boat"})

    assert answer.status_code == 200


async def test_size_and_own_parameters_reach_the_upstream(gateway):
    await gateway.post(MAKE, BOAT | {"size": "1792x1024", "seed": "7", "negative_prompt": "fog"})
    await gateway.post(MAKE, BOAT | {"size": "auto"})
    await gateway.post(MAKE, BOAT | {"aspect_ratio": "16:9"})

    asked = [each.job.params for _, each in gateway.upstream.started]
    assert asked == [
        {"size": "1792x1024", "seed": 7, "negative_prompt": "fog"},
        {"size": "1024x1024"},
        {"ratio": "16:9"},
    ]


REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    ({"prompt": None}, "prompt", None),
    ({"prompt": 5}, "prompt", None),
    ({"size": "1x1"}, "size", None),
    ({"n": 2}, "n", "unsupported_parameter"),
    ({"n": [1]}, "n", "unsupported_parameter"),
    ({"response_format": "png"}, "response_format", None),
    ({"quality": "hd"}, "quality", "unsupported_parameter"),
    ({"style": "natural"}, "style", "unsupported_parameter"),
    ({"background": "transparent"}, "background", "unsupported_parameter"),
    ({"output_format": "webp"}, "output_format", "unsupported_parameter"),
    ({"output_compression": 50}, "output_compression", "unsupported_parameter"),
    ({"stream": True}, "stream", "unsupported_parameter"),
    ({"partial_images": 2}, "partial_images", "unsupported_parameter"),
]


async def test_refusal_names_the_field_and_costs_nothing(gateway):
    for given, param, code in REFUSED:
        status, body = error(await gateway.post(MAKE, BOAT | given))
        found = body["error"]
        assert (status, found["param"], found["code"]) == (400, param, code)
        assert param in found["message"]

    assert gateway.upstream.started == []
    assert await gateway.balance() == "100"


async def test_asking_for_what_happens_anyway_is_no_reason_to_refuse(gateway):
    usual = {
        "n": 1,
        "quality": "auto",
        "style": "vivid",
        "background": "auto",
        "output_format": "png",
        "stream": False,
        "partial_images": 0,
        "moderation": "low",
        "user": "u",
    }

    assert (await gateway.post(MAKE, BOAT | usual)).status_code == 200


async def test_video_model_makes_no_pictures(gateway):
    status, body = error(await gateway.post(MAKE, BOAT | {"model": "portico/scene"}))

    assert (status, body["error"]["code"]) == (404, "model_not_found")


async def test_failed_picture_is_an_error_and_refunded(start):
    failure = PorticoError(ErrorCode.CONTENT_REFUSED, "Content does not meet guidelines")
    gateway = await start(balance="100", script=[failure])

    assert error(await gateway.post(MAKE, BOAT)) == (
        400,
        {
            "error": {
                "message": "Content does not meet guidelines",
                "type": "invalid_request_error",
                "param": None,
                "code": "moderation_blocked",
            }
        },
    )
    assert await gateway.balance() == "100"


async def test_picture_that_takes_too_long_is_given_up_and_refunded(start, monkeypatch):
    monkeypatch.setattr(image_routes, "IMAGE_WAIT_S", 0.05)
    gateway = await start(balance="100", script=[UNDER_WAY])

    answer = await gateway.post(MAKE, BOAT)

    assert error(answer)[0] == 504
    assert answer.headers["x-should-retry"] == "false"
    assert await gateway.balance() == "100"


async def test_picture_done_at_the_last_moment_is_answered(start, monkeypatch):
    async def not_yet(gateway, caller, ask, terms, *, wait_s):
        accepted = await submit.submit(gateway, caller, ask, terms)
        await gateway.live.wait(accepted.task.id, within_s=10)
        return accepted  # as it stood before

    monkeypatch.setattr(submit, "submit_and_wait", not_yet)
    gateway = await start(balance="100", script=[made("simulated.png")])

    assert (await gateway.post(MAKE, BOAT)).status_code == 200
    assert await gateway.balance() == "99"


async def test_edit_takes_files_addresses_and_base64(gateway, host):
    await gateway.client.post(
        EDIT,
        data={"prompt": "Both"},
        files=[("image[]", ("a.png", PICTURE)), ("image[]", ("b.png", PICTURE))],
    )
    await gateway.post(
        EDIT, BOAT | {"image": [f"{host.url}/a.png", f"data:image/png;base64,{B64}"]}
    )
    await gateway.post(EDIT, BOAT | {"images": [{"image_url": f"{host.url}/a.png"}]})

    given = [[item.role.value for item in each.inputs] for _, each in gateway.upstream.started]
    assert given == [["reference_image"] * 2, ["reference_image"] * 2, ["reference_image"]]


async def test_edit_without_a_picture_is_refused(gateway):
    status, body = error(await gateway.post(EDIT, BOAT))

    assert (status, body["error"]["param"]) == (400, "image")


async def test_edit_refuses_too_many_pictures_before_storing_any(gateway):
    files = [("image[]", ("a.png", PICTURE))] * 5

    status, body = error(await gateway.client.post(EDIT, data={"prompt": "All"}, files=files))

    assert (status, body["error"]["param"]) == (400, "image")
    assert not list((gateway.app.settings.folder / "files").rglob("*.png"))


async def test_edit_refuses_a_file_that_is_no_picture(gateway):
    files = {"image": ("a.png", b"<svg/>")}

    status, body = error(await gateway.client.post(EDIT, data={"prompt": "It"}, files=files))

    assert (status, body["error"]["param"]) == (400, "image")
    assert body["error"]["code"] == "invalid_image_file"


async def test_edit_refuses_a_foreign_file_id(gateway):
    status, body = error(await gateway.post(EDIT, BOAT | {"images": [{"file_id": "file-1"}]}))

    assert (status, body["error"]["param"]) == (400, "images")
