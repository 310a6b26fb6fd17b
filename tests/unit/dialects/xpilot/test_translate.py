"""xPilot's words for jobs, tasks and prices."""

from typing import Any

import msgspec
import pytest

from portico.catalogue import Catalogue, load
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatUsage, Kind, MediaInput, Message, Mode, Role
from portico.core.money import MICRO
from portico.core.views import TaskState
from portico.dialects.body import as_type
from portico.dialects.endpoint import Rules
from portico.dialects.xpilot import build
from portico.dialects.xpilot.translate import (
    STATUS,
    parse_image,
    parse_text,
    parse_video,
    render_callback,
    render_image,
    render_models,
    render_status,
    render_text,
    render_video,
)
from portico.dialects.xpilot.wire import ImageSubmit, TextSubmit, VideoSubmit
from portico.flows.chat_answer import ChatAnswer
from portico.flows.price_list import Listed
from portico.flows.submit import Accepted
from portico.flows.text_prices import ListedText
from tests.unit.dialects.task_views import ENDED_BADLY, ID, UNDER_WAY, asset, view

PUBLIC_URL = "https://portico.test"
FRAME = MediaInput(role=Role.FIRST_FRAME, url="https://cdn.example/a.png")


def pictures(*urls: str) -> tuple[MediaInput, ...]:
    return tuple(MediaInput(role=Role.REFERENCE_IMAGE, url=url) for url in urls)


def plain(answer: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(answer))


def video(**body: Any):
    return parse_video(as_type(body, VideoSubmit))


def image(**body: Any):
    return parse_image(as_type(body, ImageSubmit))


def text(**body: Any):
    return parse_text(as_type(body, TextSubmit))


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load()


# --- reading ---------------------------------------------------------------------------------


def test_video_is_read_under_canonical_names():
    ask = video(
        model="seedance-2.0/text-to-video",
        prompt="A cat",
        duration=8,
        aspect_ratio="16:9",
        generate_audio=True,
        lock_camera=False,
    )

    assert (ask.dialect, ask.name, ask.kind) == (
        "xpilot",
        "seedance-2.0/text-to-video",
        Kind.VIDEO,
    )
    assert ask.prompt == "A cat"
    assert ask.given == {"duration": 8, "ratio": "16:9", "audio": True, "lock_camera": False}
    assert ask.inputs == ()


def test_video_picture_is_its_first_frame():
    assert video(image_url="https://cdn.example/a.png").inputs == (FRAME,)


@pytest.mark.parametrize("absent", ["", None])
def test_blank_picture_and_ratio_are_absent(absent: str | None):
    ask = video(image_url=absent, aspect_ratio=absent)

    assert (ask.inputs, ask.given) == ((), {})


def test_numbers_and_booleans_come_raw_to_the_catalogue():
    # it takes "8" and 8.0 for 8, and refuses 8.5 by name
    assert video(duration="8", generate_audio="true").given == {"duration": "8", "audio": "true"}


@pytest.mark.parametrize("field", ["model", "prompt", "aspect_ratio", "image_url"])
def test_number_for_a_text_is_refused_by_name(field: str):
    with pytest.raises(PorticoError) as caught:
        video(**{field: 5})

    assert (caught.value.code, caught.value.param) == (ErrorCode.INVALID_REQUEST, field)


@pytest.mark.parametrize(
    ("body", "mode", "inputs"),
    [
        # no mode: the inputs decide, later
        ({}, None, ()),
        ({"image_url": "https://a/1"}, None, pictures("https://a/1")),
        ({"image_url": " ", "image_urls": ["", " "]}, None, ()),
        # the single picture goes in front, each address counts once
        (
            {"image_url": "https://a/1", "image_urls": ["https://a/2", "https://a/1"]},
            None,
            pictures("https://a/1", "https://a/2"),
        ),
        ({"mode": "t2i"}, Mode.TEXT, ()),
        ({"mode": "i2i", "image_url": "https://a/1"}, Mode.IMAGE, pictures("https://a/1")),
        ({"mode": "i2i_text", "image_urls": ["https://a/1"]}, Mode.IMAGE, pictures("https://a/1")),
    ],
)
def test_picture_mode_and_inputs(body: dict[str, Any], mode: Mode | None, inputs: object):
    ask = image(model="bytedance/seedream-4.5", prompt="A city", **body)

    assert (ask.kind, ask.mode, ask.inputs) == (Kind.IMAGE, mode, inputs)


def test_unknown_picture_mode_is_refused():
    with pytest.raises(PorticoError) as caught:
        image(mode="i2v")

    assert caught.value.message == "mode must be one of t2i, i2i, i2i_text"


