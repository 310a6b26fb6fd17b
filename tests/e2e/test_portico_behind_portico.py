"""A task goes through two gateways, in every dialect there is; the money is exact in both.

The one behind is a process of its own, whose models are simulated. The one in front is sold from,
and has the other as its only upstream.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from portico.core.clock import SystemClock
from portico.core.upstreams import Call, Reply, Trouble, UpstreamError
from portico.flows import administer
from portico.flows.connected import Connected
from portico.outbound import UpstreamClient
from portico.providers.base import Credential
from portico.providers.registry import BUILDERS
from tests.contract.gateways import PICTURE, VIDEO, Wired, started
from tests.contract.serving import served
from tests.e2e.running import Server, free_port, make_account, running, verify

TASKS = "/portico/v1/tasks"
START = 10_000
STEPS_MAX = 400
ROUTE = """
[[models]]
id = "{model}"
title = "Relayed"
kind = "{kind}"
provider_label = "relay"
routes = [{{ provider = "{provider}", upstream_model = "{upstream_model}" }}]
"""


@dataclass(frozen=True)
class Way:
    """How a model of the one in front is served by the one behind, and what each charges."""

    provider: str
    path: str  # of the base URL
    model: str
    upstream_model: str
    front: int
    back: int
    params: dict[str, Any] = field(default_factory=dict)
    takes_picture: bool = False
    model_id: str = ""  # in the catalogue, where it differs
    options: dict[str, str] = field(default_factory=dict)  # of the credential


WAYS = (
    Way("xiaoyang", "/api/v1", "seedance-2.0", "seedance_v20", 75, 72, takes_picture=True),
    Way(
        "xpilot", "/api/v1", "seedance-2.0", "seedance-2.0/text-to-video", 120, 300, {"duration": 8}
    ),
    Way("apixo", "/api/v1", "wan-2.5", "wan-2-5", 50, 50),
    Way("yuanjing", "", "seedance-2.0", "doubao-seedance-2-0-260128", 75, 75),
    Way("openai_like", "/v1", "seedance-2.0", "seedance-2.0", 75, 75),
    Way("portico", "", "seedance-2.0", "seedance-2.0", 75, 75),
)
PICTURES = (
    Way("xpilot", "/api/v1", "seedream-4.5", "bytedance/seedream-4.5", 5, 5),
    Way(
        "openai_like", "/v1", "portico/picture", "portico/picture", 1, 1, model_id="portico-picture"
    ),
    Way("portico", "", "seedream-4.5", "seedream-4.5", 5, 5),
)
TEXTS = (
    Way("xpilot", "/api/v1", "gpt-4o", "openai/gpt-4o", 0, 0),
    Way("yuanjing", "", "gpt-4o", "qwen3-max", 0, 0),
    Way("openai_like", "/v1", "gpt-4o", "gpt-4o", 0, 0),
    Way("portico", "", "gpt-4o", "gpt-4o", 0, 0),
)


FOUND = (
    Way("portico", "", "seedance-2.0", "seedance-2.0", 75, 75),
    Way("openai_like", "/v1", "seedance-2.0", "seedance-2.0", 75, 75, options={"keeps_keys": "1"}),
)
LOST = Way("apixo", "/api/v1", "wan-2.5", "wan-2-5", 0, 50)


class ForgetfulClient(UpstreamClient):
    """Carries every call, and loses the answer to the first that begins work."""

    has_forgotten = False

    async def send(self, call: Call) -> Reply:
        reply = await super().send(call)
        if call.once and not self.has_forgotten:
            self.has_forgotten = True
            raise UpstreamError(Trouble.AMBIGUOUS)
        return reply


@dataclass(frozen=True)
class Behind:
    """A running gateway of simulated models, and the port it will be asked to fetch from."""

    server: Server
    front_port: int

    async def balance(self) -> dict[str, str]:
        answer = await asyncio.to_thread(self.server.get, "/portico/v1/balance")
        return dict(answer.json())

    async def is_balanced(self) -> bool:
        return await asyncio.to_thread(verify, self.server.data) == []


@contextmanager
def behind(folder: Path, simulate: str) -> Iterator[Behind]:
    port = free_port()
    fetches = f"127.0.0.1:{port}"
    key = make_account(folder, balance=START)
    with running(folder, key, PORTICO_SIMULATE=simulate, PORTICO_PRIVATE_HOSTS=fetches) as server:
        yield Behind(server, port)


@pytest.fixture(scope="module")
def willing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """One that makes whatever is asked."""
    with behind(tmp_path_factory.mktemp("willing"), "1") as one:
        yield one


@pytest.fixture(scope="module")
def unwilling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """One that takes every task, and refuses every result."""
    with behind(tmp_path_factory.mktemp("unwilling"), "refuse=1") as one:
        yield one


@asynccontextmanager
async def in_front(
    one: Behind,
    way: Way,
    folder: Path,
    kind: str = "video",
    carrier: type[UpstreamClient] = UpstreamClient,
) -> AsyncIterator[Wired]:
    """Start a gateway whose model is served by the one behind."""
    address = one.server.url.removeprefix("http://")
    host, _, port = address.partition(":")
    models = folder / "models"
    models.mkdir()
    text = ROUTE.format(
        model=way.model_id or way.model,
        kind=kind,
        provider=way.provider,
        upstream_model=way.upstream_model,
    )
    (models / "relayed.toml").write_text(text)
    base_url = one.server.url + way.path
    client = carrier(base_url, private_hosts=frozenset({(host, int(port))}))
    credential = Credential(
        name="behind", base_url=base_url, secret=one.server.key, options=way.options
    )
    provider = BUILDERS[way.provider](credential, client)
    async with AsyncExitStack() as stack:

        async def start(**given: Any) -> Wired:
            now = SystemClock().now()
            return await stack.enter_async_context(
                started(
                    folder,
                    now=now,
                    simulate="",
                    balance=str(START),
                    catalogue=str(models),
                    private_hosts=address,
                    **given,
                )
            )

        front = await stack.enter_async_context(served(start, port=one.front_port))
        chat = provider if hasattr(provider, "stream") else None
        connected = Connected("behind", way.provider, tasks=provider, chat=chat)
        front.gateway.gateway.providers.put(connected)
        stack.push_async_callback(provider.close)
        yield front.gateway


async def submit(front: Wired, way: Way) -> str:
    """Ask for a video or a picture in front; returns the task's id."""
    if way.takes_picture:  # which the one behind fetches by a link of ours
        form = {"model": way.model, "prompt": "A lake", "seconds": "5", "size": "1280x720"}
        file = {"input_reference": ("a.png", PICTURE, "image/png")}
        answer = await front.client.post("/v1/videos", data=form, files=file)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"]).removeprefix("video_")
    body = {"model": way.model, "prompt": "A lake", "params": way.params}
    answer = await front.post(TASKS, body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task"]["id"])


async def end_of(front: Wired, task_id: str) -> dict[str, Any]:
    for _ in range(STEPS_MAX):
        shown: dict[str, Any] = (await front.get(f"{TASKS}/{task_id}")).json()
        if shown["state"] in {"succeeded", "failed", "expired", "cancelled"}:
            return shown
        await front.clock.advance(1)
        await asyncio.sleep(0.05)
    message = f"task {task_id} did not end"
    raise AssertionError(message)


async def check_charged(one: Behind, front: Wired, way: Way, content: bytes) -> None:
    """Run one task through both, and look at what each of them charged."""
    before = await one.balance()
    task_id = await submit(front, way)
    shown = await end_of(front, task_id)
    after = await one.balance()

    assert (shown["state"], shown["charged"]) == ("succeeded", str(way.front)), shown
    assert await front.balance() == str(START - way.front)
    assert Decimal(before["available"]) - Decimal(after["available"]) == way.back
    assert after["held"] == "0"
    assert (await front.get(f"{TASKS}/{task_id}/download")).content == content
    assert await administer.verify(front.desk) == []
    assert await one.is_balanced()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.provider)
