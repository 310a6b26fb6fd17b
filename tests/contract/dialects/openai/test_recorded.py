"""Requests as OpenAI's client 3.52.0 put them on the wire, accepted byte for byte.

Recorded against a stub with made-up models and files that are no pictures, so what matters is
that each is understood: only those made-up values are found fault with.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.gateways import PICTURE

RECORDED = [
    json.loads(line)
    for line in (Path(__file__).parent / "recorded.jsonl").read_text("utf-8").splitlines()
]
# what stood in for a model -> one of ours, by path
MODELS = {
    "/v1/chat/completions": "gpt-4o",
    "/v1/images/generations": "portico/picture",
    "/v1/images/edits": "portico/picture",
    "/v1/videos": "portico/scene",
}
# every recorded request in its order: what is answered, and the parameter at fault
OUTCOMES = [
    (200, None),  # create a video, every field
    (200, None),  # with a file
    (200, None),  # read it
    (200, None),  # list
    (404, None),  # its thumbnail: the simulated one has none
    (200, None),  # delete it
    (400, None),  # remix
    (200, None),  # create a video, prompt alone
    (200, None),  # read it
    (400, "n"),  # two pictures at once
    (400, "mask"),  # edit a part of a picture
    (200, None),  # chat
    (200, None),  # chat, streamed
]


def sendable(recorded: dict[str, Any]) -> tuple[str, bytes]:
    """Return path and body with our own model, and with pictures that are pictures."""
    body = recorded["body"].encode()
    model = MODELS.get(recorded["path"], "").encode()
    for made_up in (b'"model":"m"', b'name="model"\r\n\r\nm\r\n', b"any-model"):
        ours = made_up.replace(b'"m"', b'"' + model + b'"') if b'"m"' in made_up else model
        if made_up.endswith(b"\r\nm\r\n"):
            ours = made_up[:-3] + model + b"\r\n"
        body = body.replace(made_up, ours)
    body = body.replace(b"\r\n\r\nxx\r\n", b"\r\n\r\n" + PICTURE + b"\r\n")
    body = body.replace(b"\r\n1x1\r\n", b"\r\n1280x720\r\n")
    return recorded["path"], body


@pytest.fixture
async def gateway(start):
    return await start()


async def test_every_recorded_request_is_understood(gateway):
    made = (await gateway.post("/v1/videos", {"prompt": "A boat"})).json()["id"]
    await gateway.reach(f"/v1/videos/{made}", ["completed"])

    outcomes = []
    for recorded in RECORDED:
        path, body = sendable(recorded)
        path = path.replace("video_1", made).replace("after=v&", "")
        if recorded["method"] == "DELETE":  # the next ones read another
            made = (await gateway.post("/v1/videos", {"prompt": "A boat"})).json()["id"]
        answer = await gateway.client.request(
            recorded["method"], path, content=body, headers=recorded["headers"]
        )
        failed = answer.json()["error"] if answer.is_error else {}
        outcomes.append((answer.status_code, failed.get("param")))

    assert outcomes == OUTCOMES
