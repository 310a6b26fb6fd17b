"""XiaoYang's words for jobs, tasks and prices."""

from typing import Any

import msgspec
import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaInput, Role
from portico.core.money import MICRO
from portico.core.views import Caller, TaskState
from portico.dialects.body import as_type
from portico.dialects.xiaoyang.translate import (
    in_own_words,
    parse_submit,
    render_callback,
    render_me,
    render_submitted,
    render_task,
    status_of,
)
from portico.dialects.xiaoyang.wire import Submit
from portico.flows.submit import Accepted
from tests.unit.dialects.task_views import CREATED_AT, ENDED_BADLY, ID, UNDER_WAY, view

PLAIN = {"modal_key": "img2vid_v30", "option_key": "5_off"}


def parse(**body: Any):
    return parse_submit(as_type(PLAIN | body, Submit))


STATUSES = [
    (TaskState.QUEUED, False, "QUEUED"),
    (TaskState.SUBMITTING, False, "QUEUED"),
    (TaskState.RUNNING, False, "PENDING"),  # an upstream has it, and waits (A4)
    (TaskState.RUNNING, True, "PROCESSING"),
    (TaskState.STORING, True, "PROCESSING"),
    (TaskState.STORING, False, "PROCESSING"),
    (TaskState.SUCCEEDED, False, "SUCCESS"),
    (TaskState.FAILED, False, "FAIL"),
    (TaskState.CANCELLED, True, "FAIL"),  # (X6)
    (TaskState.EXPIRED, True, "FAIL"),
]


def test_every_state_has_a_word():
    assert {state for state, _, _ in STATUSES} == set(TaskState)


@pytest.mark.parametrize(("state", "started", "word"), STATUSES)
def test_state_is_told_in_the_pages_words(state: TaskState, started: bool, word: str):
    assert status_of(view(state, upstream_started=started)) == word


def test_success_shows_the_download_of_a_video_under_video_url():
    task = render_task(view(TaskState.SUCCEEDED))

    assert (task.video_url, task.image_url) == (f"/api/v1/tasks/{ID}/download", None)


def test_success_shows_the_download_of_a_picture_under_image_url():
    task = render_task(view(TaskState.SUCCEEDED, Kind.IMAGE))

    assert (task.video_url, task.image_url) == (None, f"/api/v1/tasks/{ID}/download")


def test_success_of_a_text_made_elsewhere_has_no_link():
    task = render_task(view(TaskState.SUCCEEDED, Kind.TEXT, outputs=()))

    assert (task.status, task.video_url, task.image_url) == ("SUCCESS", None, None)


@pytest.mark.parametrize("state", UNDER_WAY + ENDED_BADLY)
def test_no_link_without_success(state: TaskState):
    task = render_task(view(state))

    assert (task.video_url, task.image_url) == (None, None)


@pytest.mark.parametrize("state", [*UNDER_WAY, TaskState.SUCCEEDED])
def test_error_message_is_null_unless_failed(state: TaskState):
    assert render_task(view(state)).error_message is None


@pytest.mark.parametrize(
    ("code", "message", "shown"),
    [
        (ErrorCode.UPSTREAM_FAILED, "Generation failed", "Generation failed"),
        (ErrorCode.CONTENT_REFUSED, "Not that", "Not that"),
        # found out after the debit: the same text as at submit (A9)
        (ErrorCode.MEDIA_UNREACHABLE, "No file", "E_DIRECT_MEDIA_URL: No file"),
        (ErrorCode.MEDIA_REJECTED, "No picture", "E_DIRECT_MEDIA_URL: No picture"),
        (None, None, "Failed"),
    ],
)
def test_failure_is_told_in_a_short_text(code: ErrorCode | None, message: str | None, shown: str):
    task = render_task(view(TaskState.FAILED, failure_code=code, failure_message=message))

    assert task.error_message == shown


def test_cancelled_task_says_so():
    assert render_task(view(TaskState.CANCELLED)).error_message == "cancelled"


def test_price_rounds_up_and_stays_after_a_refund():
    task = render_task(view(TaskState.FAILED, price=71 * MICRO + 1, charged=0))

    assert task.credit == 72


