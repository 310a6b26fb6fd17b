"""A sealed row makes a running gateway call an upstream: added, rotated, removed while it runs."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from portico.app import provider_builder
from portico.core.clock import SystemClock
from portico.credentials import Change, Seal
from portico.emulators.ark import ArkEmulator
from portico.emulators.emulator import Emulator
from portico.flows import credentials
from portico.flows.credentials import Draft, Workshop
from tests.contract.gateways import Wired, started
from tests.contract.serving import served

SUBMIT = "/portico/v1/tasks"
MODEL = """
[[models]]
id = "acme-video"
title = "Acme"
kind = "video"
provider_label = "acme"
routes = [{ provider = "ark", upstream_model = "doubao-seedance-2-0-260128" }]

[shapes.acme.params]
duration = { values = [5, 10], default = 5 }
[shapes.acme.modes.text]

[[offerings]]
dialects = ["portico"]
name = "acme/video"
model = "acme-video"
shape = "acme"
price = "7"
"""
VIDEO = {"model": "acme/video", "prompt": "my words"}


@dataclass(frozen=True)
class Connecting:
    """A gateway without upstreams, and an emulator to connect."""

    wired: Wired
    emulator: Emulator
    shop: Workshop

    async def add(self, secret: str) -> None:
        draft = Draft(name="main", provider="ark", base_url=self.emulator.base_url, secret=secret)
        await credentials.add(self.wired.desk, self.shop, draft)
        await self.noticed()

    async def noticed(self) -> None:
        """Let the gateway find out at once, as it does where it is told."""
        changed = self.wired.gateway.providers.changed
        changed.set()
        while changed.is_set():  # noqa: ASYNC110 - cleared just before it looks
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)

    async def made(self) -> Any:
        """Ask for a video, and return the task at its end."""
        answer = await self.wired.post(SUBMIT, VIDEO)
        if answer.status_code != 202:
            return answer.json()
        path = f"{SUBMIT}/{answer.json()['task']['id']}"
        shown = (await self.wired.get(path)).json()
        for _ in range(100):
            if shown["state"] in {"succeeded", "failed"}:
                break
            await self.wired.clock.advance(5)
            await asyncio.sleep(0.02)
            shown = (await self.wired.get(path)).json()
        return shown


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    running = ArkEmulator(key="sk-canary-first")
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
def settings(tmp_path: Path, emulator: Emulator) -> dict[str, Any]:
    """What a gateway has to be told: a model that goes to Ark, and where that may be."""
    folder = tmp_path / "catalogue"
    folder.mkdir()
    (folder / "acme.toml").write_text(MODEL)
    return {
        "simulate": "",
        "catalogue": str(folder),
        "private_hosts": emulator.address,
        "now": SystemClock().now(),
    }


def workshop(wired: Wired) -> Workshop:
    """Return what the gateway's own commands would make credentials with."""
    return Workshop(
        seal=Seal(wired.gateway.server_secret),
        build=provider_builder(wired.app.settings, wired.clock),
        reserved=frozenset({"local", "simulator"}),
    )


@pytest.fixture
async def connecting(tmp_path, emulator, settings) -> AsyncIterator[Connecting]:
    async with started(tmp_path, **settings) as wired:
        yield Connecting(wired, emulator, workshop(wired))


async def test_credential_added_while_running_serves_and_can_be_rotated(connecting: Connecting):
    assert "error" in await connecting.made()  # nobody to ask yet
    await connecting.add("sk-canary-first")
    assert (await connecting.made())["state"] == "succeeded"

    connecting.emulator.key = "sk-canary-second"
    assert (await connecting.made())["state"] == "failed"
    await credentials.change(
        connecting.wired.desk, connecting.shop, "main", Change(), secret="sk-canary-second"
    )
    await connecting.noticed()
    assert (await connecting.made())["state"] == "succeeded"

    await credentials.remove(connecting.wired.desk, "main")
    await connecting.noticed()
    assert "error" in await connecting.made()


async def test_upstream_is_told_where_to_call_back(connecting: Connecting):
    await connecting.add("sk-canary-first")
    await connecting.made()
    (url,) = {job.body["callback_url"] for job in connecting.emulator.jobs.values()}
    assert url.startswith("https://portico.test/hooks/")
    assert "sk-canary" not in url
    assert "main" not in url


async def test_callback_of_an_upstream_ends_a_task_of_which_nobody_would_have_asked(
    start, emulator, settings
):
    emulator.latency_s = 0.3
    async with served(start, **settings) as serving:  # on a clock that stands: no look is ever due
        wired = serving.gateway
        await Connecting(wired, emulator, workshop(wired)).add("sk-canary-first")
        answer = await wired.post(SUBMIT, VIDEO)
        path = f"{SUBMIT}/{answer.json()['task']['id']}"
        shown = await wired.reach(path, ["succeeded", "failed"])
        assert shown.json()["state"] == "succeeded"


async def test_database_and_answers_hold_no_secret_in_clear(connecting: Connecting, tmp_path):
    await connecting.add("sk-canary-first")
    shown = await connecting.made()
    pages = [(await connecting.wired.get(path)).text for path in ("/", "/metrics", "/healthz")]
    assert "canary" not in f"{shown}{pages}"
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert any(path.name.startswith("portico.db") for path in files)
    assert [path for path in files if b"sk-canary" in path.read_bytes()] == []
