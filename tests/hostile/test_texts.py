"""Texts whose upstream or whose client goes wrong, as seen over the wire: F21 to F25."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatJob, ChatUsage, Chunk
from portico.flows import administer
from portico.testing import FakeProvider
from tests.contract.gateways import Wired, replace_simulator
from tests.hostile.shapes import check_error, check_refusal
from tests.hostile.standing import Standing, held, standing

pytestmark = pytest.mark.asyncio(loop_scope="module")
OPENAI, YUANJING, XPILOT = (
    "/v1/chat/completions",
    "/llmage/v1/chat/completions",
    "/api/v1/text/generate",
)
ASKED: dict[str, dict[str, Any]] = {
    OPENAI: {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 4_000,
    },
    YUANJING: {"model": "qwen3-max", "prompt": "Hello", "max_tokens": 4_000},
    XPILOT: {"model": "gpt-4o", "prompt": "Hello", "max_tokens": 4_000},
}
DIALECT = {OPENAI: "openai", YUANJING: "yuanjing", XPILOT: "xpilot"}
STREAMED = (OPENAI, YUANJING)
FAILURE = PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
BUG = RuntimeError("secret of an upstream")
WORDS = [Chunk(text=f"word{number} ") for number in range(50)]
ODD_USAGE = {
    "negative": ChatUsage(input_tokens=-5, output_tokens=-7, cached_tokens=-9),
    "huge": ChatUsage(input_tokens=2**62, output_tokens=2**62),
    "beyond 64 bits": ChatUsage(input_tokens=10**30, output_tokens=10**30, cached_tokens=10**31),
    "more cached than read": ChatUsage(input_tokens=5, output_tokens=5, cached_tokens=10**9),
    "nothing": ChatUsage(input_tokens=0, output_tokens=0),
    "fractional": ChatUsage(input_tokens=5.5, output_tokens=7.25),  # type: ignore[arg-type]
    "not a number": ChatUsage(
        input_tokens=float("nan"),  # type: ignore[arg-type]
        output_tokens=float("inf"),  # type: ignore[arg-type]
    ),
    "text": ChatUsage(input_tokens="5", output_tokens="7"),  # type: ignore[arg-type]
    "none": ChatUsage(input_tokens=None, output_tokens=None),  # type: ignore[arg-type]
}


class Endless(FakeProvider):
    """Writes until it is stopped, and notes that it was."""

    def __init__(self) -> None:
        super().__init__(name="simulator")
        self.stopped = asyncio.Event()

    async def stream(self, job: ChatJob, *, model: str) -> AsyncIterator[Chunk]:
        try:
            for number in range(10_000):
                yield Chunk(text=f"word{number} ")
                await asyncio.sleep(0.001)
        finally:
            self.stopped.set()


def write(gateway: Wired, *pieces: Chunk | Exception) -> None:
    replace_simulator(gateway.gateway, chat=FakeProvider(pieces=pieces, name="simulator"))


@pytest.mark.parametrize("path", STREAMED)
@pytest.mark.parametrize("error", [FAILURE, BUG], ids=["failure", "bug"])
async def test_cut_stream_ends_with_an_error_and_costs_what_came(gateway: Wired, path, error):
    write(gateway, *WORDS, error)
    before = await standing(gateway)
    answer = await gateway.post(path, ASKED[path] | {"stream": True})
    assert answer.status_code == 200
    lines = [line for line in answer.text.split("\n\n") if line]
    assert "[DONE]" not in answer.text
    assert "word49" in lines[-2]
    last = lines[-1].removeprefix("data: ").encode()
    headers = {"content-type": "application/json", "x-request-id": "x"}
    assert check_error(DIALECT[path], 200, headers, last) == "Generation failed"
    assert 0 < await paid(gateway, before) < await largest(gateway, path)


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize("error", [FAILURE, BUG], ids=["failure", "bug"])
@pytest.mark.parametrize("pieces", [(), tuple(WORDS)], ids=["at once", "midway"])
async def test_whole_text_that_breaks_is_free(gateway: Wired, path, error, pieces):
    write(gateway, *pieces, error)
    before = await standing(gateway)
    answer = await gateway.post(path, ASKED[path])
    allowed = frozenset({500, 502})
    assert check_refusal(DIALECT[path], answer, statuses=allowed)[1] == "Generation failed"
    assert await paid(gateway, before) == 0


@pytest.mark.parametrize("path", STREAMED)
@pytest.mark.parametrize("error", [FAILURE, BUG], ids=["failure", "bug"])
async def test_stream_that_never_begins_is_refused_with_its_status(gateway: Wired, path, error):
    write(gateway, error)
    before = await standing(gateway)
    answer = await gateway.post(path, ASKED[path] | {"stream": True})
    check_refusal(DIALECT[path], answer, statuses=frozenset({500, 502}))
    assert await paid(gateway, before) == 0


@pytest.mark.parametrize("path", ASKED)
async def test_text_without_usage_is_counted_here(gateway: Wired, path):
    write(gateway, *WORDS)
    before = await standing(gateway)
    answer = await gateway.post(path, ASKED[path])
    assert 50 <= answer.json()["usage"]["completion_tokens"] <= 250
    assert 0 < await paid(gateway, before) <= await largest(gateway, path)


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize("name", ODD_USAGE)
async def test_odd_usage_is_clamped_to_what_was_held(gateway: Wired, path, name):
    write(gateway, *WORDS, Chunk(finish="stop", usage=ODD_USAGE[name]))
    before = await standing(gateway)
    answer = await gateway.post(path, ASKED[path])
    assert answer.status_code == 200, answer.text
    usage = answer.json()["usage"]
    for member in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert isinstance(usage[member], int)
        assert usage[member] >= 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert 0 <= await paid(gateway, before) <= await largest(gateway, path)


@pytest.mark.parametrize("path", STREAMED)
async def test_client_that_leaves_a_stream_stops_the_upstream(gateway: Wired, path):
    endless = Endless()
    replace_simulator(gateway.gateway, chat=endless)
    before = await standing(gateway)
    client = Client(gateway, path, ASKED[path] | {"stream": True}, leaves_after=20)
    await asyncio.wait_for(client.run(), 5)
    await asyncio.wait_for(endless.stopped.wait(), 2)
    assert 0 < await paid(gateway, before) < await largest(gateway, path)
    assert client.status == 200


@pytest.mark.parametrize("path", ASKED)
async def test_client_that_leaves_a_whole_text_pays_once(gateway: Wired, path):
    write(gateway, *WORDS)
    before = await standing(gateway)
    await Client(gateway, path, ASKED[path], leaves_after=0).run()
    assert 0 < await paid(gateway, before) <= await largest(gateway, path)
    assert (await standing(gateway)).tasks == before.tasks + 1


@pytest.mark.parametrize("cancelled", [False, True], ids=["unheard", "cut off"])
@pytest.mark.parametrize("steps", range(0, 30, 3))
async def test_submit_whose_client_left_is_found_by_its_key(
    gateway: Wired, cancelled: bool, steps: int
):
    """However far the request came: once and only once in the end."""
    before = await standing(gateway)
    key = f"left-{cancelled}-{steps}"
    body = {"prompt": "a boat"}
    client = Client(gateway, "/portico/v1/tasks", body, key=key)
    running = asyncio.create_task(client.run())
    for _ in range(steps):
        await asyncio.sleep(0)
    if cancelled:
        running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    answer = await gateway.post("/portico/v1/tasks", body, **{"idempotency-key": key})
    assert answer.status_code in {200, 202}, answer.text
    task = answer.json()["task"]
    await gateway.clock.advance(60)  # a submit that was cut off is looked at a little later
    await gateway.reach(f"/portico/v1/tasks/{task['id']}", ["succeeded"])
    now = await standing(gateway)
    assert now.tasks == before.tasks + 1
    assert before.available - now.available == int(task["price"]) * 1_000_000


async def test_books_add_up_after_all_that(gateway: Wired):
    assert await held(gateway) == 0
    assert await administer.verify(gateway.desk) == []


class Client:
    """A client of the application itself, which can go at any moment."""

    def __init__(
        self,
        gateway: Wired,
        path: str,
        body: dict[str, Any],
        *,
        leaves_after: int = 10**9,
        key: str | None = None,
    ) -> None:
        headers = [(b"authorization", gateway.client.headers["authorization"].encode())]
        if key is not None:
            headers.append((b"idempotency-key", key.encode()))
        self.status = 0
        self._app = gateway.app
        self._body = json.dumps(body).encode()
        self._left = asyncio.Event()
        self._pieces_left = leaves_after
        self._sent = False
        self._scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": headers,
        }

    async def run(self) -> None:
        """Ask, and listen until it is over."""
        await self._app(self._scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if not self._sent:
            self._sent = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        self._pieces_left -= 1
        if self._pieces_left <= 0:
            self._left.set()


async def paid(gateway: Wired, before: Standing) -> int:
    """Wait until nothing is held any more; returns what is gone, in microcredits."""
    for _ in range(300):
        if await held(gateway) == 0:
            break
        await asyncio.sleep(0.01)
    assert await held(gateway) == 0
    return before.available - (await standing(gateway)).available


async def largest(gateway: Wired, path: str) -> int:
    """Return the most a text of these can cost: what was held for the last one."""
    listed = (await gateway.get("/portico/v1/tasks")).json()["tasks"]
    price = next(each["price"] for each in listed if each["kind"] == "text")
    whole, _, fraction = price.partition(".")
    assert re.fullmatch(r"\d{0,6}", fraction)
    return int(whole) * 1_000_000 + int(fraction.ljust(6, "0"))
