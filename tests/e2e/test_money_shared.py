"""Credits, limits and idempotency keys are exact over four processes on one port."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from portico.accounts.model import KeyLimits
from portico.core.money import MICRO
from portico.flows import administer
from tests.e2e.books import fetch
from tests.e2e.crowd import crowd, post
from tests.e2e.house import House
from tests.e2e.running import Server
from tests.postgres import Postgres

pytestmark = pytest.mark.e2e

PROCESSES = 4
SUBMITS = 10_000
CREDITS = 1_000
WITHIN_S = 100.0  # of one crowd; a quiet machine needs a tenth
APIXO_OPEN_MAX = 40
PICTURE = b'{"model": "portico/picture", "prompt": "a lake"}'  # one credit
TASKS = "/portico/v1/tasks"
APIXO_VIDEO = "/api/v1/generateTask/wan-2-5"
VIDEO = b'{"request_type": "async", "input": {"mode": "text-to-video", "prompt": "a lake"}}'
_numbers = count(1)


@pytest.fixture(scope="module")
def four(postgres: Postgres, tmp_path_factory) -> Iterator[tuple[House, Server]]:
    """Four processes whose upstream takes longer than any test."""
    url = postgres.fresh()
    house = House(url, tmp_path_factory.mktemp("four"), balance=CREDITS)
    try:
        yield (
            house,
            house.serve(
                "--workers",
                str(PROCESSES),
                PORTICO_SIMULATE="latency=600s",
                PORTICO_LOG_LEVEL="error",
                PORTICO_APIXO_OPEN_TASKS_MAX=str(APIXO_OPEN_MAX),
            ),
        )
    finally:
        house.stop()
        postgres.drop(url)


@pytest.fixture
def customer(four: tuple[House, Server]) -> Server:
    """The server, with the key of an account of this test's own."""
    house, server = four
    return using(server, house.make_account(CREDITS, f"customer{next(_numbers)}@example.com"))


def using(server: Server, key: str) -> Server:
    return Server(server.process, server.url, key, server.data, server.log)


def limited_key(house: House, **limits: Any) -> str:
    """Make an account with a key that may do only so much."""
    email = f"limited{next(_numbers)}@example.com"
    house.make_account(CREDITS, email)
    made = house.at_desk(
        lambda desk: administer.create_key(desk, email, limits=KeyLimits(**limits))
    )
    return str(made.key)


def balance(server: Server) -> dict[str, str]:
    return dict(server.get("/portico/v1/balance").json())


async def ask(server: Server, requests: list[bytes]) -> tuple[Counter[int], list[Any]]:
    """Send all at once; returns how many got which status, and the bodies of the accepted."""
    answers = await crowd(server, requests, within_s=WITHIN_S)
    accepted = [json.loads(body) for status, body in answers if status in {200, 202}]
    return Counter(status for status, _ in answers), accepted


@pytest.mark.slow
async def test_ten_thousand_submits_to_four_processes_accept_a_thousand(four):
    house, server = four

    statuses, accepted = await ask(server, [post(server, TASKS, PICTURE)] * SUBMITS)

    assert statuses == {202: CREDITS, 402: SUBMITS - CREDITS}
    assert len({each["task"]["id"] for each in accepted}) == CREDITS
    left = {each["balance"] for each in accepted}
    assert left == {str(number) for number in range(CREDITS)}  # every balance was seen once
    assert await asyncio.to_thread(balance, server) == {"available": "0", "held": str(CREDITS)}
    runners = await asyncio.to_thread(
        fetch, house.url, "SELECT runner, count(*) AS number FROM tasks GROUP BY runner"
    )
    assert len(runners) == PROCESSES, runners  # each of them took some
    assert await asyncio.to_thread(house.sound)


async def test_one_key_sent_to_all_at_once_is_one_task_and_one_hold(four, customer):
    request = post(customer, TASKS, PICTURE, idempotency_key="one")

    statuses, accepted = await ask(customer, [request] * 1_000)

    assert statuses == {202: 1_000}
    assert len({each["task"]["id"] for each in accepted}) == 1
    assert await asyncio.to_thread(balance, customer) == {"available": "999", "held": "1"}


async def test_many_keys_sent_several_times_are_one_task_each(four, customer):
    requests = [
        post(customer, TASKS, PICTURE, idempotency_key=str(number % 100)) for number in range(1_000)
    ]

    statuses, accepted = await ask(customer, requests)

    assert statuses == {202: 1_000}
    assert len({each["task"]["id"] for each in accepted}) == 100
    assert await asyncio.to_thread(balance, customer) == {"available": "900", "held": "100"}


async def test_keys_own_limit_of_open_tasks_is_exact_over_all(four):
    house, server = four
    server = using(server, await asyncio.to_thread(limited_key, house, open_tasks_max=30))

    statuses, _ = await ask(server, [post(server, TASKS, PICTURE)] * 1_000)

    assert statuses == {202: 30, 429: 970}
    assert await asyncio.to_thread(balance, server) == {"available": "970", "held": "30"}


async def test_apixos_limit_of_open_tasks_is_exact_over_all(four):
    house, server = four
    key = await asyncio.to_thread(house.make_account, 100 * CREDITS, "videos@example.com")
    server = using(server, key)

    statuses, accepted = await ask(server, [post(server, APIXO_VIDEO, VIDEO)] * 1_000)

    assert statuses == {200: APIXO_OPEN_MAX, 429: 1_000 - APIXO_OPEN_MAX}
    assert len({each["data"]["taskId"] for each in accepted}) == APIXO_OPEN_MAX


async def test_keys_credit_ceiling_is_exact_over_all_and_given_back_on_cancel(four):
    house, server = four
    server = using(server, await asyncio.to_thread(limited_key, house, credits_max=25 * MICRO))
    request = post(server, TASKS, PICTURE)

    statuses, accepted = await ask(server, [request] * 1_000)
    assert statuses == {202: 25, 402: 975}

    tasks = [each["task"]["id"] for each in accepted]
    cancels = [post(server, f"{TASKS}/{each}/cancel", b"{}") for each in tasks[:10] * 3]
    statuses, _ = await ask(server, cancels)
    assert statuses == {200: 30}
    statuses, _ = await ask(server, [request] * 500)

    assert statuses == {202: 10, 402: 490}
    assert await asyncio.to_thread(balance, server) == {"available": "975", "held": "25"}
    assert await asyncio.to_thread(house.sound)
