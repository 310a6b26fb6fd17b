"""What XiaoYang's page leaves open: aliases, loose spellings, repeats, tasks of other dialects."""

import json

import pytest

from tests.contract.gateways import UNDER_WAY, error, made


@pytest.fixture
async def gateway(start):
    return await start(script=[UNDER_WAY])


def body(host, **fields: object) -> dict[str, object]:
    known = {
        "modal_key": "img2vid_v30",
        "option_key": "5_off",
        "prompt": "a cat",
        "image_url": f"{host.url}/input.png",
    }
    return {name: value for name, value in (known | fields).items() if value is not None}


def job(gateway):
    """Return the job the upstream was given last."""
    return gateway.upstream.started[-1][1].job


async def accepted(gateway, asked: dict[str, object]):
    answer = await gateway.post("/api/v1/tasks", asked)
    assert answer.status_code == 200, answer.text
    path = f"/api/v1/tasks/{answer.json()['task_id']}"
    await gateway.reach(path, ["PROCESSING", "SUCCESS"])
    return path


@pytest.mark.parametrize("alias", ["model_key", "model"])
async def test_model_may_be_spelt_correctly(gateway, host, alias):
    await accepted(gateway, body(host, modal_key=None, **{alias: "img2vid_v30"}))

    assert job(gateway).model == "img2vid-v30"


async def test_option_settles_what_is_made(gateway, host):
    await accepted(gateway, body(host, option_key="10_on"))

    assert (job(gateway).params["duration"], job(gateway).params["audio"]) == (10, True)


@pytest.mark.parametrize("word", [True, "true", "1", 1, "Y"], ids=repr)
async def test_enhance_adds_a_stage_and_its_price(gateway, host, word):
    path = await accepted(gateway, body(host, enhance_4k=word))

    assert job(gateway).stages == ("generate", "enhance")
    assert (await gateway.get(path)).json()["credit"] == 50


@pytest.mark.parametrize("word", [False, "false", 0, None, ""], ids=repr)
async def test_no_enhancement_unless_asked(gateway, host, word):
    await accepted(gateway, body(host, enhance_4k=word))

    assert job(gateway).stages == ("generate",)


async def test_enhanced_task_ends_in_one_success(start, host):
    gateway = await start(script=[made()])

    path = await accepted(gateway, body(host, enhance_4k=True))

    await gateway.reach(path, ["SUCCESS"])
    assert [each.stage for _, each in gateway.upstream.started] == ["generate", "enhance"]
    assert await gateway.balance() == "950"


async def test_enhance_is_ignored_where_the_model_has_none(gateway, host):
    asked = body(host, modal_key="enhance_image", option_key="default", enhance_4k=True)

    path = await accepted(gateway, asked)

    assert job(gateway).stages == ("generate",)
    assert (await gateway.get(path)).json()["credit"] == 6


async def test_prompt_of_a_wardrobe_is_neither_refused_nor_kept(gateway, host):
    asked = body(
        host,
        modal_key="ai_wardrobe",
        option_key="default",
        prompt="a secret wish",
        clothes_image_url=f"{host.url}/clothes.png",
    )

    await accepted(gateway, asked)

    assert job(gateway).prompt == ""
    assert job(gateway).params == {"wardrobe_part": "upper"}


async def test_blank_motion_orientation_is_left_out(gateway, host):
    asked = body(
        host,
        modal_key="motion_v30",
        option_key="default",
        video_url=f"{host.url}/motion.mp4",
        motion_orientation="",
    )

    await accepted(gateway, asked)

    assert "motion_orientation" not in job(gateway).params


async def test_unknown_fields_are_ignored(gateway, host):
    await accepted(gateway, body(host, webhook="https://a.invalid", priority=5))


async def test_content_type_does_not_matter(gateway, host):
    answer = await gateway.post(
        "/api/v1/tasks", json.dumps(body(host)), **{"content-type": "text/plain"}
    )

    assert answer.status_code == 200


@pytest.mark.parametrize("form", ["bearer {}", "BEARER   {} ", "Bearer <{}>", "Bearer <{}"])
async def test_authorization_may_be_written_loosely(gateway, form):
    key = gateway.client.headers["authorization"].removeprefix("Bearer ")

    answer = await gateway.get("/api/v1/me", headers={"authorization": form.format(key)})

    assert answer.status_code == 200


async def test_same_idempotency_key_answers_again_and_costs_once(gateway, host):
    first = await gateway.post("/api/v1/tasks", body(host), **{"idempotency-key": "k1"})
    await gateway.post("/api/v1/tasks", body(host))

    again = await gateway.post("/api/v1/tasks", body(host), **{"idempotency-key": "k1"})

    assert again.text == first.text
    assert await gateway.balance() == "940"


async def test_idempotency_key_for_another_body_is_409(gateway, host):
    await gateway.post("/api/v1/tasks", body(host), **{"idempotency-key": "k1"})

    answer = await gateway.post(
        "/api/v1/tasks", body(host, prompt="a dog"), **{"idempotency-key": "k1"}
    )

    assert error(answer) == (
        409,
        {"detail": "This Idempotency-Key was used for another request"},
    )


async def test_too_long_idempotency_key_is_400(gateway, host):
    answer = await gateway.post("/api/v1/tasks", body(host), **{"idempotency-key": "k" * 256})

    assert error(answer)[0] == 400


async def test_task_made_at_apixo_is_read_here(gateway):
    made_there = await gateway.post("/api/v1/generateTask/wan-2-5", {"input": {"prompt": "a cat"}})

    answer = await gateway.get(f"/api/v1/tasks/{made_there.json()['data']['taskId']}")

    assert answer.status_code == 200
    assert answer.json()["credit"] == 50
    assert not answer.json()["task_id"].startswith("task_")
