"""Sound requests with a few members replaced by anything at all (hypothesis)."""

import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.gateways import Wired
from tests.hostile.standing import judge, standing
from tests.hostile.surface import FIELDS, HEARING, INSIDE, Door, sound

pytestmark = pytest.mark.asyncio(loop_scope="module")
EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "40"))  # more, and other ones, by hand
SEARCH = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize="HOSTILE_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, 5, 5.0, 5.5, -0.0, 1e308, 2**31, 2**63 - 1, -(2**63), 2**63, 10**40,
    "", " ", "5", "-5", "5.5", "1e5", "٥", "true", "null", "\0", "\ud800", "\u202e", "\ufeff",
    "a" * 3_000, "😀" * 300, "a" * 100_000, "'; DROP TABLE tasks; --", "{{7*7}}", "%n", "../etc",
    "http://", "http://[", "http://a:b@c/", "http://127.0.0.1/", "http://\u2488/", "file:///a",
    "data:image/png;base64,", "data:image/png;base64,AAAA", "data:,x", "javascript:alert(1)",
    "https://portico.invalid/a.png", "//x", "16:9", "0:0", "720p", "1x1", "99999x99999", "stream",
    [], {}, [[]], [None], [""], ["a"] * 20, [{}], {"": ""}, {"url": 5}, {"image_url": {"url": []}},
    [{"role": "user"}], [{"role": "user", "content": [{"type": "text"}]}], [{"role": 5}],
    [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": 5}}]}],
    [{"role": "user", "content": [{"text": "a"}, {"text": ["b"]}]}],
    [{"role": "reference_image", "url": "x", "asset_id": None}], {"duration": 10**30},
)  # fmt: skip
ANY = st.sampled_from(NASTY) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
CHANGES = st.dictionaries(st.sampled_from(FIELDS), ANY, min_size=1, max_size=3)
NAMES_INSIDE = sorted({name for names in INSIDE.values() for name in names})
KEYS = st.none() | st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=300)


@pytest.mark.parametrize("door", HEARING, ids=str)
@SEARCH
@given(
    changes=CHANGES,
    inside=st.dictionaries(st.sampled_from(NAMES_INSIDE), ANY, max_size=2),
    own=st.dictionaries(st.integers(0, 9), ANY, max_size=1),
    key=KEYS,
)
async def test_any_value_of_any_field_is_answered_in_shape(
    gateway: Wired, host, door: Door, changes, inside, own, key
):
    body = sound(door, host.url)
    names = list(body)
    changes = changes | {names[at % len(names)]: value for at, value in own.items()}
    for name in INSIDE:
        if isinstance(body.get(name), dict):
            body[name] |= inside
    before = await standing(gateway)
    raw_headers = [(b"content-type", b"application/json")]
    if key is not None:
        raw_headers.append((b"idempotency-key", key.strip().encode("latin-1")))
    answer = await gateway.client.post(
        door.path, content=written(body | changes), headers=raw_headers
    )
    await judge(gateway, door, answer, before)


@pytest.mark.parametrize("door", HEARING, ids=str)
@SEARCH
@given(data=st.data())
async def test_any_damage_to_a_sound_body_is_answered_in_shape(
    gateway: Wired, host, door: Door, data
):
    whole = bytearray(json.dumps(sound(door, host.url)).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    before = await standing(gateway)
    answer = await gateway.post(door.path, bytes(whole))
    await judge(gateway, door, answer, before)


@pytest.mark.parametrize("key", ["", "a" * 256, "a" * 30_000], ids=["empty", "long", "endless"])
async def test_unusable_idempotency_key_is_refused_everywhere(gateway: Wired, host, key):
    before = await standing(gateway)
    for door in HEARING:
        if door.template.endswith(("quote", "/llmage/tasks", "/v1/tasks")):
            continue  # they create nothing
        headers = {"idempotency-key": key}
        answer = await gateway.post(door.path, sound(door, host.url), **headers)
        status = await judge(gateway, door, answer, before, may_work=False)
        assert status == 400, str(door)


async def test_any_printable_idempotency_key_works_once(gateway: Wired, host):
    key = "".join(map(chr, [*range(33, 127), *range(161, 256)]))
    for door in (each for each in HEARING if each.template == "/portico/v1/tasks"):
        headers = [(b"idempotency-key", key.encode("latin-1"))]
        asked: dict[str, Any] = {"json": sound(door, host.url), "headers": headers}
        first = await gateway.client.post(door.path, **asked)
        before = await standing(gateway)
        again = await gateway.client.post(door.path, **asked)
        assert first.json()["task"]["id"] == again.json()["task"]["id"]
        assert await standing(gateway) == before


def written(body: dict[str, Any]) -> bytes:
    """Write JSON with whatever Python's own writer lets through: NaN, infinity, surrogates."""
    return json.dumps(body, ensure_ascii=True).encode()
