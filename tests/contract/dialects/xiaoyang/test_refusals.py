"""What XiaoYang's page refuses, and the very words; nothing that is refused costs anything."""

import pytest

from portico.flows import administer
from tests.contract.gateways import UNDER_WAY, error

PLAIN = {"modal_key": "img2vid_v30", "option_key": "5_off", "prompt": "a cat"}


@pytest.fixture
async def gateway(start):
    return await start(script=[UNDER_WAY])


def body(host, **fields: object) -> dict[str, object]:
    known = PLAIN | {"image_url": f"{host.url}/input.png"} | fields
    return {name: value for name, value in known.items() if value is not None}


MISSING_OR_WRONG = [
    ({"modal_key": None}, "modal_key is required"),
    ({"modal_key": "img2vid_v99"}, "No such modal_key"),
    ({"option_key": None}, "option_key is required"),
    ({"option_key": "720p_5_off"}, "This model has no such option_key"),
    ({"prompt": None}, "prompt is required"),
    ({"prompt": "  "}, "prompt is required"),
    ({"prompt": 5}, "Invalid value for prompt"),
    ({"image_url": None}, "image_url is required"),
    ({"image_url": ["a"]}, "Invalid value for image_url"),
    ({"enhance_4k": "perhaps"}, "enhance_4k must be true or false"),
    ({"enhance_4k": []}, "enhance_4k must be true or false"),
    (
        {"modal_key": "seedance_v20", "option_key": "720p_5_off", "ratio": "2:1"},
        "ratio must be one of adaptive, 1:1, 3:4, 4:3, 9:16, 16:9, 21:9",
    ),
    (
        {"modal_key": "ai_wardrobe", "option_key": "default"},
        "clothes_image_url is required",
    ),
    (
        {"modal_key": "motion_v30", "option_key": "default"},
        "video_url is required",
    ),
    (
        {"modal_key": "enhance_video", "option_key": "default", "image_url": None},
        "video_url is required",
    ),
    (  # a known field that could not be honoured
        {"wardrobe_replace": "upper"},
        "wardrobe_replace is not supported by this model in this mode",
    ),
    (
        {"clothes_image_url": "https://a.invalid/a.png"},
        "clothes_image_url cannot be used with this model in this mode",
    ),
]


@pytest.mark.parametrize(("fields", "detail"), MISSING_OR_WRONG)
async def test_bad_field_is_named(gateway, host, fields, detail):
    answer = await gateway.post("/api/v1/tasks", body(host, **fields))

    assert error(answer) == (400, {"detail": detail})
    assert await gateway.balance() == "1000"


@pytest.mark.parametrize(
    "fields",
    [
        {"modal_key": "ai_wardrobe", "wardrobe_replace": "hat", "clothes_image_url": "x"},
        {"modal_key": "motion_v30", "motion_orientation": "up", "video_url": "x"},
    ],
)
async def test_invalid_setting_is_refused_before_any_link_is_looked_at(gateway, host, fields):
    answer = await gateway.post("/api/v1/tasks", body(host, option_key="default", **fields))

    status, said = error(answer)
    assert status == 400
    assert " must be one of " in said["detail"]


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://drive.google.com/file/d/1/view", "Not a direct link to a media file"),
        ("https://mega.nz/file/abc", "Not a direct link to a media file"),
        ("https://media.invalid/a.png", "Cannot fetch this URL"),
        ("http://127.0.0.1/a.png", "Cannot fetch this URL"),  # private
        ("ftp://example.com/a.png", "Cannot fetch this URL"),
        ("not a link", "Cannot fetch this URL"),
    ],
)
async def test_link_that_is_not_direct_is_refused_before_any_debit(gateway, host, url, text):
    answer = await gateway.post("/api/v1/tasks", body(host, image_url=url))

    assert error(answer) == (400, {"detail": f"E_DIRECT_MEDIA_URL: image_url: {text}"})
    assert await gateway.balance() == "1000"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/preview.html", "Not a direct link to a media file"),
        ("/input.mp4", "Not a supported image file"),
    ],
)
async def test_bytes_decide_what_a_link_is(gateway, host, path, text):
    answer = await gateway.post("/api/v1/tasks", body(host, image_url=host.url + path))

    assert error(answer) == (400, {"detail": f"E_DIRECT_MEDIA_URL: image_url: {text}"})


async def test_video_link_is_refused_by_its_own_name(gateway, host):
    asked = body(
        host,
        modal_key="motion_v30",
        option_key="default",
        video_url="https://drive.google.com/file/d/1/view",
    )

    answer = await gateway.post("/api/v1/tasks", asked)

    assert error(answer)[1]["detail"].startswith("E_DIRECT_MEDIA_URL: video_url: ")


