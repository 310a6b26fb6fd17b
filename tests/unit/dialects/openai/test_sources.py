"""Pictures are found however they are written."""

import io
from typing import Any

import pytest
from starlette.datastructures import UploadFile

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Role
from portico.dialects.openai.sources import find_sources

NAMES = ("image", "images")
A, B = "https://example.com/a.png", "HTTPS://example.com/b.png"
FILE = UploadFile(io.BytesIO(b"x"), filename="a.png", size=1)


def found(**fields: list[Any]) -> list[Any]:
    return [each.value for each in find_sources(fields, NAMES, Role.REFERENCE_IMAGE)]


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        ({"image": [A]}, [A]),
        ({"image": [A, B]}, [A, B]),  # a repeated part
        ({"image[]": [A, B]}, [A, B]),
        ({"image[0]": [A], "image[1]": [B]}, [A, B]),
        ({"image": [[A, B]]}, [A, B]),  # an array in JSON
        ({"images": [[{"image_url": A}, {"image_url": {"url": B}}]]}, [A, B]),
        ({"image": [{"url": A}]}, [A]),
        ({"image[image_url]": [A]}, [A]),
        ({"image[0][image_url]": [A]}, [A]),
        ({"image": [f"  {A} "]}, [A]),
        ({"image": [""], "images": [None, []]}, []),
        ({"picture": [A], "image.x": [A]}, []),
        ({"image": [FILE]}, [FILE]),
        ({"image": [UploadFile(io.BytesIO(), filename="", size=0)]}, []),  # an unfilled form
    ],
)
def test_picture_is_found(fields: dict[str, list[Any]], values: list[Any]):
    assert found(**fields) == values


@pytest.mark.parametrize(
    "value", [5, True, {}, {"image_url": 5}, {"image_url": {"url": 5}}, {"image_url": None}]
)
def test_what_can_be_no_picture_is_refused_by_name(value: object):
    with pytest.raises(PorticoError) as refused:
        found(image=[value])

    assert (refused.value.code, refused.value.param) == (ErrorCode.INVALID_REQUEST, "image")


@pytest.mark.parametrize(
    "fields", [{"image": [{"file_id": "file-1"}]}, {"image[file_id]": ["file-1"]}]
)
def test_file_id_is_refused(fields: dict[str, list[Any]]):
    with pytest.raises(PorticoError) as refused:
        found(**fields)

    assert (refused.value.code, refused.value.param) == (ErrorCode.UNSUPPORTED_OPTION, "image")


def test_only_web_addresses_are_addresses():
    sources = find_sources(
        {"image": [A, B, "ftp://example.com/a", "aGVsbG8="]}, NAMES, Role.GARMENT
    )

    assert [each.address for each in sources] == [A, B, None, None]
    assert {each.role for each in sources} == {Role.GARMENT}
