"""Paths and methods nobody serves: the shape of the dialect that owns the path, never a default."""

from typing import Any
from urllib.parse import unquote

import pytest
from httpx2 import Response

from tests.contract.gateways import Wired
from tests.hostile.shapes import check_error, check_refusal
from tests.hostile.standing import standing
from tests.hostile.surface import DIALECTS, DOORS, METHODS, POSTS, Door, owner_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROUTES = sorted({(each.dialect, each.path) for each in DOORS})
REDIRECTS = range(300, 400)
# a path every dialect owns, and what owns what is left
BELOW = {
    "xiaoyang": ("/api/v1/", "/api/v1", "/api/v1/nothing", "/api/v1/me/more", "/api/v1/ME"),
    "xpilot": ("/api/v1/video", "/api/v1/video/", "/api/v1/image/1/2/3", "/api/v1/models/x"),
    "apixo": ("/api/v1/generateTask", "/api/v1/generateTask/", "/api/v1/statusTask/a/b"),
    "yuanjing": ("/llmage", "/llmage/", "/llmage/nothing", "/llmage/v1/chat", "/idfile"),
    "openai": ("/v1", "/v1/", "/v1/nothing", "/v1/chat", "/v1/embeddings", "/v1/responses"),
    "portico": ("/portico/", "/portico/v1", "/nothing", "/api", "/api/v2/me", "/files/", "/v2"),
}
ODD = [
    "{path}/", "/{path}", "{path}//", "{path}/.", "{path}/..", "{path}%00", "{path}%2f",
    "{path}%2F..", "{path}%5c", "{path};a=b", "{path}%3Fa", "{path}%23", "{path}%20", "{path}%ff",
    "{path}%C3%A9",
    "{path}%ED%A0%80", "{path}/%2e%2e/me", "{path}.json", "{path}%0d%0aSet-Cookie:%20a=b",
    "/.{path}", "/..{path}", "/x/..{path}", "{path}/{long}", "{path}%E2%80%AE",
]  # fmt: skip


@pytest.mark.parametrize("dialect", [each.name for each in DIALECTS])
async def test_path_nobody_serves_is_404_in_its_owners_shape(gateway: Wired, dialect: str):
    for path in BELOW[dialect]:
        for method in METHODS:
            answer = await gateway.client.request(method, path)
            expected = {404, 405} | ({400} if path == "/idfile" else set())
            assert check_refusal(dialect, answer)[0] in expected, (method, path)


@pytest.mark.parametrize(("dialect", "path"), ROUTES)
async def test_method_nobody_serves_is_405_and_names_the_others(
    gateway: Wired, dialect: str, path: str
):
    served = {each.method for each in DOORS if each.path == path}
    shown = served | ({"HEAD"} if "GET" in served else set())
    before = await standing(gateway)
    for method in (*METHODS, "FOO"):
        if method in shown:
            continue
        answer = await gateway.client.request(method, path, headers={"authorization": ""})
        status, _ = check_refusal(dialect, answer)
        assert status == 405, method
        assert answer.headers["allow"] == ", ".join(sorted(shown))
    assert await standing(gateway) == before


@pytest.mark.parametrize(("dialect", "path"), ROUTES)
async def test_odd_spelling_of_a_path_is_another_path(gateway: Wired, dialect: str, path: str):
    before = await standing(gateway)
    for form in ODD:
        odd = form.format(path=path, long="a" * 3_000)
        for method in ("GET", "POST"):
            answer = await raw(gateway, method, odd)
            assert answer.status_code not in REDIRECTS
            if answer.status_code == 200:  # a name that ends a path may hold anything
                assert path.startswith(("/v1/models/", "/files/")), odd
            else:
                owner = owner_of(unquote(odd))
                check_refusal(owner.name, answer)
    assert await standing(gateway) == before


@pytest.mark.parametrize("door", [each for each in DOORS if each.method == "GET"], ids=str)
async def test_head_is_the_head_of_get(gateway: Wired, door: Door):
    read = await gateway.client.get(door.path)
    head = await gateway.client.head(door.path)
    assert head.status_code == read.status_code
    assert head.headers["content-type"] == read.headers["content-type"]
    assert head.headers["x-request-id"]


