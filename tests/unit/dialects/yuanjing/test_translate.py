"""Yuanjing's words for video jobs and tasks."""

from typing import Any

import msgspec
import pytest

from portico.catalogue import load
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaInput, Mode, Role
from portico.core.money import MICRO
from portico.core.views import AssetView, TaskState
from portico.dialects.endpoint import Rules
from portico.dialects.yuanjing import build
from portico.dialects.yuanjing.translate import (
    STATUS,
    parse_video,
    render_callback,
    render_models,
    render_not_started,
    render_submitted,
    render_task,
    usage_of,
)
from tests.unit.dialects.task_views import ENDED_BADLY, ID, UNDER_WAY, asset, view

VIDU: dict[str, Any] = {
    "dialect": "yuanjing",
    "model": "vidu-q3-pro",
    "offering": "yuanjing:r0ill7L0s6PtBS8mkmg-7/viduq3-pro",
    "offered_name": "r0ill7L0s6PtBS8mkmg-7",
    "params": {"off_peak": False, "duration": 1, "ratio": "16:9", "resolution": "540p"},
    "charged": 10 * MICRO,
}
COVER = msgspec.structs.replace(asset("cover.jpg"), role="cover", media_type="image/jpeg")


def plain(answer: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(answer))


def link(file: AssetView, name: str) -> str:
    return f"https://portico.test/idfile?path=/{file.id}/{name}"


def read(inputs: tuple[MediaInput, ...] = (), **fields: Any):
    return parse_video({name: [value] for name, value in fields.items()}, inputs)


# --- reading ---------------------------------------------------------------------------------


def test_submit_is_read_under_canonical_names():
    frame = MediaInput(role=Role.FIRST_FRAME, url="https://a.example/1.png")
    ask = read(
        (frame,),
        llmid="CrEMkFQfRCmbmopZsCqLj",
        prompt="小猫在抓老鼠",
        duration=5,
        ratio="16:9",
        resolution="480p",
        unknown="ignored",
    )

    assert (ask.dialect, ask.name, ask.kind) == ("yuanjing", "CrEMkFQfRCmbmopZsCqLj", Kind.VIDEO)
    assert ask.prompt == "小猫在抓老鼠"
    assert ask.given == {"duration": 5, "ratio": "16:9", "resolution": "480p"}
    assert (ask.variant, ask.function, ask.mode) == (None, None, None)
    assert ask.inputs == (frame,)


@pytest.mark.parametrize(
    ("fields", "ratio"),
    [
        ({"radio": "1:1"}, "1:1"),  # as two of the page's tables have it
        ({"ratio": "4:3"}, "4:3"),
        ({"radio": "1:1", "ratio": "4:3"}, "4:3"),
        ({"radio": "1:1", "ratio": ""}, "1:1"),
    ],
)
def test_radio_means_ratio_and_ratio_wins(fields: dict[str, Any], ratio: str):
    assert read(llmid="x", **fields).given == {"ratio": ratio}


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"llmid": "x"}, ("x", None, None)),
        ({"llmid": " x ", "model": "wan2.6-t2v"}, ("x", "wan2.6-t2v", None)),
        ({"model": "doubao-seedance-2-0-260128(*)"}, (None, "doubao-seedance-2-0-260128", None)),
        ({"model": "m", "catelogid": "T2V"}, (None, "m", "t2v")),
        ({"model": "m", "catelogid": "ref2v"}, (None, "m", "r2v")),
    ],
)
def test_names_of_the_model(fields: dict[str, Any], names: tuple[str | None, ...]):
    ask = read(**fields)

    assert (ask.name, ask.variant, ask.function) == names


@pytest.mark.parametrize("fields", [{}, {"llmid": "", "model": None}, {"prompt": "a cat"}])
def test_no_name_of_a_model_is_refused(fields: dict[str, Any]):
    with pytest.raises(PorticoError) as caught:
        read(**fields)

    assert (caught.value.code, caught.value.message) == (
        ErrorCode.INVALID_REQUEST,
        "llmid is required",
    )


def test_blank_fields_of_a_form_are_absent():
    ask = read(llmid="x", duration="", resolution=" ", negative_prompt="", size=None)

    assert ask.given == {}


# --- writing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("upper", "status"), [(False, "created"), (True, "CREATED")])
def test_submit_is_answered_as_sampled(upper: bool, status: str):
    answer = plain(render_submitted(view(TaskState.QUEUED), upper=upper))

    assert list(answer.items()) == [("taskid", str(ID)), ("status", status)]


def test_submit_nobody_took_is_answered_failed():
    answer = plain(render_not_started("No upstream is available for this model"))

    assert answer == {
        "taskid": "",
        "status": "FAILED",
        "error": "No upstream is available for this model",
    }


def test_finished_vidu_task_is_answered_as_sampled():
    task = view(TaskState.SUCCEEDED, cover=COVER, **VIDU)

    assert list(plain(render_task(task, link)).items()) == [
        (
            "usage",
            {
                "action": "t2v",
                "credits": 10,
                "type": "text2video",
                "model": "viduq3-pro",
                "resolution": "540p",
                "off_peak": False,
                "duration": 1,
            },
        ),
        ("image", "https://portico.test/idfile?path=/ast_1/cover.jpeg"),
        ("video", "https://portico.test/idfile?path=/ast_1/video.mp4"),
        ("status", "SUCCEEDED"),
        ("taskid", str(ID)),
    ]


