"""What every path of `/v1/` answers when it refuses, and that none of it costs anything."""

import pytest

from portico.flows import administer
from tests.contract.gateways import error

BOAT = {"prompt": "A boat"}
HELLO = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
async def gateway(start):
    return await start(balance="0")


def shown(answer) -> tuple[int, str, str | None]:
    status, body = error(answer)
    assert set(body) == {"error"}
    assert list(body["error"]) == ["message", "type", "param", "code"]
    return status, body["error"]["type"], body["error"]["code"]


async def test_empty_account_is_429_never_to_be_repeated(gateway):
    paths = {"/v1/chat/completions": HELLO, "/v1/images/generations": BOAT, "/v1/videos": BOAT}
    for path, body in paths.items():
        answer = await gateway.post(path, body)
        assert shown(answer) == (429, "insufficient_quota", "insufficient_quota")
        assert answer.headers["x-should-retry"] == "false"
        assert "retry-after" not in answer.headers


async def test_bad_key_is_401(gateway):
    for path in ("/v1/models", "/v1/videos", "/v1/videos/video_1"):
        answer = await gateway.get(path, headers={"authorization": "Bearer nobody"})
        assert shown(answer) == (401, "invalid_request_error", "invalid_api_key")


async def test_suspended_account_is_403(gateway):
    await administer.set_suspended(gateway.desk, gateway.email, suspended=True)

    answer = await gateway.get("/v1/models")

    assert shown(answer) == (403, "invalid_request_error", "account_deactivated")


async def test_unknown_path_is_404_in_shape(gateway):
    for path in ("/v1", "/v1/", "/v1/nothing", "/v1/images/variations"):
        assert shown(await gateway.get(path)) == (404, "invalid_request_error", "unknown_url")


async def test_paths_of_others_keep_their_shape(gateway):
    assert error(await gateway.get("/v1/tasks?taskid=1")) == (404, {"error": "Task not found"})


async def test_wrong_method_is_405_in_shape(gateway):
    answer = await gateway.get("/v1/chat/completions")

    assert shown(answer) == (405, "invalid_request_error", "method_not_supported")
    assert answer.headers["allow"] == "POST"


async def test_body_that_is_no_object_is_400(gateway):
    for path in ("/v1/chat/completions", "/v1/images/edits", "/v1/videos"):
        for body in ("", "{", "[]", '"x"', "null"):
            assert shown(await gateway.post(path, body))[0] == 400


async def test_body_too_large_is_413(gateway):
    answer = await gateway.post("/v1/videos", "{" + " " * (11 * 2**20))

    assert shown(answer)[0] == 413
