"""What xPilot refuses, in the shape and with the codes of its page; nothing of it costs."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from httpx2 import ASGITransport, AsyncClient

from tests.contract.dialects.xpilot.samples import VIDEO
from tests.contract.gateways import PUBLIC_URL, UNDER_WAY, Wired, error, started

VIDEO_PATH, IMAGE_PATH, TEXT_PATH = (
    f"/api/v1/{noun}/generate" for noun in ("video", "image", "text")
)
SEEDANCE, SEEDREAM = "seedance-2.0/text-to-video", "bytedance/seedream-4.5"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory, shared_database) -> AsyncIterator[Wired]:
    """One gateway for all: nothing here leaves a trace in it."""
    folder = tmp_path_factory.mktemp("refusals")
    given = {"xpilot_submits_per_minute": 0, "xpilot_reads_per_minute": 0}
    given |= {"database_url": shared_database}
    async with started(folder, balance="5000", script=[UNDER_WAY], **given) as one:
        yield one
        assert await one.balance() == "5000"


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (VIDEO_PATH, {"prompt": "x"}, "model is required"),
        (VIDEO_PATH, {"model": SEEDANCE}, "prompt is required"),
        (VIDEO_PATH, {"model": SEEDANCE, "prompt": " "}, "prompt is required"),
        (VIDEO_PATH, {"model": SEEDANCE, "prompt": 5}, "Invalid value for prompt"),
        (VIDEO_PATH, {"model": 5, "prompt": "x"}, "Invalid value for model"),
        (
            VIDEO_PATH,
            {"model": SEEDANCE, "prompt": "x", "duration": 5},
            "duration must be one of 4, 8, 12",
        ),
        (
            VIDEO_PATH,
            {"model": SEEDANCE, "prompt": "x", "duration": 8.5},
            "duration must be one of 4, 8, 12",
        ),
        (
            VIDEO_PATH,
            {"model": SEEDANCE, "prompt": "x", "aspect_ratio": "5:1"},
            "aspect_ratio must be one of 16:9, 9:16, 1:1, 4:3, 3:4, 21:9",
        ),
        (
            VIDEO_PATH,
            {"model": SEEDANCE, "prompt": "x", "generate_audio": "loud"},
            "generate_audio must be true or false",
        ),
        (
            VIDEO_PATH,
            {"model": "wan-2.6/text-to-video", "prompt": "x", "lock_camera": True},
            "lock_camera is not supported by this model in this mode",
        ),
        (
            VIDEO_PATH,
            {"model": "seedance-2.0/image-to-video", "prompt": "x"},
            "image_url is required",
        ),
        (IMAGE_PATH, {"prompt": "x"}, "model is required"),
        (
            IMAGE_PATH,
            {"model": SEEDREAM, "prompt": "x", "mode": "i2v"},
            "mode must be one of t2i, i2i, i2i_text",
        ),
        (IMAGE_PATH, {"model": SEEDREAM, "prompt": "x", "mode": "i2i"}, "image_url is required"),
        (
            IMAGE_PATH,
            {"model": SEEDREAM, "prompt": "x", "mode": "t2i", "image_url": "https://a.example/1"},
            "image_url cannot be used with this model in this mode",
        ),
        (
            IMAGE_PATH,
            {"model": SEEDREAM, "prompt": "x", "image_urls": "https://a.example/1"},
            "Invalid value for image_urls",
        ),
        (TEXT_PATH, {}, "prompt is required"),
        (TEXT_PATH, {"prompt": "x", "temperature": 3}, "temperature must be a number from 0 to 2"),
        (
            TEXT_PATH,
            {"prompt": "x", "max_tokens": 0},
            "max_tokens must be a whole number of at least 1",
        ),
    ],
)
async def test_bad_parameter_is_refused_by_its_own_name(gateway, path, body, message):
    answer = await gateway.post(path, body)

    assert error(answer) == (400, {"error": {"message": message, "code": "INVALID_PARAMS"}})
    assert await gateway.balance() == "5000"


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', '{"model":NaN}'])
async def test_body_that_is_no_json_object_is_refused(gateway, body):
    status, told = error(await gateway.post(VIDEO_PATH, body))

    assert (status, told["error"]["code"]) == (400, "INVALID_PARAMS")


@pytest.mark.parametrize(
    ("path", "model"),
    [
        (VIDEO_PATH, "no/such-model"),
        (VIDEO_PATH, SEEDREAM),  # another kind
        (IMAGE_PATH, SEEDANCE),
        (TEXT_PATH, SEEDREAM),
    ],
)
async def test_unknown_model_has_its_own_code(gateway, path, model):
    answer = await gateway.post(path, {"model": model, "prompt": "x"})

    status, told = error(answer)
    assert (status, told["error"]["code"]) == (400, "INVALID_MODEL")


@pytest.mark.parametrize("authorization", ["Bearer xp_wrong", "Basic eHA6", "Bearer ", ""])
async def test_bad_key_is_refused_in_the_pages_words(gateway, authorization):
    answer = await gateway.post(VIDEO_PATH, VIDEO, authorization=authorization)

    expected = {"error": {"message": "Invalid or missing API key", "code": "UNAUTHORIZED"}}
    assert error(answer) == (401, expected)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/video/abc123",
        "/api/v1/video/1234567890123456789",
        "/api/v1/image/0",
        "/api/v1/video/1/2",
        "/api/v1/models/x",
        "/api/v1/text",
        "/api/v1/video/",
    ],
)
async def test_unknown_task_and_path_are_404(gateway, path):
    status, told = error(await gateway.get(path))

    assert (status, told["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", VIDEO_PATH, "POST"),  # the id `generate` is reserved
        ("POST", "/api/v1/models", "GET, HEAD"),
        ("DELETE", "/api/v1/video/1", "GET, HEAD"),
    ],
)
async def test_wrong_method_is_405_in_shape(gateway, method, path, allow):
    answer = await gateway.client.request(method, path)

    assert error(answer)[0] == 405
    assert list(answer.json()) == ["error"]
    assert answer.headers["allow"] == allow


async def test_large_body_is_413_in_shape(gateway):
    answer = await gateway.post(VIDEO_PATH, {"prompt": "x" * 2**21})

    assert error(answer)[0] == 413
    assert list(answer.json()["error"]) == ["message", "code"]


async def test_missing_key_is_refused_in_the_pages_words(gateway):
    async with AsyncClient(transport=ASGITransport(gateway.app), base_url=PUBLIC_URL) as nobody:
        answer = await nobody.get("/api/v1/models")

    expected = {"error": {"message": "Invalid or missing API key", "code": "UNAUTHORIZED"}}
    assert error(answer) == (401, expected)