def test_missing_cover_is_an_empty_address():
    assert plain(render_task(view(TaskState.SUCCEEDED), link))["image"] == ""


def test_picture_of_another_dialect_stands_under_image():
    made = msgspec.structs.replace(asset("a.png"), media_type="image/png")
    task = view(TaskState.SUCCEEDED, kind=Kind.IMAGE, outputs=(made,))

    answer = plain(render_task(task, link))

    assert answer["image"] == "https://portico.test/idfile?path=/ast_1/image.png"
    assert answer["video"] == ""


@pytest.mark.parametrize(
    ("state", "started", "status"),
    [
        (TaskState.QUEUED, False, "CREATED"),
        (TaskState.SUBMITTING, False, "PENDING"),
        (TaskState.RUNNING, False, "PENDING"),  # an upstream has it and has not begun
        (TaskState.RUNNING, True, "RUNNING"),
        (TaskState.STORING, True, "RUNNING"),
    ],
)
def test_task_under_way_has_status_and_id_alone(state: TaskState, started: bool, status: str):
    answer = plain(render_task(view(state, upstream_started=started), link))

    assert answer == {"status": status, "taskid": str(ID)}


@pytest.mark.parametrize("state", ENDED_BADLY)
def test_failed_task_says_why(state: TaskState):
    answer = plain(render_task(view(state), link))

    why = "cancelled" if state is TaskState.CANCELLED else "Generation failed"
    assert answer == {"status": "FAILED", "taskid": str(ID), "error": why}


def test_every_state_has_one_of_the_pages_words():
    assert set(STATUS) == set(TaskState) == {*UNDER_WAY, *ENDED_BADLY, TaskState.SUCCEEDED}
    assert set(STATUS.values()) == {"SUCCEEDED", "FAILED", "CREATED", "PENDING", "RUNNING"}


@pytest.mark.parametrize(
    ("mode", "action", "kind"),
    [
        (Mode.TEXT, "t2v", "text2video"),
        (Mode.IMAGE, "i2v", "img2video"),
        (Mode.FIRST_LAST, "i2v", "start-end2video"),
        (Mode.REFERENCE, "r2v", "reference2video"),
        (Mode.MOTION, "motion", "motion"),  # made in another dialect
    ],
)
def test_usage_names_what_was_done(mode: Mode, action: str, kind: str):
    usage = usage_of(view(TaskState.SUCCEEDED, mode=mode))

    assert (usage["action"], usage["type"]) == (action, kind)


def test_usage_of_wan_has_its_size():
    usage = usage_of(view(TaskState.SUCCEEDED, params={"size": "832x480", "duration": 5}))

    assert (usage["size"], usage["duration"]) == ("832x480", 5)
    assert "resolution" not in usage


def test_usage_of_seedance_has_llm_tokens_when_counted():
    counted = {"completion_tokens": 100, "total_tokens": 100, "route": "secret"}
    usage = usage_of(view(TaskState.SUCCEEDED, usage=counted))

    assert (usage["completion_tokens"], usage["total_tokens"]) == (100, 100)
    assert "route" not in usage


def test_usage_of_another_dialects_task_has_our_name_for_the_model():
    task = view(TaskState.SUCCEEDED, offering="xpilot:seedance-2.0/text-to-video", model="m")

    assert usage_of(task)["model"] == "m"


def test_callback_is_the_task_with_relative_links():
    body = msgspec.json.decode(render_callback(view(TaskState.SUCCEEDED, cover=COVER)))

    assert (body["image"], body["video"]) == ("/files/token/cover.jpg", "/files/token/video.mp4")


# --- the list of models ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "expected"),
    [("t2t", "qwen3-max"), ("t2v", "viduq3-pro"), ("ref2v", "happyhorse-1.0-r2v")],
)
def test_models_of_one_function(function: str, expected: str):
    catalogue = load()
    labels = {each.id: each.provider_label for each in catalogue.models()}
    found = render_models(catalogue.offerings("yuanjing"), labels, function=function).data

    assert expected in {each.id for each in found}
    assert len({each.catelogid for each in found}) == 1


def test_every_model_of_the_page_is_listed():
    catalogue = load()
    labels = {each.id: each.provider_label for each in catalogue.models()}
    listed = plain(render_models(catalogue.offerings("yuanjing"), labels, function=None))

    assert listed["object"] == "list"
    assert {"object", "id", "created", "owned_by", "llmid", "catelogid"} == set(listed["data"][0])
    assert "CrEMkFQfRCmbmopZsCqLj" in {each["llmid"] for each in listed["data"]}
    assert "eedance2.0" not in {each["id"] for each in listed["data"]}  # "Not enabled"


@pytest.mark.parametrize(
    ("path", "owned"),
    [
        ("/llmage/video", True),
        ("/llmage/nothing", True),
        ("/llmage", True),
        ("/idfile", True),
        ("/v1/tasks", True),
        ("/llmages", False),
        ("/idfile/x", False),
        ("/v1/models", False),
    ],
)
def test_dialect_owns_its_paths(path: str, owned: bool):
    assert build(Rules()).owns(path) is owned
