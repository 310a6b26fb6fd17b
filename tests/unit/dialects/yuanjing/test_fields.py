"""Fields of a request, however they were sent."""

from typing import Any

import pytest
from starlette.datastructures import UploadFile
from starlette.requests import Request

from portico.core.errors import ErrorCode, PorticoError
from portico.dialects.yuanjing.fields import comparable, field, read_fields, text_field

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


def request(body: bytes, content_type: str | None) -> Request:
    headers = [(b"content-type", content_type.encode())] if content_type else []
    sent = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return sent.pop(0)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    return Request(scope, receive)


def multipart(*parts: tuple[str, bytes]) -> bytes:
    """Write parts; a head that names a file name makes it a file."""
    written = b"".join(
        b"--b\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + body + b"\r\n"
        for head, body in parts
    )
    return written + b"--b--\r\n"


async def fields_of(body: bytes, content_type: str | None) -> dict[str, Any]:
    async with read_fields(request(body, content_type)) as fields:
        return {name: list(values) for name, values in fields.items()}


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", FORM, "text/plain", None],
)
async def test_json_is_read_whatever_it_is_called(content_type: str | None):
    # curl says urlencoded for every -d
    assert await fields_of(b' {"llmid": "x", "n": 5}', content_type) == {"llmid": ["x"], "n": [5]}


async def test_urlencoded_form_repeats_fields():
    body = b"llmid=x&image_files%5B%5D=a&image_files%5B%5D=b&prompt=%E5%B0%8F%E7%8C%AB+1&ratio="

    assert await fields_of(body, FORM) == {
        "llmid": ["x"],
        "image_files[]": ["a", "b"],
        "prompt": ["小猫 1"],
        "ratio": [""],
    }


async def test_multipart_repeats_fields_and_keeps_files():
    body = multipart(
        ('name="prompt"', "小猫".encode()),
        ('name="image_files"; filename="1.jpg"', b"one"),
        ('name="image_files"; filename="2.jpg"', b"two"),
    )

    async with read_fields(request(body, MULTIPART)) as fields:
        files = fields["image_files"]
        assert fields["prompt"] == ["小猫"]
        assert [await each.read() for each in files if isinstance(each, UploadFile)] == [
            b"one",
            b"two",
        ]


@pytest.mark.parametrize("content_type", [None, "application/json", FORM])
async def test_no_body_has_no_fields(content_type: str | None):
    assert await fields_of(b"", content_type) == {}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"[1]", "application/json"),
        (b"llmid=x", "application/json"),
        (b"a=%ff", FORM),
        (b"a=%00", FORM),
        (multipart(('name="a"', b"\0")), MULTIPART),
        (b"no boundary", "multipart/form-data"),
        (multipart(('filename="a"', b"x")), MULTIPART),
        ("&".join(f"a{n}=1" for n in range(200)).encode(), FORM),
    ],
)
async def test_malformed_body_is_refused(body: bytes, content_type: str):
    with pytest.raises(PorticoError) as caught:
        await fields_of(body, content_type)

    assert caught.value.code is ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize(
    ("content_type", "mib_accepted", "mib_refused"),
    [(MULTIPART, 201, 225), ("application/json", 9, 11)],
)
async def test_declared_size_is_checked_before_reading(
    content_type: str, mib_accepted: int, mib_refused: int
):
    body = multipart(('name="a"', b"x")) if content_type == MULTIPART else b"{}"

    async def read(mib: int) -> None:
        sized = request(body, content_type)
        sized.scope["headers"].append((b"content-length", str(mib * 2**20).encode()))
        async with read_fields(sized):
            pass

    await read(mib_accepted)
    with pytest.raises(PorticoError) as caught:
        await read(mib_refused)
    assert caught.value.code is ErrorCode.PAYLOAD_TOO_LARGE


async def test_equal_files_make_requests_comparable():
    seen = []
    for content in (b"one", b"one", b"two"):
        body = multipart(('name="prompt"', b"x"), ('name="image"; filename="1"', content))
        async with read_fields(request(body, MULTIPART)) as fields:
            seen.append(await comparable(fields))

    assert seen[0] == seen[1] != seen[2]
    assert seen[0]["prompt"] == ["x"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [(["a", "b"], "b"), ([""], None), (["  "], None), ([None], None), ([], None)],
)
def test_last_value_counts_and_blank_is_absent(values: list[object], expected: str | None):
    assert text_field({"prompt": values}, "prompt") == expected


@pytest.mark.parametrize("value", [5, True, ["a"], {}])
def test_text_field_of_another_type_is_refused_by_name(value: object):
    with pytest.raises(PorticoError) as caught:
        text_field({"prompt": [value]}, "prompt")

    assert (caught.value.message, caught.value.param) == ("Invalid value for prompt", "prompt")


def test_plain_field_keeps_its_type():
    assert field({"duration": [5.0]}, "duration") == 5.0


async def test_file_in_place_of_a_text_is_refused():
    body = multipart(('name="prompt"; filename="p.txt"', b"x"))
    async with read_fields(request(body, MULTIPART)) as fields:
        with pytest.raises(PorticoError) as caught:
            field(fields, "prompt")

    assert caught.value.message == "Invalid value for prompt"