@pytest.mark.parametrize("door", POSTS, ids=str)
async def test_preflight_gets_no_leave(gateway: Wired, door: Door):
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answer = await gateway.client.options(door.path, headers=headers)
    assert check_refusal(door.dialect, answer)[0] == 405
    assert not [each for each in answer.headers if each.startswith("access-control")]


@pytest.mark.parametrize("given", ["ok-1.2_3", "a" * 64])
async def test_plain_request_id_is_the_callers_own(gateway: Wired, given: str):
    answer = await gateway.get("/api/v1/me", headers={"x-request-id": given})
    assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "a" * 65, "a b", "a\tb", "<b>", "a;b", "\xe9", "{{1}}"])
async def test_odd_request_id_is_replaced(gateway: Wired, given: str):
    raw_headers = [(b"x-request-id", given.encode("latin-1"))]
    answer = await gateway.client.get("/api/v1/me", headers=raw_headers)
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] != given


async def test_query_may_hold_anything(gateway: Wired):
    queries = ("?", "?&&&", "?a", "?%", "?%zz", "?%00=%00", "?a[]=1&a[]=2", "?" + "a=b&" * 500)
    for door in DOORS:
        if door.method != "GET":
            continue
        plain = await gateway.get(door.path)
        for query in queries:
            answer = await raw(gateway, "GET", door.path + query)
            assert answer.status_code == plain.status_code, (door.path, query)


@pytest.mark.parametrize("value", ["", "-1", "1e3", "٣", "999", "1000", "9" * 30, "1.5", "x", "\0"])
async def test_query_of_a_submit_is_checked_before_any_debit(gateway: Wired, value: str):
    before = await standing(gateway)
    wait = {"wait": value}
    answer = await gateway.client.post("/portico/v1/tasks", params=wait, json={"prompt": ""})
    assert check_refusal("portico", answer)[0] == 400
    assert await standing(gateway) == before


@pytest.mark.parametrize("value", ["", "0", "-1", "101", "x", "9" * 30, "1.5", "\0", "é"])
async def test_query_of_a_list_is_checked(gateway: Wired, value: str):
    for name in ("limit", "after", "order"):
        answer = await gateway.get("/v1/videos", params={name: value})
        if answer.status_code != 200:
            check_refusal("openai", answer)
    answer = await gateway.get("/portico/v1/tasks", params={"before": value})
    assert answer.status_code == 200


RANGES = [
    "bytes=",
    "bytes=9-1",
    "bytes=-0",
    "bytes=a-b",
    "bytes=0-0,2-3",
    "x=1",
    "bytes=0-" + "9" * 5_000,
]


@pytest.mark.parametrize("value", RANGES)
async def test_odd_range_is_answered_whole_or_refused_in_shape(gateway: Wired, value: str):
    made = await gateway.post("/portico/v1/tasks?wait=60", {"prompt": "a cat"})
    task = made.json()["task"]["id"]
    for dialect, path in (
        ("portico", f"/portico/v1/tasks/{task}/download"),
        ("xiaoyang", f"/api/v1/tasks/{task}/download"),
        ("openai", f"/v1/videos/video_{task}/content"),
    ):
        answer = await gateway.get(path, headers={"range": value})
        if answer.status_code == 416:
            assert answer.headers["content-range"].startswith("bytes */")
            if answer.content:
                check_error(dialect, 416, answer.headers, answer.content)
        else:
            assert answer.status_code in {200, 206}


async def raw(gateway: Wired, method: str, path: str) -> Response:
    """Ask for a path exactly as it is written, which any client would tidy up first."""
    written, _, query = path.partition("?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(written),
        "raw_path": written.encode(),
        "query_string": query.encode(),
        "headers": [(b"authorization", gateway.client.headers["authorization"].encode())],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await gateway.app(scope, receive, send)  # type: ignore[arg-type]
    body = b"".join(each.get("body", b"") for each in sent[1:])
    answer = Response(sent[0]["status"], headers=sent[0]["headers"], content=body)
    answer.request = gateway.client.build_request(method, "/")
    return answer
