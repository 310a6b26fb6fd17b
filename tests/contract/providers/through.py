"""A whole gateway whose only upstream is an emulator, reached through one provider."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec

from portico.core.clock import SystemClock
from portico.core.upstreams import Call, Reply
from portico.emulators.emulator import Emulator
from portico.outbound import UpstreamClient
from portico.providers.base import Credential
from portico.providers.registry import BUILDERS
from tests.contract.gateways import Wired, replace_simulator, started
from tests.contract.providers.cases import LIMITS, Case

SUBMIT = "/portico/v1/tasks"
CHAT = "/v1/chat/completions"
VIDEO = {"model": "seedance-2.0", "prompt": "my words", "params": {"ratio": "16:9"}}
IMAGE = {"model": "seedream-4.5", "prompt": "my words"}
TEXT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "my words"}]}
FINAL = {"succeeded", "failed", "expired", "cancelled"}
SHORT_STEPS, SHORT_STEP_S, LONG_STEP_S = 30, 10, 60
STEPS_MAX = 120


@dataclass(frozen=True)
class Through:
    """The gateway and the emulator."""

    wired: Wired
    emulator: Emulator
    client: "WatchedClient"

    async def end_of(self, task_id: str) -> dict[str, Any]:
        """Let time pass until a task has ended."""
        for number in range(STEPS_MAX):
            shown: dict[str, Any] = (await self.wired.get(f"{SUBMIT}/{task_id}")).json()
            if shown["state"] in FINAL:
                return shown
            step_s = SHORT_STEP_S if number < SHORT_STEPS else LONG_STEP_S
            await self.wired.clock.advance(step_s)
            await asyncio.sleep(0.02)
            await self.client.is_idle.wait()
        message = f"task {task_id} did not end"
        raise AssertionError(message)


class WatchedClient(UpstreamClient):
    """Knows whether a call is under way: no clock of ours hurries the network."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.is_idle = asyncio.Event()
        self.is_idle.set()

    async def send(self, call: Call) -> Reply:
        """Make a call, while time stands still."""
        self.is_idle.clear()
        try:
            return await super().send(call)
        finally:
            self.is_idle.set()


@asynccontextmanager
async def gateway_before(case: Case, folder: Path) -> AsyncIterator[Through]:
    """Start an emulator and a gateway before it."""
    emulator = case.emulator(key=case.secret)
    await emulator.start()
    listed = frozenset({("127.0.0.1", emulator.port)})
    client = WatchedClient(emulator.base_url, private_hosts=listed, limits=LIMITS)
    credential = Credential(
        name="main", base_url=emulator.base_url, secret=case.secret, options=case.options
    )
    provider = BUILDERS[case.provider](credential, client)
    now = SystemClock().now()
    try:
        async with started(folder, private_hosts=emulator.address, now=now) as wired:
            replace_simulator(wired.gateway, tasks=provider, chat=provider)
            with patch.object(wired.gateway.catalogue, "_models", _models(case, wired)):
                yield Through(wired, emulator, client)
    finally:
        await emulator.stop()


def _models(case: Case, wired: Wired) -> dict[str, Any]:
    """Return the catalogue's models, with the words of the case's upstream in their routes."""
    words = {
        VIDEO["model"]: case.video,
        IMAGE["model"]: case.image or case.waited_image,
        TEXT["model"]: case.chat,
    }
    return {
        model.id: _with_word(model, words.get(model.id))
        for model in wired.gateway.catalogue.models()
    }


def _with_word(model: Any, word: str | None) -> Any:
    replace = msgspec.structs.replace
    routes = (replace(each, upstream_model=word or each.upstream_model) for each in model.routes)
    return replace(model, routes=tuple(routes))
