"""Ten thousand clients at once spend what there is, and not a credit more."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.crowd import crowd, post
from tests.e2e.running import Server, make_account, running, verify, with_desk

pytestmark = pytest.mark.e2e

SUBMITS = 10_000
CREDITS = 1_000
PICTURE = b'{"model": "portico/picture", "prompt": "a lake"}'  # one credit
EMPTY_HANDED = {  # path, body -> the dialect's own words for an account without credits
    ("/portico/v1/tasks", '{"prompt": "a lake"}'): (
        402,
        {"error": {"code": "insufficient_credits", "message": "Insufficient credits",
                   "param": None}},
    ),
    ("/api/v1/video/generate", '{"model": "seedance-2.0/text-to-video", "prompt": "a lake"}'): (
        402,
        {"error": {"message": "Insufficient credits", "code": "INSUFFICIENT_CREDITS"}},
    ),
    ("/api/v1/generateTask/wan-2-5",
     '{"request_type": "async", "input": {"mode": "text-to-video", "prompt": "a lake"}}'): (
        400,
        {"code": 400, "message": "Insufficient credits", "data": None},
    ),
    ("/llmage/video", '{"llmid": "o5vfXYD5BURJWRTWpopE5", "prompt": "a lake"}'): (
        429,
        {"error": "Insufficient balance"},
    ),
}  # fmt: skip


@pytest.fixture
def serve(data: Path) -> Iterator[Callable[..., Server]]:
    """Start one server whose upstream takes longer than any test."""
    stops = []

    def start(balance: int) -> Server:
        key = make_account(data, balance=balance)
        context = running(
            data,
            key,
            PORTICO_SIMULATE="latency=600s",
            PORTICO_LOG_LEVEL="error",
            PORTICO_APIXO_OPEN_TASKS_MAX="0",
        )
        stops.append(context)
        return context.__enter__()

    yield start
    for context in stops:
        context.__exit__(None, None, None)


def balance_of(server: Server) -> dict[str, Any]:
    return dict(server.get("/portico/v1/balance").json())


def open_tasks(data: Path) -> int:
    from portico import tasks

    async def count(desk: Any) -> int:
        return len(await desk.store.read(tasks.open_ids))

    return int(with_desk(data, count))


@pytest.mark.slow
async def test_ten_thousand_submits_against_a_thousand_credits_accept_a_thousand(serve):
    server = await asyncio.to_thread(serve, CREDITS)
    request = post(server, "/portico/v1/tasks", PICTURE)

    answers = await crowd(server, [request] * SUBMITS)

    assert Counter(status for status, _ in answers) == {202: CREDITS, 402: SUBMITS - CREDITS}
    (refused,) = {body for status, body in answers if status == 402}
    assert json.loads(refused)["error"]["code"] == "insufficient_credits"
    accepted = {json.loads(body)["task"]["id"] for status, body in answers if status == 202}
    assert len(accepted) == CREDITS
    left = {json.loads(body)["balance"] for status, body in answers if status == 202}
    assert left == {str(number) for number in range(CREDITS)}  # every balance was seen once

    assert await asyncio.to_thread(balance_of, server) == {"available": "0", "held": str(CREDITS)}
    assert await asyncio.to_thread(open_tasks, server.data) == CREDITS
    for (path, body), (status, told) in EMPTY_HANDED.items():
        answer = await asyncio.to_thread(server.post, path, data=body)
        assert (answer.status_code, answer.json()) == (status, told), path
    assert await asyncio.to_thread(verify, server.data) == []


async def test_repeats_at_once_are_one_task_and_one_hold(serve):
    server = await asyncio.to_thread(serve, CREDITS)
    request = post(server, "/portico/v1/tasks", PICTURE, idempotency_key="one")

    answers = await crowd(server, [request] * 1_000)

    assert {status for status, _ in answers} == {202}
    assert len({json.loads(body)["task"]["id"] for _, body in answers}) == 1
    assert await asyncio.to_thread(balance_of, server) == {"available": "999", "held": "1"}
    assert await asyncio.to_thread(verify, server.data) == []


async def test_repeats_with_other_bodies_are_refused_and_hold_nothing(serve):
    server = await asyncio.to_thread(serve, CREDITS)
    bodies = [PICTURE.replace(b"lake", b"lake %d" % number) for number in range(5)]
    requests = [
        post(server, "/portico/v1/tasks", bodies[number % 5], idempotency_key="one")
        for number in range(500)
    ]

    answers = await crowd(server, requests)

    assert Counter(status for status, _ in answers) == {202: 100, 409: 400}
    assert await asyncio.to_thread(balance_of, server) == {"available": "999", "held": "1"}


async def test_cancelling_and_submitting_at_once_ends_in_exact_books(serve):
    server = await asyncio.to_thread(serve, 50)
    request = post(server, "/portico/v1/tasks", PICTURE)
    ids = [
        json.loads(body)["task"]["id"]
        for status, body in await crowd(server, [request] * 100)
        if status == 202
    ]
    assert len(ids) == 50
    cancels = [post(server, f"/portico/v1/tasks/{each}/cancel", b"{}") for each in ids]

    answers = await crowd(server, [each for pair in zip(cancels * 2, [request] * 100, strict=True)
                                   for each in pair])  # fmt: skip

    statuses = Counter(status for status, _ in answers)
    assert statuses[200] == 100
    balance = await asyncio.to_thread(balance_of, server)
    assert int(balance["available"]) + int(balance["held"]) == 50
    assert int(balance["held"]) == statuses[202]
    assert await asyncio.to_thread(verify, server.data) == []