def test_picture_mode_without_pictures_is_refused_in_the_catalogue(catalogue: Catalogue):
    with pytest.raises(PorticoError) as caught:
        catalogue.resolve(image(model="bytedance/seedream-4.5", prompt="A city", mode="i2i"))

    assert (caught.value.code, caught.value.param) == (
        ErrorCode.INVALID_REQUEST,
        "reference_image",
    )


def test_text_mode_with_pictures_is_refused_in_the_catalogue(catalogue: Catalogue):
    ask = image(
        model="bytedance/seedream-4.5", prompt="A city", mode="t2i", image_url="https://a/1"
    )

    with pytest.raises(PorticoError) as caught:
        catalogue.resolve(ask)

    assert caught.value.param == "reference_image"


def test_text_has_the_pages_defaults():
    ask = text(prompt="Hello")

    assert ask.name == "openai/gpt-4o"
    assert ask.messages == (Message("user", "Hello"),)
    assert ask.sampling == {"temperature": 0.7}


def test_text_default_length_is_the_pages(catalogue: Catalogue):
    assert catalogue.resolve_chat(text(prompt="Hello")).max_tokens == 1000


def test_text_takes_system_and_sampling():
    ask = text(model="m", prompt="Hi", system="Be brief", max_tokens=280, temperature=0)

    assert ask.messages == (Message("system", "Be brief"), Message("user", "Hi"))
    assert (ask.max_tokens, ask.sampling) == (280, {"temperature": 0})


@pytest.mark.parametrize("prompt", [None, "", "  "])
def test_text_needs_a_prompt(prompt: str | None):
    with pytest.raises(PorticoError) as caught:
        text(prompt=prompt, system="Be brief")

    assert caught.value.message == "prompt is required"


@pytest.mark.parametrize("temperature", [-0.1, 2.1, "hot"])
def test_temperature_out_of_range_is_refused(catalogue: Catalogue, temperature: object):
    with pytest.raises(PorticoError) as caught:
        catalogue.resolve_chat(text(prompt="Hi", temperature=temperature))

    assert caught.value.param == "temperature"


# --- writing ---------------------------------------------------------------------------------


def accepted(state: TaskState = TaskState.QUEUED, **facts: Any) -> Accepted:
    facts = {"provider_label": "seedance"} | facts
    return Accepted(view(state, **facts), 4_700 * MICRO)


def test_video_answer_has_the_pages_members_in_order():
    answer = plain(render_video(accepted(price=300 * MICRO)))

    assert list(answer.items()) == [
        ("task_id", str(ID)),
        ("status", "processing"),
        ("provider", "seedance"),
        ("poll_url", f"/api/v1/video/{ID}?provider=seedance"),
        ("cost_cents", 300),
        ("remaining_credits_cents", 4700),
    ]


def test_cost_rounds_up_and_balance_down():
    task = view(TaskState.QUEUED, price=300 * MICRO + 1)
    answer = plain(render_video(Accepted(task, 4_700 * MICRO - 1)))

    assert (answer["cost_cents"], answer["remaining_credits_cents"]) == (301, 4699)


def test_provider_label_is_escaped_in_the_poll_url():
    answer = plain(render_video(accepted(provider_label="a b&c")))

    assert answer["poll_url"].endswith("?provider=a%20b%26c")


def test_finished_picture_has_no_poll_url():
    answer = plain(render_image(accepted(TaskState.SUCCEEDED, price=5 * MICRO), PUBLIC_URL))

    assert list(answer.items()) == [
        ("task_id", str(ID)),
        ("status", "completed"),
        ("outputs", [f"{PUBLIC_URL}/files/token/video.mp4"]),
        ("cost_cents", 5),
        ("remaining_credits_cents", 4700),
    ]


@pytest.mark.parametrize("state", UNDER_WAY)
def test_unfinished_picture_says_where_to_ask(state: TaskState):
    answer = plain(render_image(accepted(state, price=5 * MICRO), PUBLIC_URL))

    assert (answer["status"], answer["outputs"]) == ("processing", [])
    assert answer["poll_url"] == f"/api/v1/image/{ID}"


def test_every_state_has_one_of_the_pages_words():
    assert set(STATUS) == set(TaskState)
    assert set(STATUS.values()) == {"processing", "completed", "failed"}


@pytest.mark.parametrize("state", UNDER_WAY)
def test_task_under_way_is_processing(state: TaskState):
    answer = plain(render_status(view(state, provider_label="seedance"), PUBLIC_URL))

    assert list(answer.items()) == [
        ("task_id", str(ID)),
        ("status", "processing"),
        ("outputs", []),
        ("provider", "seedance"),
    ]


