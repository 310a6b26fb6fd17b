"""Files of a request, in all the spellings of Yuanjing's page."""

import io

import pytest
from starlette.datastructures import UploadFile

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Role
from portico.dialects.yuanjing.fields import Fields
from portico.dialects.yuanjing.inputs import find_sources

FIRST, LAST = Role.FIRST_FRAME, Role.LAST_FRAME
PICTURE, FILM, SOUND = Role.REFERENCE_IMAGE, Role.REFERENCE_VIDEO, Role.REFERENCE_AUDIO
A, B, C = "https://a.example/1.png", "http://b.example/2.png", "HTTPS://c.example/3"


def upload(name: str = "a.png", content: bytes = b"x") -> UploadFile:
    return UploadFile(io.BytesIO(content), size=len(content), filename=name)


def found(fields: Fields) -> list[tuple[Role, object]]:
    return [(each.role, each.value) for each in find_sources(fields)]


@pytest.mark.parametrize(
    "name",
    [
        "image1_file",
        "image_file1",
        "image_file",
        "image1",
        "image",
        "image_url",
        "IMAGE1_FILE",
        "image1_file[]",
        "image1_file[0]",
    ],
)
def test_every_spelling_of_the_first_frame(name: str):
    assert found({name: [A]}) == [(FIRST, A)]


@pytest.mark.parametrize("name", ["image2_file", "image_file2", "image2", "image2_file[]"])
def test_every_spelling_of_the_last_frame(name: str):
    assert found({"image1_file": [A], name: [B]}) == [(FIRST, A), (LAST, B)]


def test_last_frame_before_the_first_stays_the_last():
    assert found({"image2_file": [B], "image1_file": [A]}) == [(FIRST, A), (LAST, B)]


def test_repeated_first_frame_fills_both_slots_in_order():
    # the page's Seedance 1.5 example
    assert found({"image1_file": [A, B]}) == [(FIRST, A), (LAST, B)]


def test_two_spellings_of_the_first_frame_fill_both_slots():
    assert found({"image": [A], "image_file1": [B]}) == [(FIRST, A), (LAST, B)]


@pytest.mark.parametrize(
    "fields",
    [
        {"image1_file": [A, B, C]},
        {"image1_file": [A, B], "image2_file": [C]},
        {"image2_file": [A, B]},
        {"image3_file": [A]},
        {"image_file0": [A]},
    ],
)
def test_third_frame_is_refused(fields: Fields):
    with pytest.raises(PorticoError) as caught:
        find_sources(fields)

    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert "only a first and a last frame" in caught.value.message


@pytest.mark.parametrize(
    "fields",
    [
        {"image_files": [A, B]},
        {"image_files[]": [A, B]},
        {"image_files[1]": [B], "image_files[0]": [A]},
        {"image_files": [[A, B]]},  # a JSON array
        {"image_files": [f'["{A}", "{B}"]']},  # the same, as the text of a form
        {"image_files": [A], "image_files[]": [B]},
    ],
)
def test_every_way_to_send_several_references(fields: Fields):
    assert found(fields) == [(PICTURE, A), (PICTURE, B)]


def test_references_of_every_kind():
    fields = {"video_files": [B], "image_files": [A], "audio_files": [C]}

    assert sorted(found(fields)) == sorted([(PICTURE, A), (FILM, B), (SOUND, C)])


@pytest.mark.parametrize("nothing", [None, "", "  ", [], [None, ""], "[]", upload("", b"")])
def test_blank_values_are_no_files(nothing: object):
    assert found({"image1_file": [nothing], "image_files": [nothing]}) == []


def test_uploaded_file_is_kept_as_it_is():
    file = upload()

    assert found({"image1_file": [file]}) == [(FIRST, file)]


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (A, A),
        (C, C),
        (f" {A} ", A),
        ("data:image/png;base64,iVBORw0KGgo=", None),
        ("iVBORw0KGgo=", None),
        ("ftp://a.example/1.png", None),  # neither: refused when it is decoded
    ],
)
def test_text_is_an_address_or_base64(value: str, address: str | None):
    (source,) = find_sources({"image1_file": [value]})

    assert source.address == address


@pytest.mark.parametrize("value", [5, True, {"url": A}, "[1]", '["'])
def test_value_of_another_type_is_refused_by_name(value: object):
    with pytest.raises(PorticoError) as caught:
        find_sources({"image_files[]": [value]})

    assert caught.value.message == "image_files[] must be a file, a URL or base64"


@pytest.mark.parametrize("name", ["imagery", "image_size", "my_image", "images", "prompt", "画像"])
def test_other_fields_are_no_files(name: str):
    assert found({name: [A]}) == []
