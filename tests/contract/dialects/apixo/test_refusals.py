"""What APIXO's page refuses: HTTP status and `code` are one number, `data` is null, and the
message names the field as the caller wrote it. Nothing that is refused costs anything."""

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.flows import administer
from tests.contract.gateways import UNDER_WAY, error

SUBMIT = "/api/v1/generateTask/wan-2-5"
STATUS = "/api/v1/statusTask/wan-2-5"


@pytest.fixture
async def gateway(start):
    return await start(script=[UNDER_WAY])


def body(**fields: object) -> dict[str, object]:
    return {"input": {"prompt": "a cat"} | fields}


def said(answer) -> tuple[int, str]:
    """Return code and message, after checking the envelope around them."""
    status, envelope = error(answer)
    assert list(envelope) == ["code", "message", "data"]
    assert envelope["code"] == status
    assert envelope["data"] is None
    return status, envelope["message"]


BAD_INPUTS = [
    ({"prompt": None}, "Missing required field: input.prompt"),
    ({"prompt": "  "}, "Missing required field: input.prompt"),
    ({"prompt": 5}, "Invalid value for input.prompt"),
    ({"resolution": "480p"}, "input.resolution must be one of 720p, 1080p"),  # (C12)
    ({"duration": 6}, "input.duration must be one of 5, 10"),
    ({"duration": 5.5}, "input.duration must be one of 5, 10"),
    ({"duration": "ten"}, "input.duration must be one of 5, 10"),
    ({"aspect_ratio": "4:3"}, "input.aspect_ratio must be one of 16:9, 9:16, 1:1"),
    ({"seed": -1}, "input.seed must be a whole number from 0 to 2147483647"),
    ({"seed": 2147483648}, "input.seed must be a whole number from 0 to 2147483647"),
    (
        {"enable_prompt_expansion": "perhaps"},
        "input.enable_prompt_expansion must be true or false",
    ),
    ({"negative_prompt": 5}, "input.negative_prompt must be text"),
    ({"mode": "video"}, "input.mode must be one of text-to-video, image-to-video"),
    ({"mode": "image-to-video"}, "Missing required field: input.image_urls"),  # (C10)
    (
        {"mode": "image-to-video", "image_urls": []},
        "Missing required field: input.image_urls",
    ),
    (
        {"mode": "text-to-video", "image_urls": ["https://a.invalid/a.png"]},
        "input.image_urls cannot be used with this model in this mode",
    ),
    ({"image_urls": ["https://a.invalid"] * 2}, "input.image_urls: at most 1"),  # (C11)
    ({"image_urls": "https://a.invalid"}, "Invalid value for input.image_urls"),
    ({"image_urls": [None]}, "Invalid value for input.image_urls"),
]


@pytest.mark.parametrize(("fields", "message"), BAD_INPUTS)
async def test_bad_input_is_named_as_the_caller_wrote_it(gateway, fields, message):
    answer = await gateway.post(SUBMIT, body(**fields))

    assert said(answer) == (400, message)
    assert await gateway.balance() == "1000"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"request_type": "sync"}, "request_type must be one of async, callback"),  # (C9)
        ({"request_type": "callback"}, "Missing required field: callback_url"),  # (C8)
        ({"provider": "cheapest"}, "provider must be one of auto, value, official"),
        ({"provider": 1}, "Invalid value for provider"),
        ({"input": None}, "Missing required field: input"),
        ({"input": "a cat"}, "Invalid value for input"),
    ],
)
async def test_bad_frame_is_named(gateway, fields, message):
    answer = await gateway.post(SUBMIT, body() | fields)

    assert said(answer) == (400, message)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/callback",
        "https://10.0.0.1/",
        "http://localhost/",
        "nonsense",
        "file:///x",
    ],
)
async def test_callback_to_a_private_address_is_refused(gateway, url):
    answer = await gateway.post(SUBMIT, body() | {"request_type": "callback", "callback_url": url})

    assert said(answer) == (400, "callback_url: Cannot fetch this URL")
    assert await gateway.balance() == "1000"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("https://media.invalid/a.png", "Cannot fetch this URL"),
        ("http://127.0.0.1/a.png", "Cannot fetch this URL"),
        ("", "Cannot fetch this URL"),
        ("https://drive.google.com/file/d/1/view", "Not a direct link to a media file"),
        ("{host}/preview.html", "Not a direct link to a media file"),
        ("{host}/ref.mp4", "Not a supported image file"),
    ],
)
async def test_bad_picture_is_refused_at_submit_by_name(gateway, host, path, message):
    answer = await gateway.post(SUBMIT, body(image_urls=[path.format(host=host.url)]))

    assert said(answer) == (400, f"input.image_urls: {message}")
    assert await gateway.balance() == "1000"


async def test_picture_that_dies_later_fails_the_task(start, host):
    gateway = await start()
    gateway.gateway.engine.wake = lambda task_id, **_: host.missing.add("/ref.jpg")
    answer = await gateway.post(SUBMIT, body(image_urls=[f"{host.url}/ref.jpg"]))
    del gateway.gateway.engine.wake
    path = f"{STATUS}?taskId={answer.json()['data']['taskId']}"

    data = (await gateway.reach(path, ["failed"], wake=True)).json()["data"]

    assert (data["failCode"], data["failMsg"]) == ("INVALID_IMAGE_URL", "Cannot fetch this URL")
    assert await gateway.balance() == "1000"


