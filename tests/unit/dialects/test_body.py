"""Bodies: the quick look at the bytes never lets through what the long one refuses."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request

from portico.core.errors import ErrorCode, PorticoError
from portico.dialects import body
from portico.dialects.body import HAS_WHOLE_BODY, parse_json, read_bytes

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["\0", "a\0b", "\x1f", "é", "1" * 30])
)
VALUES = st.recursive(
    SCALARS,
    lambda below: (
        st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=3), below, max_size=4)
    ),
    max_leaves=20,
)


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@given(value=st.dictionaries(st.text(max_size=3), VALUES, max_size=4), escaped=st.booleans())
@example(value=deep(32), escaped=False)
@example(value=deep(33), escaped=False)
@example(value={"a": 2**63 - 1, "b": -(2**63)}, escaped=False)
@example(value={"a": 2**63}, escaped=False)
@example(value={"a": "[" * 40}, escaped=False)
@example(value={"a": "\0"}, escaped=False)
@example(value={"a": ["x"] * 10_000}, escaped=False)
@example(value={"\0": 1}, escaped=True)
def test_quick_look_at_bytes_agrees_with_long_one(value, escaped):
    raw = json.dumps(value, ensure_ascii=escaped).encode()
    assert refused(raw) == refused_after_long_look(raw)


@pytest.mark.parametrize("raw", [rb'{"a":"\ud800"}', rb'{"a":"\u0000"}', b'{"a":1e400}'])
def test_what_no_database_keeps_is_refused(raw):
    assert refused(raw)


def refused(raw: bytes) -> bool:
    try:
        parse_json(raw)
    except PorticoError:
        return True
    return False


def refused_after_long_look(raw: bytes) -> bool:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(body, "_is_plainly_fine", lambda _: False)
        return refused(raw)


def request(*messages: dict[str, Any], headers: dict[str, str] | None = None) -> Request:
    """Return a request whose server has seen the end of its body."""
    left = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(left)

    named = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return Request({"type": "http", "headers": named, "extensions": {HAS_WHOLE_BODY: {}}}, receive)


def piece(content: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}


async def test_body_in_memory_is_read_in_one_go():
    assert await read_bytes(request(piece(b"{}")), size_max=2) == b"{}"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (piece(b"{} "), ErrorCode.PAYLOAD_TOO_LARGE),  # chunked: no length was declared
        ({"type": "http.disconnect"}, ErrorCode.INVALID_REQUEST),
        (piece(b"{", more=True), ErrorCode.INVALID_REQUEST),
    ],
)
async def test_body_in_memory_is_refused_as_any_other(message, code):
    with pytest.raises(PorticoError) as refusal:
        await read_bytes(request(message), size_max=2)
    assert refusal.value.code is code
