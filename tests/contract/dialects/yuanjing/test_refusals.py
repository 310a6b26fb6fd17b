"""What Yuanjing refuses, in the shape of its page; nothing of it costs."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.contract.gateways import PICTURE, UNDER_WAY, VIDEO, Wired, error, started

SUBMIT, TASKS, CHAT = "/llmage/video", "/llmage/tasks", "/llmage/v1/chat/completions"
SEEDANCE_15, SEEDANCE_20 = "CrEMkFQfRCmbmopZsCqLj", "YjjGgxO_Xma8PWsMjJvps"
HAPPYHORSE_PICTURE, WAN = "7y7kfYM0Xasizyi37WvAZ", "u9HZyfDoqU6uKI6M1BTks"
VIDU, REFERENCE = "r0ill7L0s6PtBS8mkmg-7", "dmPXF65TD1riKj9KaxLmg"
SHORT: dict[str, Any] = {"llmid": SEEDANCE_15, "prompt": "a cat", "duration": 5}
B64 = base64.b64encode(PICTURE).decode()
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory, shared_database) -> AsyncIterator[Wired]:
    """One gateway for all: nothing here leaves a trace in it."""
    folder = tmp_path_factory.mktemp("refusals")
    async with started(
        folder, balance="1000", script=[UNDER_WAY], database_url=shared_database
    ) as one:
        yield one
        assert await one.balance() == "1000"


async def test_image_to_video_id_needs_its_picture(gateway):
    answer = await gateway.post(SUBMIT, {"llmid": HAPPYHORSE_PICTURE, "prompt": "a horse"})

    assert error(answer) == (400, {"error": "Missing required parameter: image1_file"})


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({}, "Missing required parameter: llmid"),
        ({"llmid": "nothing"}, "No such model"),
        ({"llmid": "qwen3-max"}, "No such model"),  # writes text
        ({"llmid": SEEDANCE_20, "model": "dreamina-seedance-2-0-260128"}, None),
        ({"llmid": SEEDANCE_20, "model": "eedance2.0"}, "No such model"),  # "Not enabled"
        ({"model": "viduq3-pro"}, "Several models have this name; say which"),
        ({"llmid": 5}, "Invalid value for llmid"),
    ],
)
async def test_model_is_not_found_by(gateway, names, message):
    status, told_ = error(await gateway.post(SUBMIT, names | {"prompt": "a cat"}))

    assert status == 400
    assert message in {None, told_["error"]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"llmid": WAN}, "Missing required parameter: prompt"),
        ({"llmid": WAN, "prompt": ""}, "Missing required parameter: prompt"),
        ({"llmid": WAN, "prompt": 5}, "Invalid value for prompt"),
        ({"llmid": WAN, "prompt": "x", "duration": 7}, "duration must be one of 5, 10, 15"),
        ({"llmid": WAN, "prompt": "x", "duration": [5]}, "duration must be one of 5, 10, 15"),
        (
            {"llmid": WAN, "prompt": "x", "resolution": "720p"},
            "resolution is not supported by this model in this mode",
        ),
        (
            {"llmid": VIDU, "prompt": "x", "duration": 17},
            "duration must be a whole number from 1 to 16",
        ),
        (
            {"llmid": VIDU, "prompt": "x", "image_files": [B64]},
            "image_files cannot be used with this model in this mode",
        ),
        (
            {"llmid": VIDU, "prompt": "x", "image1_file": [B64, B64, B64]},
            "image1_file: only a first and a last frame can be given",
        ),
        (
            {"llmid": VIDU, "prompt": "x", "image1_file": 5},
            "image1_file must be a file, a URL or base64",
        ),
        (
            {"llmid": REFERENCE, "prompt": "x", "image_files": [B64] * 10},
            "image_files: at most 9",
        ),
    ],
)
async def test_bad_parameter_is_refused_before_any_debit(gateway, body, message):
    answer = await gateway.post(SUBMIT, body)

    assert error(answer) == (400, {"error": message})


@pytest.mark.parametrize(
    "value",
    ["not base64!", "ftp://a.example/1.png", base64.b64encode(b"<html>" * 100).decode()],
)
async def test_text_that_is_no_picture_is_refused_by_name(gateway, value):
    status, told_ = error(await gateway.post(SUBMIT, SHORT | {"image1_file": value}))

    assert status == 400
    assert told_["error"].startswith("image1_file: ")


async def test_film_in_place_of_a_picture_is_refused(gateway):
    files = {"image1_file": ("a.jpg", VIDEO, "image/jpeg")}

    answer = await gateway.client.post(SUBMIT, data=SHORT, files=files)

    assert error(answer) == (400, {"error": "image1_file: Not a supported image file"})


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"--b\r\n"])
async def test_malformed_body_is_400_in_shape(gateway, content):
    answer = await gateway.client.post(SUBMIT, content=content)

    assert error(answer)[0] == 400
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize("query", ["", "?taskid=", "?taskid"])
async def test_task_must_be_named(gateway, query):
    answer = await gateway.get(f"{TASKS}{query}")

    assert error(answer) == (400, {"error": "Missing required parameter: taskid"})


@pytest.mark.parametrize("task_id", ["1", "abc", "99999999999999999999", "-1", "task_x"])
async def test_unknown_task_is_404_in_shape(gateway, task_id):
    assert error(await gateway.get(f"{TASKS}?taskid={task_id}")) == (
        404,
        {"error": "Task not found"},
    )


@pytest.mark.parametrize(
    "path",
    [
        "/" + "etc/passwd",
        "../../portico.db",
        "/" + "tmp/19/43/137/39/cover.jpeg",
        "/" + "tmp/a/b/c/d/video.mp4",
        "http://127.0.0.1/",
        "x" * 2000,
        "%00",
    ],
)
async def test_forged_link_is_404_in_shape(gateway, path):
    answer = await gateway.client.get("/idfile", params={"path": path})

    assert error(answer)[0] == 404
    assert list(answer.json()) == ["error"]


async def test_link_to_nothing_is_refused(gateway):
    answer = await gateway.get("/idfile")

    assert error(answer) == (400, {"error": "Missing required parameter: path"})


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Token x"])
@pytest.mark.parametrize("path", [SUBMIT, TASKS, "/v1/tasks", "/llmage/v1/chat/completions"])
async def test_bad_key_is_401_in_the_pages_words(gateway, path, authorization):
    answer = await gateway.post(path, SHORT, authorization=authorization)

    assert error(answer) == (401, {"error": "Invalid API Key"})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", SUBMIT, 405),
        ("DELETE", TASKS, 405),
        ("GET", "/llmage/v1/chat/completions", 405),
        ("POST", "/idfile", 405),
        ("GET", "/llmage/nothing", 404),
        ("GET", "/llmage", 404),
    ],
)
async def test_wrong_method_and_path_answer_in_shape(gateway, method, path, status):
    answer = await gateway.client.request(method, path)

    assert error(answer)[0] == status
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"model": "qwen3-max"}, "Missing required parameter: prompt"),
        ({"model": "qwen3-max", "prompt": " "}, "Missing required parameter: prompt"),
        ({"model": "qwen3-max", "messages": []}, "Missing required parameter: prompt"),
        ({"prompt": "a"}, "Missing required parameter: model"),
        ({"model": "gpt-9", "prompt": "a"}, "No such model"),
        ({"model": "qwen3-max", "prompt": 5}, "Invalid value for prompt"),
        ({"model": "qwen3-max", "messages": "a"}, "Invalid value for messages"),
        ({"model": "qwen3-max", "messages": [{"role": "user"}, 1]}, "Invalid value for messages"),
        ({"model": "qwen3-max", "prompt": "a", "n": 2}, "n must be 1"),
        (
            {"model": "qwen3-max", "prompt": "a", "temperature": 9},
            "temperature must be a number from 0 to 2",
        ),
        (
            {"model": "qwen3-max", "prompt": "a", "tools": [{"type": "function"}]},
            "tools is not supported",
        ),
    ],
)
async def test_bad_chat_is_one_line(gateway, body, message):
    answer = await gateway.post(CHAT, body)

    assert error(answer) == (400, {"error": message})
