"""APIXO's words for jobs and tasks."""

from typing import Any

import msgspec
import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import MediaInput, Mode, Role, RouteClass
from portico.core.views import TaskState
from portico.dialects.apixo import build
from portico.dialects.apixo.translate import (
    STATES,
    in_own_words,
    parse_callback,
    parse_submit,
    render_status,
)
from portico.dialects.apixo.wire import Submit
from portico.dialects.body import as_type
from portico.dialects.endpoint import Rules
from tests.unit.dialects.task_views import (
    CREATED_AT,
    ENDED_BADLY,
    FINISHED_AT,
    ID,
    UNDER_WAY,
    asset,
    view,
)

PUBLIC_URL = "https://portico.test"


def submit(**body: Any) -> Submit:
    return as_type({"input": {"prompt": "a cat"}} | body, Submit)


def given(**fields: Any):
    return parse_submit(submit(input={"prompt": "a cat"} | fields), "wan-2-5")


def shown(state: TaskState, **facts: Any) -> dict[str, Any]:
    envelope = msgspec.json.decode(
        msgspec.json.encode(render_status(view(state, **facts), PUBLIC_URL))
    )
    assert (envelope["code"], envelope["message"]) == (200, "success")
    return envelope["data"]


def refusal(call, *args: Any) -> str:
    with pytest.raises(PorticoError) as refused:
        call(*args)
    assert refused.value.code is ErrorCode.INVALID_REQUEST
    return refused.value.message


def test_every_state_has_a_word():
    assert set(STATES) == set(TaskState)
    assert set(STATES.values()) == {"pending", "processing", "success", "failed"}


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (TaskState.QUEUED, "pending"),
        (TaskState.SUBMITTING, "pending"),
        (TaskState.RUNNING, "processing"),
        (TaskState.STORING, "processing"),
    ],
)
def test_unfinished_task_has_three_fields_and_no_nulls(state: TaskState, word: str):
    assert shown(state) == {"taskId": f"task_{ID}", "state": word, "createTime": CREATED_AT}


def test_success_has_the_fields_of_the_page_in_its_order():
    data = shown(TaskState.SUCCEEDED)

    assert list(data.items()) == [
        ("taskId", f"task_{ID}"),
        ("state", "success"),
        ("resultJson", '{"resultUrls":["https://portico.test/files/token/video.mp4"]}'),
        ("createTime", CREATED_AT),
        ("completeTime", FINISHED_AT),
        ("costTime", 41_388),  # as in the page's sample (C6)
    ]


def test_success_lists_every_output():
    data = shown(TaskState.SUCCEEDED, outputs=(asset("1.png"), asset("2.png")))

    assert msgspec.json.decode(data["resultJson"]) == {
        "resultUrls": [f"{PUBLIC_URL}/files/token/1.png", f"{PUBLIC_URL}/files/token/2.png"]
    }


def test_task_that_took_no_time_still_says_so():
    assert shown(TaskState.SUCCEEDED, finished_at=CREATED_AT)["costTime"] == 0


def test_failure_has_the_fields_of_the_page_and_the_times():
    data = shown(
        TaskState.FAILED,
        failure_code=ErrorCode.CONTENT_REFUSED,
        failure_message="Content does not meet safety guidelines",
    )

    assert list(data.items()) == [
        ("taskId", f"task_{ID}"),
        ("state", "failed"),
        ("failCode", "CONTENT_VIOLATION"),
        ("failMsg", "Content does not meet safety guidelines"),
        ("createTime", CREATED_AT),
        ("completeTime", FINISHED_AT),
        ("costTime", 41_388),
    ]


@pytest.mark.parametrize("state", ENDED_BADLY)
def test_every_bad_end_is_failed_with_code_and_text(state: TaskState):
    data = shown(state)

    assert data["state"] == "failed"
    assert data["failCode"] == "GENERATION_FAILED"
    assert data["failMsg"] == ("cancelled" if state is TaskState.CANCELLED else "Generation failed")


def test_failure_without_facts_still_has_code_and_text():
    data = shown(TaskState.FAILED, failure_code=None, failure_message=None)

    assert (data["failCode"], data["failMsg"]) == ("GENERATION_FAILED", "Generation failed")


@pytest.mark.parametrize("state", [*UNDER_WAY, *ENDED_BADLY, TaskState.SUCCEEDED])
def test_callback_is_the_json_of_a_read(state: TaskState):
    dialect = build(Rules(options={"public_url": PUBLIC_URL}))

    assert dialect.render_callback(view(state)) == msgspec.json.encode(
        render_status(view(state), PUBLIC_URL)
    )


