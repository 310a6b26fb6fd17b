"""A whole gateway inside the test's own process: wired as in production, on a clock that stands.

Every model is served by one scripted upstream, so a test decides how far a task is. Only the
upstream, the clock and the network around it are made up.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from httpx2 import ASGITransport, AsyncClient, Response

from portico.app import App
from portico.core.clock import Instant
from portico.core.money import parse_credits
from portico.flows import administer
from portico.flows.administer import Desk
from portico.flows.connected import Connected
from portico.flows.gateway import Gateway
from portico.providers.base import ChatProvider, Finished, OutputFile, Pending, TaskProvider
from portico.settings import Settings
from portico.testing import FakeClock, FakeProvider, make_database
from portico.testing.provider import Answer

PUBLIC_URL = "https://portico.test"
NOW = 1_767_965_610_929  # createTime of APIXO's sample; before any file's own time on a disk
UNDER_WAY = Pending("job-1", check_after_s=3_600)
WAITING = Pending("job-1", running=False, check_after_s=3_600)
_SAMPLES = Path(str(files("portico.providers") / "samples"))
PICTURE = (_SAMPLES / "simulated.png").read_bytes()
VIDEO = (_SAMPLES / "simulated.mp4").read_bytes()
_TASK_ID = re.compile(r"\b\d{15,19}\b|(?<=task_)\d{15,19}\b")
_TOKEN = re.compile(r"(?<=/files/)[^/\"\\]+(?=/)")
_TRIES = 500


def made(name: str = "simulated.mp4") -> Finished:
    """Return what an upstream answers that has made a small real file."""
    return Finished(outputs=(OutputFile("output", path=_SAMPLES / name),))


def replace_simulator(
    gateway: Gateway, *, tasks: TaskProvider | None = None, chat: ChatProvider | None = None
) -> None:
    """Have another provider do what every model of these gateways goes to."""
    known = gateway.providers.get("simulator")
    assert known is not None
    gateway.providers.put(
        Connected(
            "simulator",
            "simulator",
            tasks=tasks or known.tasks,
            chat=chat or known.chat,
            is_built_in=True,
        )
    )


@dataclass(slots=True)
class Wired:
    """A started gateway, and a client that holds a key of an account with credits."""

    app: App
    client: AsyncClient
    clock: FakeClock
    upstream: FakeProvider
    desk: Desk
    email: str

    @property
    def gateway(self) -> Gateway:
        assert self.app.gateway is not None
        return self.app.gateway

    async def get(self, path: str, **given: Any) -> Response:
        return await self.client.get(path, **given)

    async def post(self, path: str, body: Any, **headers: str) -> Response:
        """Post JSON: a string goes as it is."""
        if isinstance(body, str | bytes):
            return await self.client.post(path, content=body, headers=headers)
        return await self.client.post(path, json=body, headers=headers)

    def answers(self, *script: Answer) -> None:
        """Let the upstream answer this from now on; the last one again and again."""
        self.upstream._script[:] = script

    async def reach(self, path: str, words: Iterable[str], *, wake: bool = False) -> Response:
        """Read a task until its answer holds one of the words."""
        answer = await self.get(path)
        for _ in range(_TRIES):
            if any(f'"{word}"' in answer.text for word in words):
                return answer
            if wake and (found := _TASK_ID.search(path)):
                self.gateway.engine.wake(int(found[0]))
            await asyncio.sleep(0.01)
            answer = await self.get(path)
        message = f"{path} never said {words}: {answer.text}"
        raise AssertionError(message)

    async def balance(self) -> str:
        """Return what is left, as Portico's own dialect writes it."""
        answer = await self.get("/portico/v1/balance")
        return str(answer.json()["available"])


def told(answer: Response) -> str:
    """Return an answer's very text, with placeholders for what differs from run to run."""
    return _TOKEN.sub("TOKEN", _TASK_ID.sub("TASK_ID", answer.text))


def error(answer: Response) -> tuple[int, Any]:
    """Return status and body of an error, after checking what every answer must have."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    return answer.status_code, answer.json()


@asynccontextmanager
async def started(
    folder: Path,
    *,
    balance: str = "1000",
    script: Iterable[Answer] = (),
    now: Instant = NOW,
    **settings: Any,
) -> AsyncIterator[Wired]:
    """Start a gateway with one account and one key; stop it at the end."""
    clock = FakeClock(now)
    given = {"public_url": PUBLIC_URL, "simulate": "1"} | settings
    settled = Settings(data=str(folder / "data"), **given)
    if not settled.database_url:
        settled.folder.mkdir(mode=0o700)
        make_database(settled.folder / "portico.db")
    app = App(settled, clock=clock)
    await app.start()
    assert app.gateway is not None
    upstream = FakeProvider(script or [made()], name="simulator", restartable=True)
    replace_simulator(app.gateway, tasks=upstream)
    desk = Desk(store=app.gateway.store, clock=clock, ids=app.gateway.ids)
    email = "customer@example.com"
    await administer.create_account(desk, email, amount=parse_credits(balance))
    key = await administer.create_key(desk, email)
    headers = {"authorization": f"Bearer {key.key}"}
    transport = ASGITransport(app, raise_app_exceptions=True)
    async with AsyncClient(transport=transport, base_url=PUBLIC_URL, headers=headers) as client:
        try:
            yield Wired(app, client, clock, upstream, desk, email)
        finally:
            await app.stop()