async def test_video_is_charged_once_in_front_and_once_behind(
    willing: Behind, way: Way, tmp_path: Path
):
    async with in_front(willing, way, tmp_path) as front:
        await check_charged(willing, front, way, VIDEO)


@pytest.mark.parametrize("way", PICTURES, ids=lambda way: way.provider)
async def test_picture_is_charged_once_in_front_and_once_behind(
    willing: Behind, way: Way, tmp_path: Path
):
    async with in_front(willing, way, tmp_path, "image") as front:
        await check_charged(willing, front, way, PICTURE)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.provider)
async def test_refused_video_costs_nothing_in_front_and_nothing_behind(
    unwilling: Behind, way: Way, tmp_path: Path
):
    async with in_front(unwilling, way, tmp_path) as front:
        shown = await end_of(front, await submit(front, way))
        assert (shown["state"], shown["charged"]) == ("failed", "0")
        assert shown["error"]["code"] == "content_refused"
        assert await front.balance() == str(START)
        assert await unwilling.balance() == {"available": str(START), "held": "0"}
        assert await administer.verify(front.desk) == []
        assert await unwilling.is_balanced()


@pytest.mark.parametrize("way", TEXTS, ids=lambda way: way.provider)
async def test_text_costs_in_front_what_the_one_behind_counted(
    willing: Behind, way: Way, tmp_path: Path
):
    question = {"model": way.model, "messages": [{"role": "user", "content": "Who?"}]}
    async with in_front(willing, way, tmp_path, "text") as front:
        before = await willing.balance()
        answer = await front.post("/v1/chat/completions", question)
        assert answer.status_code == 200, answer.text
        usage = answer.json()["usage"]
        cost = 250 * usage["prompt_tokens"] + 1_000 * usage["completion_tokens"]  # of a million
        assert usage["completion_tokens"] > 0
        assert Decimal(await front.balance()) == START - Decimal(cost) / 1_000_000
        assert Decimal((await willing.balance())["available"]) < Decimal(before["available"])
        assert await administer.verify(front.desk) == []
        assert await willing.is_balanced()


@pytest.mark.parametrize("way", FOUND, ids=lambda way: way.provider)
async def test_lost_start_is_found_by_its_key_and_charged_once(
    willing: Behind, way: Way, tmp_path: Path
):
    async with in_front(willing, way, tmp_path, carrier=ForgetfulClient) as front:
        await check_charged(willing, front, way, VIDEO)


async def test_start_that_is_lost_for_good_costs_the_customer_nothing(
    willing: Behind, tmp_path: Path
):
    async with in_front(willing, LOST, tmp_path, carrier=ForgetfulClient) as front:
        before = Decimal((await willing.balance())["available"])
        shown = await end_of(front, await submit(front, LOST))
        assert (shown["state"], shown["charged"]) == ("failed", "0")
        assert await front.balance() == str(START)
        after = await willing.balance()
        assert before - Decimal(after["available"]) - Decimal(after["held"]) == LOST.back
        assert await administer.verify(front.desk) == []
        assert await willing.is_balanced()