def test_settings_get_canonical_names_and_keep_raw_values():
    ask = given(
        resolution="1080P",
        duration="10",
        aspect_ratio="16:9",
        negative_prompt="blurry",
        seed=42.0,
        enable_prompt_expansion="true",
    )

    assert ask.given == {
        "resolution": "1080P",
        "duration": "10",
        "ratio": "16:9",
        "negative_prompt": "blurry",
        "seed": 42.0,
        "prompt_expansion": "true",
    }


def test_what_is_not_sent_is_left_to_the_catalogue():
    ask = given(image_urls=None, seed=None)

    assert (ask.given, ask.inputs, ask.mode, ask.route_class) == ({}, (), None, RouteClass.AUTO)


def test_model_of_the_path_is_asked_for():
    assert (given().dialect, given().name) == ("apixo", "wan-2-5")


def test_pictures_become_first_frames():
    assert given(image_urls=["a", "b"]).inputs == (
        MediaInput(role=Role.FIRST_FRAME, url="a"),
        MediaInput(role=Role.FIRST_FRAME, url="b"),
    )


@pytest.mark.parametrize(
    ("word", "mode"),
    [("text-to-video", Mode.TEXT), ("image-to-video", Mode.IMAGE), ("Text-To-Video", Mode.TEXT)],
)
def test_mode_is_read(word: str, mode: Mode):
    assert given(mode=word).mode is mode


def test_unknown_mode_is_refused():
    message = refusal(lambda: given(mode="video-to-video"))

    assert message == "input.mode must be one of text-to-video, image-to-video"


@pytest.mark.parametrize("each", RouteClass)
def test_provider_chooses_the_class_of_routes(each: RouteClass):
    assert parse_submit(submit(provider=each.value), "wan-2-5").route_class is each


def test_unknown_provider_is_refused():
    message = refusal(parse_submit, submit(provider="cheapest"), "wan-2-5")

    assert message == "provider must be one of auto, value, official"


def test_input_is_required():
    message = refusal(parse_submit, as_type({}, Submit), "wan-2-5")

    assert message == "Missing required field: input"


@pytest.mark.parametrize(
    ("body", "url"),
    [
        ({}, None),
        ({"request_type": "async"}, None),
        ({"request_type": "async", "callback_url": "https://a.test"}, None),  # ignored (C8)
        ({"request_type": None, "callback_url": "https://a.test"}, None),
        ({"request_type": "callback", "callback_url": "https://a.test"}, "https://a.test"),
    ],
)
def test_callback_is_used_for_its_request_type_only(body: dict[str, Any], url: str | None):
    assert parse_callback(submit(**body)) == url


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"request_type": "callback"}, "Missing required field: callback_url"),
        (
            {"request_type": "callback", "callback_url": " "},
            "Missing required field: callback_url",
        ),
        ({"request_type": "sync"}, "request_type must be one of async, callback"),
    ],
)
def test_callback_is_refused(body: dict[str, Any], message: str):
    assert refusal(parse_callback, submit(**body)) == message


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"input": []}, "input"),
        ({"input": "a cat"}, "input"),
        ({"input": {"prompt": 5}}, "input.prompt"),
        ({"input": {"image_urls": "https://a.test/a.png"}}, "input.image_urls"),
        ({"input": {"image_urls": [5]}}, "input.image_urls"),
        ({"input": {"mode": 1}}, "input.mode"),
        ({"request_type": 1}, "request_type"),
        ({"provider": ["auto"]}, "provider"),
        ({"callback_url": 1}, "callback_url"),
    ],
)
def test_wrong_type_is_refused_by_name(body: dict[str, Any], field: str):
    assert refusal(as_type, body, Submit) == f"Invalid value for {field}"


@pytest.mark.parametrize(
    ("param", "message", "expected"),
    [
        ("prompt", "prompt is required", "Missing required field: input.prompt"),
        ("first_frame", "first_frame is required", "Missing required field: input.image_urls"),
        ("first_frame", "first_frame: at most 1", "input.image_urls: at most 1"),
        ("first_frame", "Cannot fetch this URL", "input.image_urls: Cannot fetch this URL"),
        ("ratio", "ratio must be one of 16:9", "input.aspect_ratio must be one of 16:9"),
        (None, "is required", "is required"),
    ],
)
def test_refusals_name_the_pages_own_fields(param: str | None, message: str, expected: str):
    error = PorticoError(ErrorCode.INVALID_REQUEST, message, param=param)

    assert in_own_words(error).message == expected


def test_url_without_a_role_is_the_callbacks():
    error = PorticoError(ErrorCode.MEDIA_UNREACHABLE, "Cannot fetch this URL")

    assert in_own_words(error).message == "callback_url: Cannot fetch this URL"
