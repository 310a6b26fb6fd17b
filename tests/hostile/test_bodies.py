"""Bodies that are no JSON, or JSON of the wrong kind, at every door that takes one."""

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest

from tests.contract.gateways import Wired
from tests.hostile.standing import judge, standing
from tests.hostile.surface import DEAF, HEARING, POSTS, SOUND, WORKING, Door, sound

pytestmark = pytest.mark.asyncio(loop_scope="module")
DEEP = 33
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=x"
END = "--x--\r\n"
PLAIN = b'{"model":"gpt-4o"}'

BROKEN: dict[str, bytes] = {
    "empty": b"",
    "blank": b"  \r\n",
    "null": b"null",
    "array": b"[]",
    "text": b'"a cat"',
    "number": b"5",
    "two objects": PLAIN * 2,
    "UTF-16": PLAIN.decode().encode("utf-16"),
    "UTF-16 without BOM": PLAIN.decode().encode("utf-16-le"),
    "UTF-32": PLAIN.decode().encode("utf-32"),
    "endless nesting": b"[" * 100_000,
    "pickle": b"\x80\x04\x95.",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "YAML": b"!!python/object/apply:os.system [id]",
}
# put in front of a sound body's members, under a name nobody knows
MEMBERS: dict[str, bytes] = {
    "trailing comma": b",",
    "no value": b'"x":,',
    "single quotes": b"'x':1,",
    "comment": b"/* */",
    "bad UTF-8": b'"x":"\xff\xfe",',
    "overlong UTF-8": b'"x":"\xc0\xaf",',
    "surrogate in UTF-8": b'"x":"\xed\xa0\x80",',
    "lone surrogate": b'"x":"\\ud800 cat",',
    "lone low surrogate": b'"x":"\\udc00",',
    "surrogate as a name": b'"\\udfff x":"a",',
    "NUL in a text": b'"x":"a\\u0000b",',
    "NUL in a name": b'"a\\u0000b":"a",',
    "NUL deep inside": b'"x":[{"y":["a\\u0000b"]}],',
    "raw NUL": b'"x":"a\0b",',
    "raw line break": b'"x":"a\nb",',
    "NaN": b'"x":NaN,',
    "infinity": b'"x":-Infinity,',
    "beyond doubles": b'"x":1e999,',
    "beyond 64 bits": b'"x":123456789012345678901234567890,',
    "beyond 64 bits below": b'"x":[-9223372036854775809],',
    "5000 digits": b'"x":' + b"9" * 5_000 + b",",
    "nested arrays": b'"x":' + b"[" * DEEP + b"]" * DEEP + b",",
    "nested objects": b'"x":' + b'{"x":' * DEEP + b"1" + b"}" * DEEP + b",",
    "endless nesting": b'"x":' + b"[" * 100_000 + b"]" * 100_000 + b",",
    "many members": b'"x":[' + b"1," * 10_000 + b"1],",
}
HEADERS: dict[str, tuple[int, dict[str, str]]] = {
    "gzip": (415, {"content-encoding": "gzip"}),
    "brotli": (415, {"content-encoding": "br"}),
    "two codings": (415, {"content-encoding": "identity, gzip"}),
    "UTF-16 said": (415, {"content-type": f"{JSON}; charset=utf-16"}),
    "UTF-7 said": (415, {"content-type": f"{JSON}; charset=UTF-7"}),
    "codec that is none": (415, {"content-type": f'{JSON}; charset="rot13"'}),
    "form in UTF-16": (415, {"content-type": f"{PARTS}; charset=utf-16"}),
    "declared too large": (413, {"content-length": str(2**40)}),
    "length of many digits": (413, {"content-length": "9" * 5_000}),
    "superscript length": (400, {"content-length": "\xb2"}),
}


def part(headers: str, body: str = "a") -> str:
    return f"--x\r\n{headers}\r\n\r\n{body}\r\n"


def named(name: str) -> str:
    return f'Content-Disposition: form-data; name="{name}"'


FILE = named("file") + '; filename="a.png"'
# put behind the parts of a sound form
BAD_PARTS: dict[str, str] = {
    "without its end": "",
    "part without a name": part("A: b") + END,
    "part without headers": "--x\r\n\r\na\r\n" + END,
    "other boundary": "--y\r\n\r\na\r\n--y--\r\n",
    "garbage": "".join(map(chr, range(256))),
    "NUL in a part": part(named("x"), "a\0b") + END,
    "NUL in a name": part(named("a\0b")) + END,
    "too many parts": part(named("x")) * 101 + END,
    "too many files": part(FILE) * 101 + END,
    "too many headers": part("A: b\r\n" * 40 + named("x")) + END,
    "large header": part(f"A: {'a' * 20_000}\r\n{named('x')}") + END,
}
BAD_FIELDS: dict[str, bytes] = {
    "too many": b"&x=a" * 101,
    "bad UTF-8": b"&x=%ff%fe",
    "NUL": b"&x=a%00b",
    "NUL in a name": b"&a%00b=c",
    "surrogate": b"&x=%ed%a0%80",
}


