"""What Yuanjing's page leaves open, as we read it: lenient in, exact out."""

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import MediaAsk, MediaJob
from portico.flows import administer
from tests.contract.dialects.yuanjing.samples import made_with_cover
from tests.contract.dialects.yuanjing.test_page import made_as, part
from tests.contract.gateways import PICTURE, UNDER_WAY, VIDEO, error, told

SUBMIT, TASKS = "/llmage/video", "/llmage/tasks"
SEEDANCE_15, SEEDANCE_20 = "CrEMkFQfRCmbmopZsCqLj", "YjjGgxO_Xma8PWsMjJvps"
HAPPYHORSE, HAPPYHORSE_PICTURE = "o5vfXYD5BURJWRTWpopE5", "7y7kfYM0Xasizyi37WvAZ"
WAN, VIDU, REFERENCE = "u9HZyfDoqU6uKI6M1BTks", "r0ill7L0s6PtBS8mkmg-7", "dmPXF65TD1riKj9KaxLmg"
CREATED = '{"taskid":"TASK_ID","status":"created"}'
FORM = {"content-type": "application/x-www-form-urlencoded"}
B64 = base64.b64encode(PICTURE).decode()
SHORT: dict[str, Any] = {"llmid": SEEDANCE_15, "prompt": "a cat", "duration": 5}


async def mode_of(gateway, answer) -> object:
    assert answer.status_code == 200, answer.text
    return (await made_as(gateway, answer.json()["taskid"]))["mode"]


# --- how a request may be sent (D6, X2) ------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"json": SHORT},
        {"data": SHORT},
        {"data": SHORT, "files": {"unknown": ("a.txt", b"x")}},
        {"content": json.dumps(SHORT), "headers": FORM},
        {"content": json.dumps(SHORT)},
    ],
    ids=["json", "urlencoded", "multipart", "json called form", "json called nothing"],
)
async def test_submit_may_be_sent_as(start, given):
    gateway = await start(script=[UNDER_WAY])

    answer = await gateway.client.post(SUBMIT, **given)

    assert told(answer) == CREATED
    assert (await made_as(gateway, answer.json()["taskid"]))["duration"] == 5


async def test_alias_of_a_later_edition_takes_a_submit(start):
    gateway = await start(script=[UNDER_WAY])

    assert told(await gateway.post("/llmage/v1/video/generations", SHORT)) == CREATED


async def test_created_may_be_set_to_upper_case(start):
    gateway = await start(script=[UNDER_WAY], yuanjing_created_upper=True)

    assert (await gateway.post(SUBMIT, SHORT)).json()["status"] == "CREATED"


# --- which files are meant (D2 to D5) --------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["image1_file", "image_file1", "image_file", "image1", "image1_file[]"]
)
async def test_first_frame_in_every_spelling(start, name):
    gateway = await start(script=[UNDER_WAY])

    answer = await gateway.client.post(SUBMIT, data=SHORT, files=[part(name, "1.jpg")])

    assert await mode_of(gateway, answer) == "image"


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("image1_file", "image2_file"),
        ("image_file1", "image_file2"),
        ("image1", "image2"),
        ("image_file", "image_file"),
        ("image1_file", "image1_file"),
    ],
)
async def test_two_frames_in_every_spelling(start, first, last):
    gateway = await start(script=[UNDER_WAY])

    answer = await gateway.client.post(
        SUBMIT, data=SHORT, files=[part(first, "1.jpg"), part(last, "2.jpg")]
    )

    assert await mode_of(gateway, answer) == "first_last"


@pytest.mark.parametrize(
    "names",
    [
        ["image_files", "image_files"],
        ["image_files[]", "image_files[]"],
        ["image_files[1]", "image_files[0]"],
    ],
)
async def test_references_in_every_spelling(start, names):
    gateway = await start(script=[UNDER_WAY])

    answer = await gateway.client.post(
        SUBMIT,
        data={"llmid": REFERENCE, "prompt": "a cat", "duration": "4"},
        files=[part(name, "1.jpg") for name in names],
    )

    assert await mode_of(gateway, answer) == "reference"


