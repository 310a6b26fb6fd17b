"""Flows called by hand: real parts and a real database, a scripted upstream, time that stands.

Nothing runs by itself. A task moves when a test makes its next step.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from portico import accounts, catalogue, delivery, ledger, moderation, tasks
from portico.accounts import KeyLimits
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import TaskId
from portico.core.jobs import ChatAsk, MediaAsk, Message
from portico.core.money import MICRO, Credits
from portico.core.views import Caller
from portico.delivery import Delivery
from portico.engines import Runner
from portico.flows import administer, claim, submit
from portico.flows.administer import Desk
from portico.flows.connected import Connected, Providers
from portico.flows.gateway import Gateway, Limits
from portico.flows.run import step
from portico.flows.submit import Terms
from portico.ledger import Balance
from portico.media import service as media
from portico.media.folder import FolderStorage
from portico.media.inspection import Inspector
from portico.media.links import Links
from portico.media.model import Asset
from portico.outbound import Door
from portico.outbound.door import Peek, PostAnswer
from portico.providers.base import Finished, OutputFile, Pending
from portico.rates import RateLimiter
from portico.store import Store
from portico.tasks import Attempt, Task
from portico.testing import START, FakeClock, FakeProvider, add_account, seeded_ids

SAMPLES = Path(str(files("portico.providers") / "samples"))
PICTURE = (SAMPLES / "simulated.png").read_bytes()
VIDEO = (SAMPLES / "simulated.mp4").read_bytes()
CREDITS = 1_000 * MICRO
SCENE = MediaAsk(dialect="portico", name="portico/scene", prompt="the sea")
PICTURE_ASK = MediaAsk(dialect="portico", name="portico/picture", prompt="the sea")
UNDER_WAY = Pending("job-1", progress=0.5, check_after_s=5)
MADE = Finished(outputs=(OutputFile("output", path=SAMPLES / "simulated.mp4"),))
_CATALOGUE = catalogue.load()
_BLOCKLIST = moderation.load(None)


def chat_ask(text: str = "Hello", **other: Any) -> ChatAsk:
    """Return an ask for a text of at most 100 LLM tokens."""
    given: dict[str, Any] = {"dialect": "portico", "name": "portico-echo", "max_tokens": 100}
    return ChatAsk(messages=(Message("user", text),), **given | other)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that happens in other tasks or threads."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - there is no event for every condition
            await asyncio.sleep(0.002)


@dataclass(slots=True)
class FakeEngine:
    """Remembers who was woken."""

    woken: list[TaskId] = field(default_factory=list)
    nudged: list[TaskId] = field(default_factory=list)

    def wake(self, task_id: TaskId, *, after_s: float = 0.0) -> None:
        self.woken.append(task_id)

    def nudge(self, task_id: TaskId) -> None:
        self.nudged.append(task_id)

    def forget_all(self) -> None:
        self.woken.clear()


@dataclass(slots=True)
class FakeDoor:
    """The network: files by URL, and receivers that answer from a script."""

    files: dict[str, bytes] = field(default_factory=dict)
    failures: int = 0  # so many downloads fail before one works
    downloads: list[str] = field(default_factory=list)
    posts: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    answers: list[PostAnswer | Exception] = field(default_factory=list)  # the last one for ever

    async def check_target(self, url: str) -> None:
        if "private" in url:
            raise PorticoError(ErrorCode.MEDIA_UNREACHABLE, "Cannot fetch this URL")

    def is_public(self, url: str) -> bool:
        return "listed" not in url

    async def peek(self, url: str, **_: object) -> Peek:
        body = self._found(url)
        return Peek(200, body[:4096], "", len(body))

    async def download(self, url: str, to: Path, *, size_max_bytes: int, **_: object) -> int:
        self.downloads.append(url)
        if self.failures:
            self.failures -= 1
            raise PorticoError(ErrorCode.MEDIA_UNREACHABLE, "Cannot fetch this URL")
        body = self._found(url)
        if len(body) > size_max_bytes:
            raise PorticoError(ErrorCode.MEDIA_UNREACHABLE, "Cannot fetch this URL")
        await asyncio.to_thread(to.write_bytes, body)
        return len(body)

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> PostAnswer:
        self.posts.append((url, body, dict(headers)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _found(self, url: str) -> bytes:
        if url not in self.files:
            raise PorticoError(ErrorCode.MEDIA_UNREACHABLE, "Cannot fetch this URL")
        return self.files[url]


class FailingStorage:
    """A storage that is away for a while, in front of a real one."""

    def __init__(self, real: FolderStorage) -> None:
        self.real = real
        self.failures = 0

    async def put_file(self, path: Path, key: str) -> None:
        if self.failures:
            self.failures -= 1
            raise PorticoError(ErrorCode.OVERLOADED, "Storage is away")
        await self.real.put_file(path, key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class FailingStore:
    """A database that cannot be written to for a while, in front of a real one."""

    def __init__(self, real: Store) -> None:
        self.real = real
        self.failures = 0

    async def write(self, work: Callable[[Any], Any], *, lane: object = None) -> Any:
        if self.failures:
            self.failures -= 1
            raise PorticoError(ErrorCode.OVERLOADED, "Too busy, try again")
        return await self.real.write(work, lane=lane)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@dataclass(slots=True)
class House:
    """All parts of one gateway within reach, and who calls it."""

    gateway: Gateway
    caller: Caller
    clock: FakeClock
    upstream: FakeProvider
    door: FakeDoor
    engine: FakeEngine
    storage: FailingStorage
    folder: Path

    async def restart(self) -> int:
        """Begin again as another process, which finds what this one left."""
        runner = Runner(self.gateway.ids.opaque_id("run"))
        self.gateway = replace(self.gateway, runner=runner)
        return await claim.join(self.gateway)

    def answers(self, *script: Any) -> None:
        """Let the upstream answer this from now on; the last one again and again."""
        self.upstream._script[:] = script

    async def submit(self, ask: MediaAsk = SCENE, **terms: Any) -> TaskId:
        accepted = await submit.submit(self.gateway, self.caller, ask, Terms(**terms))
        return accepted.task.id

    async def step(self, task_id: TaskId) -> float | None:
        return await step(self.gateway, task_id)

    async def run(self, task_id: TaskId, *, steps_max: int = 40) -> Task:
        """Step a task to its end; the clock moves on as the steps say."""
        for _ in range(steps_max):
            after_s = await self.step(task_id)
            if after_s is None:
                return await self.task(task_id)
            await self.clock.advance(after_s)
        message = f"did not end: {await self.task(task_id)}"
        raise AssertionError(message)

    async def task(self, task_id: TaskId) -> Task:
        return await self.gateway.store.read(lambda tx: tasks.get(tx, task_id))

    async def attempts(self, task_id: TaskId) -> list[Attempt]:
        return await self.gateway.store.read(lambda tx: tasks.attempts_of(tx, task_id))

    async def assets(self, task_id: TaskId) -> list[Asset]:
        return await self.gateway.store.read(lambda tx: media.of_task(tx, task_id))

    async def owed(self, task_id: TaskId) -> Delivery:
        (found,) = await self.gateway.store.read(lambda tx: delivery.of_task(tx, task_id))
        return found

    async def balance(self) -> Balance:
        return await self.gateway.store.read(lambda tx: ledger.balance(tx, self.caller.account_id))

    async def assert_charged(self, amount: Credits) -> None:
        """Check that so much is gone, nothing is held, and every book agrees."""
        assert await self.balance() == Balance(CREDITS - amount, 0)
        await self.assert_sound()

    async def assert_sound(self) -> None:
        assert await administer.verify(self.desk) == []

    @property
    def desk(self) -> Desk:
        return Desk(store=self.gateway.store, clock=self.clock, ids=self.gateway.ids)

    @property
    def stored(self) -> list[Path]:
        """Every file in the storage."""
        return [path for path in (self.folder / "files").rglob("*") if path.is_file()]

    @property
    def work(self) -> list[str]:
        """What is left in the work folder."""
        folder = self.gateway.work_folder
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def limited(self, **limits: Any) -> None:
        """Change what flows allow."""
        self.gateway = replace(self.gateway, limits=replace(self.gateway.limits, **limits))

    def served_by(self, **providers: FakeProvider) -> None:
        """Wire other providers."""
        self.gateway = replace(self.gateway, providers=connected(**providers))

    async def other_caller(self, name: str, **given: Any) -> Caller:
        limits = KeyLimits(**given)
        return await self.gateway.store.write(
            lambda tx: add_account(tx, name, amount=CREDITS, limits=limits)
        )

    async def spent_by_key(self, caller: Caller) -> Credits:
        keys = await self.gateway.store.read(lambda tx: accounts.keys_of(tx, caller.account_id))
        return keys[0].spent


def connected(**providers: Any) -> Providers:
    """Wire providers as if they were built in."""
    return Providers(
        Connected(name, name, tasks=each, chat=each, is_built_in=True)
        for name, each in providers.items()
    )


async def build(store: Store, folder: Path, script: Iterable[Any] = (MADE,)) -> House:
    """Wire a gateway whose every model is served by one fake upstream."""
    clock = FakeClock(START)
    upstream = FakeProvider(script, name="local")
    door, engine = FakeDoor(), FakeEngine()
    storage = FailingStorage(FolderStorage(folder / "files"))
    gateway = Gateway(
        store=store,
        clock=clock,
        ids=seeded_ids(clock),
        catalogue=_CATALOGUE,
        blocklist=_BLOCKLIST,
        storage=cast("FolderStorage", storage),
        inspector=Inspector(),
        links=Links([b"0123456789abcdef"]),
        door=cast("Door", door),
        providers=connected(local=upstream),
        rates=RateLimiter(),
        engine=engine,
        work_folder=folder / "work",
        server_secret=b"secret",
        public_url="https://portico.test",
        limits=Limits(),
        render_callback={"portico": lambda view: f"{view.id} {view.state}".encode()},
    )
    caller = await store.write(lambda tx: add_account(tx, amount=CREDITS))
    return House(gateway, caller, clock, upstream, door, engine, storage, folder)
