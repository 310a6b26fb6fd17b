"""What is read from a picture submit, and how finished pictures look."""

from typing import Any

import msgspec
import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaInput, Role
from portico.core.views import TaskState
from portico.dialects.openai.images import (
    parse_image,
    render_addresses,
    render_images,
    wants_bytes,
)
from tests.unit.dialects.task_views import CREATED_AT, asset, view


def sent(**body: Any) -> dict[str, list[Any]]:
    return {name: [value] for name, value in body.items()}


def test_submit_is_read_under_canonical_names():
    picture = MediaInput(role=Role.REFERENCE_IMAGE, asset_id="ast_1")

    ask = parse_image(sent(model="m", prompt="p", size="512x512", aspect_ratio="1:1"), [picture])

    assert (ask.dialect, ask.name, ask.kind, ask.prompt) == ("openai", "m", Kind.IMAGE, "p")
    assert ask.given == {"size": "512x512", "ratio": "1:1"}
    assert ask.inputs == (picture,)


def test_automatic_size_is_the_models_default():
    assert parse_image(sent(prompt="p", size="auto"), []).given == {}


@pytest.mark.parametrize(
    ("count", "given"), [(1, {}), ("1", {}), (None, {}), (2, {"count": 2}), ("4", {"count": "4"})]
)
def test_more_than_one_picture_is_asked_of_the_catalogue(count: object, given: dict[str, object]):
    assert parse_image(sent(prompt="p", n=count), []).given == given


@pytest.mark.parametrize(
    ("body", "as_bytes"),
    [
        ({}, False),
        ({"model": "portico/picture"}, False),
        ({"model": "gpt-image-2"}, True),
        ({"model": "gpt-image-2", "response_format": "url"}, False),
        ({"response_format": "b64_json"}, True),
        ({"response_format": ""}, False),
    ],
)
def test_bytes_are_answered_where_they_always_were(body: dict[str, str], as_bytes: bool):
    assert wants_bytes(sent(**body)) is as_bytes


def test_unknown_response_format_is_refused():
    with pytest.raises(PorticoError) as refused:
        wants_bytes(sent(response_format="png"))

    assert (refused.value.code, refused.value.param) == (
        ErrorCode.INVALID_REQUEST,
        "response_format",
    )


def test_every_picture_made_is_answered_with_real_format_and_size():
    made = msgspec.structs.replace(asset("a.webp"), media_type="image/webp", width=64, height=32)
    finished = view(TaskState.SUCCEEDED, Kind.IMAGE, outputs=(made, asset("b.webp")))

    body = render_images(finished, render_addresses(finished, "https://portico.test"))

    assert msgspec.to_builtins(body) == {
        "created": CREATED_AT // 1000,
        "data": [
            {"url": "https://portico.test/files/token/a.webp"},
            {"url": "https://portico.test/files/token/b.webp"},
        ],
        "output_format": "webp",
        "size": "64x32",
    }