async def test_json_array_of_addresses_is_references(start, host):
    gateway = await start(script=[UNDER_WAY])
    body = {
        "llmid": REFERENCE,
        "prompt": "a cat",
        "image_files": [f"{host.url}/1.png", f"{host.url}/2.png"],
        "video_files": [f"{host.url}/1.mp4"],
        "duration": 4,
    }

    assert await mode_of(gateway, await gateway.post(SUBMIT, body)) == "reference"


@pytest.mark.parametrize("text", [B64, f"data:image/png;base64,{B64}", f"data:;base64,{B64}"])
@pytest.mark.parametrize("how", ["json", "data"])
async def test_base64_is_a_file(start, text, how):
    gateway = await start(script=[UNDER_WAY])

    answer = await gateway.client.post(SUBMIT, **{how: SHORT | {"image_file1": text}})

    assert await mode_of(gateway, answer) == "image"


@pytest.mark.parametrize("how", ["json", "data"])
async def test_address_is_a_file(start, host, how):
    gateway = await start(script=[UNDER_WAY])
    given = SHORT | {"image_file1": f"{host.url}/1.png"}

    assert await mode_of(gateway, await gateway.client.post(SUBMIT, **{how: given})) == "image"


async def test_text_to_video_id_with_a_picture_makes_it_move(start):
    gateway = await start(script=[UNDER_WAY])
    body = {"llmid": HAPPYHORSE, "prompt": "a horse", "image1_file": B64}

    assert await mode_of(gateway, await gateway.post(SUBMIT, body)) == "image"


# --- which model is meant (D15 to D18) -------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        {"llmid": SEEDANCE_15},
        {"llmid": SEEDANCE_15, "model": "dreamina-seedance-2-0-260128"},  # another id's model
        {"llmid": SEEDANCE_20, "model": "doubao-seedance-2-0-fast-260128"},
        {"llmid": SEEDANCE_20},  # the starred one
        {"model": "wan2.6-t2v"},
        {"model": "happyhorse-1.0-t2v(*)"},
        {"model": "viduq3-pro", "catelogid": "t2v"},
        {"model": "viduq3-pro", "catelogid": "I2V"},
    ],
)
async def test_model_may_be_named_by(start, names):
    gateway = await start(script=[UNDER_WAY])

    assert told(await gateway.post(SUBMIT, names | {"prompt": "a cat"})) == CREATED


# --- parameters (D1, D24 to D29) -------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"llmid": SEEDANCE_15, "radio": "21:9"}, {"ratio": "21:9"}),
        ({"llmid": SEEDANCE_15, "radio": "21:9", "ratio": "1:1"}, {"ratio": "1:1"}),
        ({"llmid": SEEDANCE_15, "ratio": "keep_ratio"}, {"ratio": "adaptive"}),
        # defaults are tabled per model and mode
        ({"llmid": SEEDANCE_15}, {"duration": 12, "resolution": "1080p"}),
        ({"llmid": SEEDANCE_20}, {"duration": 5, "resolution": "720p", "ratio": "adaptive"}),
        ({"llmid": HAPPYHORSE}, {"duration": 5, "resolution": "720p", "ratio": "adaptive"}),
        ({"llmid": WAN}, {"duration": 15, "size": "1920x1080", "negative_prompt": ""}),
        (
            {"llmid": VIDU},
            {"duration": 10, "resolution": "1080p", "ratio": "16:9", "off_peak": False},
        ),
        ({"llmid": WAN, "size": "1280*720", "duration": "5"}, {"size": "1280x720", "duration": 5}),
        ({"llmid": WAN, "size": "832×480"}, {"size": "832x480"}),
        ({"llmid": HAPPYHORSE, "resolution": "1080P"}, {"resolution": "1080p"}),
        ({"llmid": VIDU, "off_peak": "Y"}, {"off_peak": True}),
        ({"llmid": VIDU, "off_peak": True}, {"off_peak": True}),
        ({"llmid": VIDU, "off_peak": "0"}, {"off_peak": False}),
        ({"llmid": VIDU, "duration": 16.0, "style": "ignored"}, {"duration": 16}),
    ],
)
async def test_video_is_made_with(start, body, expected):
    gateway = await start(script=[UNDER_WAY])

    answer = await gateway.post(SUBMIT, {"prompt": "a cat"} | body)

    assert answer.status_code == 200, answer.text
    assert expected.items() <= (await made_as(gateway, answer.json()["taskid"])).items()