async def test_link_that_dies_after_the_debit_fails_the_task(start, host):
    gateway = await start()
    wanted = body(host)

    def peek_only(task_id: int, **_: object) -> None:
        host.missing.add("/input.png")

    gateway.gateway.engine.wake = peek_only  # the task waits until the link has died
    answer = await gateway.post("/api/v1/tasks", wanted)
    del gateway.gateway.engine.wake
    path = f"/api/v1/tasks/{answer.json()['task_id']}"

    said = (await gateway.reach(path, ["FAIL"], wake=True)).json()

    assert said["error_message"] == "E_DIRECT_MEDIA_URL: Cannot fetch this URL"
    assert await gateway.balance() == "1000"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer "},
        {"authorization": "Bearer xy_your_api_key"},
        {"authorization": "Basic eHk6eHk="},
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/modals", "/api/v1/tasks/1"])
async def test_missing_or_wrong_key_is_401(gateway, headers, path):
    del gateway.client.headers["authorization"]

    answer = await gateway.get(path, headers=headers)

    assert error(answer) == (401, {"detail": "Invalid API key"})


async def test_key_in_the_query_is_no_key(gateway):
    key = gateway.client.headers.pop("authorization").removeprefix("Bearer ")

    assert error(await gateway.get(f"/api/v1/me?api_key={key}"))[0] == 401


async def test_empty_account_is_402_in_the_pages_words(start, host):
    gateway = await start(balance="29.999999")

    answer = await gateway.post("/api/v1/tasks", body(host))

    assert error(answer) == (402, {"detail": "Không đủ credit"})
    assert "Không đủ credit" in answer.text  # UTF-8, not escaped
    assert await gateway.balance() == "29.999999"


async def test_suspended_account_is_403(gateway, host):
    await administer.set_suspended(gateway.desk, gateway.email, suspended=True)

    answer = await gateway.post("/api/v1/tasks", body(host))

    assert error(answer) == (403, {"detail": "Account suspended"})


@pytest.mark.parametrize("task_id", ["1", "abc", "-1", "99999999999999999999", "task_", "%20"])
@pytest.mark.parametrize("ending", ["", "/download"])
async def test_unknown_task_is_404(gateway, task_id, ending):
    answer = await gateway.get(f"/api/v1/tasks/{task_id}{ending}")

    assert error(answer) == (404, {"detail": "Task not found"})


@pytest.mark.parametrize("ending", ["", "/download"])
async def test_task_of_another_account_is_404(gateway, host, ending):
    made = await gateway.post("/api/v1/tasks", body(host))
    await administer.create_account(gateway.desk, "other@example.com")
    other = await administer.create_key(gateway.desk, "other@example.com", prefix="xp_")

    answer = await gateway.get(
        f"/api/v1/tasks/{made.json()['task_id']}{ending}",
        headers={"authorization": f"Bearer {other.key}"},
    )

    assert error(answer) == (404, {"detail": "Task not found"})


@pytest.mark.parametrize("path", ["/api/v1/", "/api/v1/nothing", "/api/v1/tasks/1/2/3", "/api/v1"])
async def test_unknown_path_is_404_in_shape(gateway, path):
    assert error(await gateway.get(path)) == (404, {"detail": "Not found"})


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/api/v1/me", "GET, HEAD"),
        ("PUT", "/api/v1/tasks", "POST"),
        ("GET", "/api/v1/tasks", "POST"),
        ("DELETE", "/api/v1/tasks/1", "GET, HEAD"),
    ],
)
async def test_wrong_method_is_405_in_shape(gateway, method, path, allowed):
    answer = await gateway.client.request(method, path)

    assert error(answer) == (405, {"detail": "Method not allowed"})
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("sent", ["", "no json", "[]", "5", '{"modal_key"', '{"a":"\\u0000"}'])
async def test_bad_body_is_400_with_a_string(gateway, sent):
    status, said = error(await gateway.post("/api/v1/tasks", sent))

    assert status == 400
    assert list(said) == ["detail"]
    assert isinstance(said["detail"], str)


async def test_too_large_body_is_413(gateway):
    answer = await gateway.post("/api/v1/tasks", b"{" + b" " * 2**20 + b"}")

    assert error(answer) == (413, {"detail": "The body is too large"})


async def test_compressed_body_is_415(gateway):
    answer = await gateway.post("/api/v1/tasks", "{}", **{"content-encoding": "gzip"})

    assert error(answer) == (415, {"detail": "Compressed bodies are not accepted"})


async def test_operator_may_slow_callers_down(start):
    gateway = await start(xiaoyang_requests_per_minute=1)
    await gateway.get("/api/v1/me")

    answer = await gateway.get("/api/v1/me")

    assert error(answer) == (429, {"detail": "Too many requests"})
    assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_nobody_is_too_fast_by_default(gateway):
    answers = [await gateway.get("/api/v1/me") for _ in range(100)]

    assert {answer.status_code for answer in answers} == {200}


async def test_our_own_mistake_is_502_in_shape(gateway, host):
    async def broken(*_: object, **__: object) -> None:
        message = "a secret of the inside"
        raise RuntimeError(message)

    gateway.gateway.store.write = broken
    try:
        answer = await gateway.post("/api/v1/tasks", body(host))
    finally:
        del gateway.gateway.store.write

    status, said = error(answer)
    assert status == 502
    assert "secret" not in said["detail"]
    assert await gateway.balance() == "1000"