def test_finished_task_shows_absolute_addresses():
    task = view(TaskState.SUCCEEDED, outputs=(asset("a.mp4"), asset("b.mp4")))
    answer = plain(render_status(task, PUBLIC_URL))

    assert answer["status"] == "completed"
    assert answer["outputs"] == [
        f"{PUBLIC_URL}/files/token/a.mp4",
        f"{PUBLIC_URL}/files/token/b.mp4",
    ]
    assert "error" not in answer


@pytest.mark.parametrize("state", ENDED_BADLY)
def test_failed_task_carries_a_text(state: TaskState):
    answer = plain(render_status(view(state), PUBLIC_URL))

    assert list(answer) == ["task_id", "status", "outputs", "provider", "error"]
    assert (answer["status"], answer["outputs"]) == ("failed", [])
    assert answer["error"] == ("cancelled" if state is TaskState.CANCELLED else "Generation failed")


def test_text_answer_has_the_pages_members_in_order():
    answer = ChatAnswer(
        task_id=ID,
        model="gpt-4o",
        text="Hi",
        reasoning="",
        finish="stop",
        usage=ChatUsage(15, 42),
        cost=MICRO // 2,
        balance_after=4_694 * MICRO,
        created_at=0,
    )

    assert list(plain(render_text(answer, None)).items()) == [
        ("content", "Hi"),
        ("model", "openai/gpt-4o"),
        ("usage", {"prompt_tokens": 15, "completion_tokens": 42, "total_tokens": 57}),
        ("cost_cents", 1),
        ("remaining_credits_cents", 4694),
    ]


def test_text_answer_repeats_the_model_as_asked():
    answer = ChatAnswer(
        task_id=ID,
        model="gpt-4o",
        text="Hi",
        reasoning="",
        finish="stop",
        usage=ChatUsage(1, 1),
        cost=1,
        balance_after=0,
        created_at=0,
    )

    assert plain(render_text(answer, "gpt-4o"))["model"] == "gpt-4o"


def test_models_show_what_the_catalogue_says_for_show(catalogue: Catalogue):
    offering = catalogue.offering("xpilot:seedance-2.0/text-to-video")
    listed = Listed(offering, price=300 * MICRO, enhance_extra=None)

    models = plain(render_models([listed], [], {"seedance-2.0": "x"}))["models"]

    assert models == {
        "text": [],
        "video": [
            {
                "id": "seedance-2.0/text-to-video",
                "label": "Seedance 2.0",
                "tier": "premium",
                "supports_audio": True,
                "supports_lock_camera": True,
                "durations": [4, 8, 12],
                "cost_cents_per_5s": 300,
                "type": "video",
                "mode": "text-to-video",
                "provider": "seedance",
            }
        ],
        "image": [],
    }


def test_models_of_an_operator_follow_their_parameter_table(catalogue: Catalogue):
    shipped = catalogue.offering("xpilot:wan-2.6/image-to-video")
    listed = Listed(msgspec.structs.replace(shipped, display={}), 50 * MICRO, None)

    (video_model,) = plain(render_models([listed], [], {"wan-2.6": "wan"}))["models"]["video"]

    assert video_model == {
        "id": "wan-2.6/image-to-video",
        "label": "Wan 2.6",
        "tier": "standard",
        "supports_audio": True,
        "supports_lock_camera": False,
        "durations": [5, 10, 15],
        "cost_cents_per_5s": 50,
        "type": "video",
        "mode": "image-to-video",
        "provider": "wan",
    }


def test_text_prices_are_exact_decimals(catalogue: Catalogue):
    offering = catalogue.offering("xpilot:openai/gpt-4o-mini")
    listed = ListedText(offering, input=15 * MICRO, output=60 * MICRO + 1)

    raw = msgspec.json.encode(render_models([], [listed], {}))

    assert b'"cost_cents_per_1k_input_tokens":0.015,' in raw
    assert b'"cost_cents_per_1k_output_tokens":0.060001}' in raw


def test_callback_is_the_status_with_relative_links():
    body = msgspec.json.decode(render_callback(view(TaskState.SUCCEEDED)))

    assert body["outputs"] == ["/files/token/video.mp4"]


@pytest.mark.parametrize(
    ("path", "owned"),
    [
        ("/api/v1/models", True),
        ("/api/v1/video/generate", True),
        ("/api/v1/image/1/2", True),
        ("/api/v1/text", True),
        ("/api/v1/textile", False),
        ("/api/v1/tasks", False),
        ("/v1/models", False),
    ],
)
def test_dialect_owns_its_four_nouns(path: str, owned: bool):
    assert build(Rules()).owns(path) is owned