# --- unusable files --------------------------------------------------------------------------


async def test_page_in_place_of_a_picture_is_refused(start, host):
    gateway = await start()
    body = SHORT | {"image_file1": f"{host.url}/preview.html"}

    status, told_ = error(await gateway.post(SUBMIT, body))

    assert status == 400
    assert told_["error"].startswith("image1_file: ")


async def test_too_large_picture_is_413_in_shape(start):
    gateway = await start()
    files = {"image1_file": ("a.png", PICTURE + bytes(21 * 2**20), "image/png")}

    answer = await gateway.client.post(SUBMIT, data=SHORT, files=files)

    assert error(answer)[0] == 413
    assert list(answer.json()) == ["error"]


async def test_refused_request_stores_no_file(start):
    gateway = await start()
    files = {"image1_file": ("a.png", PICTURE, "image/png")}

    await gateway.client.post(SUBMIT, data={"llmid": SEEDANCE_15}, files=files)

    stored = list(gateway.app.settings.folder.rglob("*.png"))
    assert stored == []


# --- how a task is asked for (D8, D33) -------------------------------------------------------


@pytest.fixture
async def gateway_and_task(start):
    gateway = await start(script=[UNDER_WAY])
    task_id = (await gateway.post(SUBMIT, SHORT)).json()["taskid"]
    await gateway.reach(f"{TASKS}?taskid={task_id}", ["RUNNING"])
    return gateway, task_id


