"""What a video looks like in OpenAI's shape, in every state, and what an event says."""

import json
from typing import Any

import msgspec
import pytest

from portico.core.errors import ErrorCode
from portico.core.jobs import Kind, MediaAsk
from portico.core.views import FINAL_STATES, TaskState
from portico.dialects.openai.videos import (
    STATUS,
    fields_of,
    in_lines,
    render_callback,
    render_list,
    render_video,
)
from tests.unit.dialects.task_views import CREATED_AT, FINISHED_AT, ID, asset, view

OPENAI_STATUSES = {"queued", "in_progress", "completed", "failed"}
URL = "https://portico.test"


def shown(state: TaskState, **facts: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(render_video(view(state, **facts), URL))
    return found


def test_every_state_has_one_of_openais_four_statuses():
    assert set(STATUS) == set(TaskState)
    assert set(STATUS.values()) == OPENAI_STATUSES


@pytest.mark.parametrize(
    ("state", "begun", "status"),
    [
        (TaskState.QUEUED, False, "queued"),
        (TaskState.SUBMITTING, False, "queued"),
        (TaskState.RUNNING, False, "queued"),  # it waits at the upstream
        (TaskState.RUNNING, True, "in_progress"),
        (TaskState.STORING, True, "in_progress"),
        (TaskState.SUCCEEDED, False, "completed"),
        (TaskState.FAILED, False, "failed"),
        (TaskState.CANCELLED, False, "failed"),
        (TaskState.EXPIRED, False, "failed"),
    ],
)
def test_status_follows_the_state(state: TaskState, begun: bool, status: str):
    assert shown(state, upstream_started=begun)["status"] == status


def test_completed_video_has_times_and_address():
    found = shown(TaskState.SUCCEEDED, expires_at=FINISHED_AT + 1_000)

    assert found["completed_at"] == FINISHED_AT // 1000
    assert found["expires_at"] == FINISHED_AT // 1000 + 1
    assert found["created_at"] == CREATED_AT // 1000
    assert found["url"] == found["metadata"]["url"] == f"{URL}/files/token/video.mp4"
    assert found["error"] is None


def test_completed_video_without_outputs_has_no_address():
    assert "url" not in shown(TaskState.SUCCEEDED, outputs=())


@pytest.mark.parametrize("state", sorted(FINAL_STATES - {TaskState.SUCCEEDED}))
def test_failed_video_has_an_error_and_nothing_of_a_completed_one(state: TaskState):
    found = shown(state, expires_at=FINISHED_AT)

    assert found["error"] == {"code": "generation_failed", "message": "Generation failed"}
    assert (found["completed_at"], found["expires_at"]) == (None, None)
    assert "url" not in found


def test_failure_without_a_code_still_has_words():
    found = shown(TaskState.FAILED, failure_code=ErrorCode.INVALID_REQUEST, failure_message=None)

    assert found["error"] == {"code": "generation_failed", "message": "Generation failed"}


@pytest.mark.parametrize(
    ("state", "done", "percent"),
    [
        (TaskState.QUEUED, None, 0),
        (TaskState.RUNNING, 0.456, 45),
        (TaskState.STORING, 1.0, 99),  # not there yet
        (TaskState.SUCCEEDED, None, 100),
        (TaskState.FAILED, 0.3, 30),
    ],
)
def test_progress_is_whole_percent(state: TaskState, done: float | None, percent: int):
    assert shown(state, progress=done)["progress"] == percent


@pytest.mark.parametrize(
    ("params", "size"),
    [
        ({"size": "1792x1024", "resolution": "720p"}, "1792x1024"),
        ({"resolution": "720p", "ratio": "16:9"}, "1280x720"),
        ({"resolution": "480p", "ratio": "9:16"}, "480x854"),
        ({"resolution": "1080p", "ratio": "1:1"}, None),  # not the same at every model
        ({"resolution": "720p", "ratio": "adaptive"}, None),
        ({"resolution": "720p"}, None),
        ({}, None),
    ],
)
def test_size_is_what_was_ordered_until_there_is_one(params: dict[str, str], size: str | None):
    assert shown(TaskState.QUEUED, params=params)["size"] == size


def test_size_and_length_of_what_was_made_are_shown():
    made = msgspec.structs.replace(asset(), width=640, height=360, duration_ms=4_960)

    found = shown(TaskState.SUCCEEDED, params={"resolution": "720p"}, outputs=(made,))

    assert (found["size"], found["seconds"]) == ("640x360", "5")


def test_ordered_length_is_a_text():
    assert shown(TaskState.QUEUED, params={"duration": 8})["seconds"] == "8"


def test_list_says_whether_there_is_more():
    views = [view(TaskState.QUEUED, id=ID - number) for number in range(3)]

    page = render_list(views, URL, limit=2)

    assert (page.first_id, page.last_id) == (f"video_{ID}", f"video_{ID - 1}")
    assert (len(page.data), page.has_more) == (2, True)
    assert not render_list(views, URL, limit=3).has_more


@pytest.mark.parametrize(
    ("state", "kind", "type_", "name"),
    [
        (TaskState.SUCCEEDED, Kind.VIDEO, "video.completed", f"video_{ID}"),
        (TaskState.FAILED, Kind.VIDEO, "video.failed", f"video_{ID}"),
        (TaskState.EXPIRED, Kind.VIDEO, "video.failed", f"video_{ID}"),
        (TaskState.SUCCEEDED, Kind.IMAGE, "image.completed", str(ID)),
    ],
)
def test_callback_is_an_event(state: TaskState, kind: Kind, type_: str, name: str):
    assert json.loads(render_callback(view(state, kind))) == {
        "id": f"evt_{ID}",
        "object": "event",
        "created_at": FINISHED_AT // 1000,
        "type": type_,
        "data": {"id": name},
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": "1280x720"}, {"resolution": "720p", "ratio": "16:9"}),
        ({"size": " 1080X1920 ", "seed": 1}, {"resolution": "1080p", "ratio": "9:16", "seed": 1}),
        ({"size": "1792x1024"}, {"size": "1792x1024"}),
        ({"size": "1280x720", "ratio": "1:1"}, {"size": "1280x720", "ratio": "1:1"}),
        ({"size": ["1280x720"]}, {"size": ["1280x720"]}),
        ({"resolution": "720p"}, {"resolution": "720p"}),
    ],
)
def test_size_is_said_in_lines(given: dict[str, object], said: dict[str, object]):
    assert in_lines(MediaAsk(dialect="openai", name="m", given=given)).given == said


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "resolution"),
        ({"size": ["1280x720"]}, "size"),
        ({"size": ["1280x720"], "resolution": ["720p"]}, "resolution"),
    ],
)
def test_lines_are_called_size_where_a_size_was_sent(fields: dict[str, list[object]], name: str):
    assert fields_of(fields)["resolution"] == name


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "seconds"),
        ({"seconds": ["4"]}, "seconds"),
        ({"duration": ["4"]}, "duration"),
        ({"seconds": [None], "duration": [4]}, "duration"),
        ({"seconds": ["4"], "duration": ["5"]}, "seconds"),
    ],
)
def test_length_is_called_as_the_request_calls_it(fields: dict[str, list[object]], name: str):
    assert fields_of(fields)["duration"] == name