def test_text_of_another_dialect_shows_what_it_cost_and_not_what_was_held():
    task = render_task(view(TaskState.SUCCEEDED, Kind.TEXT, price=3 * MICRO, charged=8_880))
    assert task.credit == 1


def test_created_at_counts_seconds():
    assert render_task(view(TaskState.QUEUED)).created_at == CREATED_AT // 1000


def test_submitted_task_shows_the_balance_rounded_down():
    answer = render_submitted(Accepted(view(TaskState.QUEUED), 1235 * MICRO - 1))

    assert msgspec.to_builtins(answer) == {
        "ok": True,
        "task_id": str(ID),
        "status": "QUEUED",
        "credits": 1234,
    }


def test_me_shows_the_balance_rounded_down():
    caller = Caller(account_id="acc_1", key_id="key_1", email="a@b.test", status="active")

    assert msgspec.to_builtins(render_me(caller, 10 * MICRO - 1)) == {
        "ok": True,
        "email": "a@b.test",
        "credits": 9,
        "status": "active",
    }


def test_webhook_carries_what_a_read_would_show():
    shown = view(TaskState.SUCCEEDED)

    assert msgspec.json.decode(render_callback(shown)) == msgspec.to_builtins(render_task(shown))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"modal_key": "a"}, "a"),
        ({"modal_key": None, "model_key": "b"}, "b"),
        ({"modal_key": None, "model": "c"}, "c"),
        ({"modal_key": "", "model": "c"}, "c"),
        ({"modal_key": "a", "model_key": "b", "model": "c"}, "a"),
    ],
)
def test_model_may_be_spelt_correctly(body: dict[str, Any], name: str):
    assert parse(**body).name == name


def test_links_become_inputs_in_the_pages_order():
    ask = parse(clothes_image_url="c", video_url="b", image_url="a")

    assert ask.inputs == (
        MediaInput(role=Role.FIRST_FRAME, url="a"),
        MediaInput(role=Role.MOTION_VIDEO, url="b"),
        MediaInput(role=Role.GARMENT, url="c"),
    )


def test_settings_get_canonical_names_and_keep_raw_values():
    ask = parse(wardrobe_replace="full", motion_orientation="image", ratio="1:1", enhance_4k="true")

    assert ask.given == {
        "wardrobe_part": "full",
        "motion_orientation": "image",
        "ratio": "1:1",
        "enhance": "true",
    }


def test_blank_fields_count_as_left_out():
    blank = dict.fromkeys(("image_url", "video_url", "motion_orientation", "ratio"), " ")

    ask = parse(**blank, enhance_4k=None)

    assert (ask.inputs, ask.given) == ((), {})


def test_false_is_not_left_out():
    assert parse(enhance_4k=False).given == {"enhance": False}


@pytest.mark.parametrize("field", ["modal_key", "option_key"])
@pytest.mark.parametrize("value", [None, "", " "])
def test_key_of_modal_and_option_are_needed(field: str, value: str | None):
    with pytest.raises(PorticoError) as refused:
        parse(**{field: value})

    assert (refused.value.code, refused.value.message) == (
        ErrorCode.INVALID_REQUEST,
        f"{field} is required",
    )


@pytest.mark.parametrize("field", ["modal_key", "option_key", "prompt", "image_url"])
@pytest.mark.parametrize("value", [5, ["x"], {"x": 1}, True])
def test_wrong_type_is_refused_by_name(field: str, value: object):
    with pytest.raises(PorticoError) as refused:
        parse(**{field: value})

    assert refused.value.message == f"Invalid value for {field}"


@pytest.mark.parametrize(
    ("param", "message", "expected"),
    [
        ("variant", "This model has no such variant", "This model has no such option_key"),
        ("model", "No such model", "No such modal_key"),
        ("garment", "garment is required", "clothes_image_url is required"),
        ("source_video", "source_video is required", "video_url is required"),
        ("motion_video", "Cannot fetch this URL", "video_url: Cannot fetch this URL"),
        ("wardrobe_part", "wardrobe_part must be one", "wardrobe_replace must be one"),
        ("enhance", "enhance must be true or false", "enhance_4k must be true or false"),
    ],
)
def test_refusals_name_the_pages_own_fields(param: str, message: str, expected: str):
    error = PorticoError(ErrorCode.INVALID_REQUEST, message, param=param)

    assert in_own_words(error).message == expected