@pytest.mark.parametrize("path", [TASKS, "/llmage/v1/tasks", "/v1/tasks"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", ["taskid", "task_id"])
async def test_task_is_named_in_the_query(gateway_and_task, path, method, name):
    gateway, task_id = gateway_and_task

    answer = await gateway.client.request(method, f"{path}?{name}={task_id}")

    assert told(answer) == '{"status":"RUNNING","taskid":"TASK_ID"}'


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", ["taskid", "task_id"])
@pytest.mark.parametrize("how", ["json", "number", "urlencoded", "multipart"])
async def test_task_is_named_in_the_body(gateway_and_task, method, name, how):
    gateway, task_id = gateway_and_task
    ways: dict[str, dict[str, Any]] = {
        "json": {"json": {name: task_id}},
        "number": {"json": {name: int(task_id)}},
        "urlencoded": {"content": urlencode({name: task_id}), "headers": FORM},
        "multipart": {"files": {name: (None, task_id)}},
    }

    answer = await gateway.client.request(method, TASKS, **ways[how])

    assert answer.json() == {"status": "RUNNING", "taskid": task_id}


async def test_query_counts_before_the_body(gateway_and_task):
    gateway, task_id = gateway_and_task

    answer = await gateway.post(f"{TASKS}?taskid={task_id}", {"taskid": "1"})

    assert answer.json()["taskid"] == task_id


async def test_foreign_task_is_as_unknown_as_no_task(gateway_and_task):
    gateway, task_id = gateway_and_task
    await administer.create_account(gateway.desk, "other@example.com")
    other = await administer.create_key(gateway.desk, "other@example.com")
    gateway.client.headers["authorization"] = f"Bearer {other.key}"

    answer = await gateway.get(f"{TASKS}?taskid={task_id}")

    assert error(answer) == (404, {"error": "Task not found"})


async def test_asking_by_post_counts_as_reading(start):
    gateway = await start(script=[UNDER_WAY], yuanjing_requests_per_minute=2)
    task_id = (await gateway.post(SUBMIT, SHORT)).json()["taskid"]

    asked = [await gateway.post(f"{TASKS}?taskid={task_id}", "") for _ in range(3)]
    submitted = await gateway.post(SUBMIT, SHORT)

    assert [each.status_code for each in asked] == [200, 200, 429]
    assert error(asked[-1]) == (429, {"error": "Too many requests"})
    assert int(asked[-1].headers["retry-after"]) >= 1
    assert submitted.status_code == 200


# --- signed links (D32) ----------------------------------------------------------------------


async def test_link_knows_ranges(start):
    gateway = await start(script=[made_with_cover()])
    task_id = (await gateway.post(SUBMIT, SHORT)).json()["taskid"]
    done = await gateway.reach(f"{TASKS}?taskid={task_id}", ["SUCCEEDED"])

    answer = await gateway.get(done.json()["video"], headers={"range": "bytes=0-9"})

    assert (answer.status_code, answer.content) == (206, VIDEO[:10])


async def test_link_of_an_expired_result_is_404(start):
    gateway = await start(script=[made_with_cover()])
    task_id = (await gateway.post(SUBMIT, SHORT)).json()["taskid"]
    done = await gateway.reach(f"{TASKS}?taskid={task_id}", ["SUCCEEDED"])

    gateway.clock.jump(16 * 24 * 3_600_000)

    assert error(await gateway.get(done.json()["video"]))[0] == 404


# --- who may, how often, and again -----------------------------------------------------------


async def test_empty_balance_is_429_that_forbids_to_retry(start):
    gateway = await start(balance="1")

    answer = await gateway.post(SUBMIT, SHORT)

    assert error(answer) == (429, {"error": "Insufficient balance"})
    assert answer.headers["x-should-retry"] == "false"
    assert "retry-after" not in answer.headers
    assert await gateway.balance() == "1"


async def test_suspended_account_is_401(start):
    gateway = await start()
    await administer.set_suspended(gateway.desk, gateway.email, suspended=True)

    assert error(await gateway.post(SUBMIT, SHORT))[0] == 401


async def test_repeat_of_an_upload_is_charged_once(start):
    gateway = await start(balance="1000", script=[UNDER_WAY])
    again = {"idempotency-key": "k1"}

    first, second = [
        await gateway.client.post(
            SUBMIT, data=SHORT, files=[part("image1_file", name)], headers=again
        )
        for name in ("1.jpg", "renamed.jpg")
    ]

    assert second.json() == first.json()
    assert await gateway.balance() == "900"


async def test_same_key_for_another_file_is_409_in_shape(start):
    gateway = await start(balance="1000", script=[UNDER_WAY])
    again = {"idempotency-key": "k1"}

    first, second = [
        await gateway.client.post(
            SUBMIT, data=SHORT, files={"image1_file": ("1.png", content)}, headers=again
        )
        for content in (PICTURE, PICTURE + b"\0")
    ]

    assert first.status_code == 200
    assert error(second)[0] == 409
    assert list(second.json()) == ["error"]
    assert await gateway.balance() == "900"


class _NoRoutes:
    """A catalogue whose models nobody makes any more (D37)."""

    def resolve(self, ask: MediaAsk) -> MediaJob:
        raise PorticoError(ErrorCode.NO_ROUTE, "No upstream is available for this model")


async def test_submit_nobody_takes_is_failed_and_free(start):
    gateway = await start(balance="5")
    object.__setattr__(gateway.gateway, "catalogue", _NoRoutes())

    answer = await gateway.post(SUBMIT, SHORT)

    assert answer.status_code == 200
    assert answer.json() == {
        "taskid": "",
        "status": "FAILED",
        "error": "No upstream is available for this model",
    }
    assert await gateway.balance() == "5"


# --- the list of models (D33) ----------------------------------------------------------------


async def test_models_may_be_asked_for_by_function(start):
    gateway = await start()

    answer = await gateway.get("/llmage/v1/models?catelogid=t2v")

    listed = answer.json()["data"]
    assert {each["catelogid"] for each in listed} == {"t2v"}
    assert {
        "id": "viduq3-pro",
        "object": "model",
        "created": 0,
        "owned_by": "vidu",
        "llmid": VIDU,
        "catelogid": "t2v",
    } in listed