@pytest.mark.parametrize("door", HEARING, ids=str)
async def test_what_is_no_json_object_is_refused(gateway: Wired, host, door: Door):
    before = await standing(gateway)
    whole = json.dumps(sound(door, host.url)).encode()
    bodies = [*BROKEN.values(), b"\xef\xbb\xbf" + whole, whole[:-1], whole + b"x"]
    bodies += [b"{" + member + whole[1:] for member in MEMBERS.values()]
    for body in bodies:
        answer = await gateway.post(door.path, body, **{"content-type": JSON})
        assert await judge(gateway, door, answer, before, may_work=False) == 400, body[:80]


@pytest.mark.parametrize("door", HEARING, ids=str)
async def test_what_its_headers_make_unreadable_is_refused(gateway: Wired, host, door: Door):
    before = await standing(gateway)
    for name, (status, headers) in HEADERS.items():
        raw = [(key.encode(), value.encode("latin-1")) for key, value in headers.items()]
        body = json.dumps(sound(door, host.url))
        answer = await gateway.client.post(door.path, content=body, headers=raw)
        assert await judge(gateway, door, answer, before, may_work=False) == status, name


@pytest.mark.parametrize("door", HEARING, ids=str)
async def test_bad_form_is_refused(gateway: Wired, host, door: Door):
    """Sound but for one thing where forms are taken; no JSON anywhere else."""
    before = await standing(gateway)
    fields = {name: str(value) for name, value in sound(door, host.url).items()}
    parts = "".join(part(named(name), value) for name, value in fields.items())
    forms = [(PARTS, (parts + bad).encode("latin-1")) for bad in BAD_PARTS.values()]
    forms += [(PARTS, b""), (PARTS, b"hello"), (PARTS, bytes(range(256)) * 4)]
    forms += [("multipart/form-data", parts.encode()), (PARTS[:-1], parts.encode())]
    forms += [(FORM, urlencode(fields).encode() + bad) for bad in BAD_FIELDS.values()]
    for content_type, body in forms:
        answer = await gateway.post(door.path, body, **{"content-type": content_type})
        status = await judge(gateway, door, answer, before, may_work=False)
        assert status == 400, (content_type, body[-80:])


@pytest.mark.parametrize("door", [each for each in POSTS if each.template in DEAF], ids=str)
async def test_door_that_reads_no_body_refuses_all_the_same(gateway: Wired, door: Door):
    before = await standing(gateway)
    for body in BROKEN.values():
        answer = await gateway.post(door.path, body, **{"content-type": JSON})
        await judge(gateway, door, answer, before, may_work=False)


async def test_every_door_is_known_here():
    """A new route that takes a body needs a sound one in `surface.SOUND`."""
    assert {each.template for each in POSTS} == {*SOUND, *DEAF}


@pytest.mark.parametrize("door", HEARING, ids=str)
async def test_endless_body_is_cut_at_its_limit(gateway: Wired, door: Door):
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'{"prompt":"'
        while True:
            sent += 64 * 1024
            yield b"a" * 64 * 1024

    before = await standing(gateway)
    answer = await gateway.client.post(door.path, content=body())
    assert await judge(gateway, door, answer, before, may_work=False) == 413
    assert sent <= 11 * 2**20


@pytest.mark.parametrize("kind", [JSON, PARTS, FORM])
async def test_body_that_comes_too_slowly_is_cut(gateway: Wired, monkeypatch, kind: str):
    monkeypatch.setattr("portico.dialects.body._TIME_BASE_S", 0.05)

    async def slow() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    before = await standing(gateway)
    for door in HEARING:
        headers = {"content-type": kind}
        answer = await gateway.client.post(door.path, content=slow(), headers=headers)
        assert await judge(gateway, door, answer, before, may_work=False) == 400


@pytest.mark.parametrize("door", WORKING, ids=str)
async def test_content_type_is_no_reason_to_refuse_json(gateway: Wired, host, door: Door):
    raw = json.dumps(sound(door, host.url))
    for headers in ({}, {"content-type": "text/plain"}, {"content-type": "image/png; q=x;;"}):
        answer = await gateway.post(door.path, raw, **headers)
        assert answer.status_code in {200, 202}, answer.text


@pytest.mark.parametrize("door", WORKING, ids=str)
async def test_last_of_two_members_counts(gateway: Wired, host, door: Door):
    whole = sound(door, host.url)
    wrong = json.dumps(dict.fromkeys(whole, 1.5))
    answer = await gateway.post(door.path, wrong[:-1] + "," + json.dumps(whole)[1:])
    assert answer.status_code in {200, 202}, answer.text