@pytest.mark.parametrize(
    ("code", "fail_code"),
    [
        (ErrorCode.UPSTREAM_FAILED, "GENERATION_FAILED"),
        (ErrorCode.UPSTREAM_TIMEOUT, "PROCESSING_TIMEOUT"),
        (ErrorCode.MEDIA_REJECTED, "INVALID_IMAGE_URL"),
        (ErrorCode.NO_ROUTE, "MODEL_UNAVAILABLE"),
    ],
)
async def test_failed_task_has_the_vendors_word(start, code, fail_code):
    gateway = await start(script=[PorticoError(code, "Generation failed")])
    answer = await gateway.post(SUBMIT, body())

    path = f"{STATUS}?taskId={answer.json()['data']['taskId']}"
    data = (await gateway.reach(path, ["failed"])).json()["data"]

    assert data["failCode"] == fail_code
    assert await gateway.balance() == "1000"


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer YOUR_API_KEY"}])
@pytest.mark.parametrize("path", [STATUS, f"{STATUS}?taskId=task_1"])
async def test_missing_or_wrong_key_is_401(gateway, headers, path):
    del gateway.client.headers["authorization"]

    assert said(await gateway.get(path, headers=headers)) == (401, "Invalid or missing API Key")


async def test_suspended_account_is_401(gateway):
    await administer.set_suspended(gateway.desk, gateway.email, suspended=True)

    assert said(await gateway.post(SUBMIT, body())) == (401, "Account suspended")


async def test_unknown_model_is_404(gateway):
    answer = await gateway.post("/api/v1/generateTask/wan-9", body())

    assert said(answer) == (404, "Model not found")
    assert await gateway.balance() == "1000"


async def test_status_under_an_unknown_model_is_404(gateway):
    made = await gateway.post(SUBMIT, body())
    task_id = made.json()["data"]["taskId"]

    answer = await gateway.get(f"/api/v1/statusTask/wan-9?taskId={task_id}")

    assert said(answer) == (404, "Model not found")


@pytest.mark.parametrize("query", ["", "?taskId=", "?taskId=%20", "?taskid=task_1"])
async def test_missing_task_id_is_400(gateway, query):
    assert said(await gateway.get(STATUS + query)) == (400, "Missing required field: taskId")


@pytest.mark.parametrize("task_id", ["task_1", "1", "abc", "task_task_1", "-1", "9" * 20])
async def test_unknown_task_is_404(gateway, task_id):
    assert said(await gateway.get(f"{STATUS}?taskId={task_id}")) == (404, "Task not found")


async def test_task_of_another_account_is_404(gateway):
    made = await gateway.post(SUBMIT, body())
    await administer.create_account(gateway.desk, "other@example.com")
    other = await administer.create_key(gateway.desk, "other@example.com")

    answer = await gateway.get(
        f"{STATUS}?taskId={made.json()['data']['taskId']}",
        headers={"authorization": f"Bearer {other.key}"},
    )

    assert said(answer) == (404, "Task not found")


@pytest.mark.parametrize(
    "path",
    ["/api/v1/generateTask", "/api/v1/statusTask/", "/api/v1/generateTask/wan-2-5/more"],
)
async def test_unknown_path_is_404_in_shape(gateway, path):
    assert said(await gateway.get(path)) == (404, "Not found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", SUBMIT, "POST"), ("POST", STATUS, "GET, HEAD"), ("PATCH", SUBMIT, "POST")],
)
async def test_wrong_method_is_405_in_shape(gateway, method, path, allowed):
    answer = await gateway.client.request(method, path)

    assert said(answer) == (405, "Method not allowed")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("sent", ["", "no json", "[]", '{"input"', '{"input":NaN}'])
async def test_bad_body_is_400_in_shape(gateway, sent):
    assert said(await gateway.post(SUBMIT, sent))[0] == 400


async def test_too_large_body_is_413(gateway):
    answer = await gateway.post(SUBMIT, b"{" + b" " * 2**20 + b"}")

    assert said(answer) == (413, "The body is too large")


async def test_compressed_body_is_415(gateway):
    answer = await gateway.post(SUBMIT, "{}", **{"content-encoding": "gzip"})

    assert said(answer)[0] == 415


async def test_too_many_requests_are_429(start):
    gateway = await start(apixo_requests_per_minute=2)
    answers = [await gateway.get(f"{STATUS}?taskId=1") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [404, 404, 429]
    assert said(answers[-1]) == (429, "Rate limit exceeded")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


async def test_ten_thousand_requests_a_minute_are_the_default(gateway):
    dialect = next(each for each in gateway.app.dialects if each.name == "apixo")

    rules = dialect.rules
    assert (rules.submits_per_minute, rules.reads_per_minute) == (10_000, 10_000)
    assert rules.open_tasks_max == 1_000


async def test_too_many_tasks_at_once_are_429(start):
    gateway = await start(script=[UNDER_WAY], apixo_open_tasks_max=2)
    answers = [await gateway.post(SUBMIT, body()) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert said(answers[-1]) == (429, "Concurrent task limit exceeded")
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert await gateway.balance() == "900"


async def test_our_own_mistake_is_500_in_shape(gateway):
    async def broken(*_: object, **__: object) -> None:
        message = "a secret of the inside"
        raise RuntimeError(message)

    gateway.gateway.store.write = broken
    try:
        answer = await gateway.post(SUBMIT, body())
    finally:
        del gateway.gateway.store.write

    status, message = said(answer)
    assert status == 500
    assert "secret" not in message
