"""Credentials come, change and go while a gateway runs; whatever is under way goes on."""

import asyncio
import io
from dataclasses import dataclass, field

import pytest
import structlog

from portico import credentials as rows
from portico import tasks
from portico.core.errors import ErrorCode, PorticoError
from portico.core.views import TaskState
from portico.credentials import Change, Seal
from portico.flows import connect, credentials
from portico.flows.administer import Desk
from portico.flows.connect import GRACE_S, STAYS_S, Connections
from portico.flows.credentials import Draft, Workshop
from portico.flows.signals import run_hearing
from portico.providers.base import Credential
from portico.store import open_store
from portico.testing import FakeProvider
from tests.flows.wiring import MADE, UNDER_WAY, House, until
from tests.kinds import on_postgres, on_sqlite

SECRET = "sk-canary-5eed"
SEAL = Seal(b"server-secret-of-16-bytes")


@dataclass(slots=True)
class Builder:
    """Makes scripted providers, and remembers them and what they were made from."""

    made: list[tuple[Credential, FakeProvider]] = field(default_factory=list)

    def __call__(self, name: str, credential: Credential) -> FakeProvider:
        if name != "local":
            message = f"there is no provider {name!r}"
            raise ValueError(message)
        if "bad" in credential.base_url:
            raise KeyError(credential.secret)
        if "worse" in credential.base_url:
            raise ValueError(credential.secret)
        provider = FakeProvider([UNDER_WAY], name="local")
        self.made.append((credential, provider))
        return provider

    @property
    def last(self) -> FakeProvider:
        return self.made[-1][1]


@dataclass(slots=True)
class Connected:
    """A gateway whose upstreams are what its rows say."""

    house: House
    builder: Builder
    shop: Workshop
    connections: Connections

    async def add(self, name: str = "main", **other: object) -> None:
        draft = Draft(
            **{  # type: ignore[arg-type]
                "name": name,
                "provider": "local",
                "base_url": "https://example.com",
                "secret": SECRET,
            }
            | other
        )
        await credentials.add(self.house.desk, self.shop, draft)
        await self.connections.look()

    async def change(self, secret: str | None = None, **changes: object) -> None:
        desk, given = self.house.desk, Change(**changes)  # type: ignore[arg-type]
        await credentials.change(desk, self.shop, "main", given, secret=secret)
        await self.connections.look()

    def names(self) -> list[str]:
        """Return what may begin new work."""
        return [one.name for one in self.house.gateway.providers.of("local")]


@pytest.fixture
async def upstreams(house: House):
    house.served_by()  # nothing is built in
    builder = Builder()
    shop = Workshop(seal=SEAL, build=builder, reserved=frozenset({"local"}))
    connections = Connections(house.gateway, seal=SEAL, build=builder)
    yield Connected(house, builder, shop, connections)
    await connections.close()


@pytest.fixture
def log():
    stream = io.StringIO()
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(stream))
    yield stream
    structlog.configure(**before)


async def test_credential_serves_tasks_and_attempts_carry_its_name(upstreams):
    await upstreams.add(region="eu-1", attempts_max=4, starts_per_minute=9)
    upstreams.builder.last._script[:] = [UNDER_WAY, MADE]
    task_id = await upstreams.house.submit()
    task = await upstreams.house.run(task_id)
    assert task.state is TaskState.SUCCEEDED
    (attempt,) = await upstreams.house.attempts(task_id)
    assert (attempt.provider, attempt.credential) == ("local", "main")
    one = upstreams.house.gateway.providers.get("main")
    assert (one.region, one.attempts_max, one.starts_per_minute) == ("eu-1", 4, 9)
    assert upstreams.builder.made[0][0].secret == SECRET


async def test_look_without_a_change_builds_nothing(upstreams):
    await upstreams.add()
    await upstreams.connections.look()
    assert upstreams.names() == ["main"]
    assert len({id(provider) for _, provider in upstreams.builder.made}) == 2  # tried, then kept


async def test_new_secret_makes_a_new_provider_and_the_old_one_finishes_first(upstreams):
    await upstreams.add()
    old = upstreams.builder.last
    await upstreams.change(secret="sk-new-1")
    assert upstreams.builder.made[-1][0].secret == "sk-new-1"
    assert upstreams.house.gateway.providers.get("main").tasks is upstreams.builder.last
    await upstreams.house.clock.advance(GRACE_S - 1)
    await upstreams.connections.look()
    assert not old.closed
    await upstreams.house.clock.advance(2)
    await upstreams.connections.look()
    assert old.closed
    assert not upstreams.builder.last.closed


async def test_limits_change_without_another_provider(upstreams):
    await upstreams.add()
    provider = upstreams.builder.last
    await upstreams.change(attempts_max=2, region="us")
    one = upstreams.house.gateway.providers.get("main")
    assert (one.tasks, one.attempts_max, one.region) == (provider, 2, "us")


async def test_disabled_credential_finishes_what_it_began_and_begins_nothing(upstreams):
    await upstreams.add()
    first = await upstreams.house.submit()
    await upstreams.house.step(first)
    await credentials.set_enabled(upstreams.house.desk, "main", enabled=False)
    await upstreams.connections.look()
    with pytest.raises(PorticoError) as refused:
        await upstreams.house.submit()
    assert refused.value.code is ErrorCode.NO_ROUTE
    upstreams.builder.last._script[:] = [MADE]
    assert (await upstreams.house.run(first)).state is TaskState.SUCCEEDED
    await credentials.set_enabled(upstreams.house.desk, "main", enabled=True)
    await upstreams.connections.look()
    assert upstreams.names() == ["main"]


async def test_removal_is_refused_while_attempts_are_open(upstreams):
    await upstreams.add()
    task_id = await upstreams.house.submit()
    await upstreams.house.step(task_id)
    with pytest.raises(PorticoError, match="1 attempts are open"):
        await credentials.remove(upstreams.house.desk, "main")
    assert (await upstreams.house.gateway.store.read(rows.every))[0].name == "main"


async def test_removed_credential_stays_for_its_open_attempts(upstreams):
    await upstreams.add()
    provider = upstreams.builder.last
    task_id = await upstreams.house.submit()
    await upstreams.house.step(task_id)
    await credentials.remove(upstreams.house.desk, "main", force=True)
    await upstreams.connections.look()
    assert upstreams.names() == []
    await upstreams.house.clock.advance(STAYS_S + 1)
    await upstreams.connections.look()
    provider._script[:] = [MADE]
    assert (await upstreams.house.run(task_id)).state is TaskState.SUCCEEDED
    await upstreams.connections.look()
    assert upstreams.house.gateway.providers.get("main") is None
    await upstreams.house.clock.advance(GRACE_S + 1)
    await upstreams.connections.look()
    assert provider.closed


async def test_removed_credential_can_come_back_under_its_name(upstreams):
    await upstreams.add()
    await credentials.remove(upstreams.house.desk, "main")
    await upstreams.connections.look()
    upstreams.house.clock.jump(5)
    await upstreams.add(secret="sk-again")
    await upstreams.house.clock.advance(STAYS_S + 1)
    await upstreams.connections.look()
    assert upstreams.names() == ["main"]
    assert upstreams.builder.made[-1][0].secret == "sk-again"


async def test_credential_of_another_installation_is_left_out_and_said_once(upstreams, log):
    await upstreams.add()
    await upstreams.add("other")
    foreign = Connections(
        upstreams.house.gateway, seal=Seal(b"another-secret-of-16"), build=upstreams.builder
    )
    upstreams.house.gateway.providers.drop("main")
    upstreams.house.gateway.providers.drop("other")
    await foreign.look()
    await upstreams.house.gateway.store.write(
        lambda tx: rows.change(tx, "other", Change(region="x"), now=0)
    )
    await foreign.look()
    assert upstreams.names() == []
    assert log.getvalue().count("credential_unusable") == 2
    assert "another PORTICO_SECRET_KEY" in log.getvalue()
    assert SECRET not in log.getvalue()


async def test_credential_that_breaks_its_provider_is_left_out_without_its_secret(upstreams, log):
    await upstreams.add()
    await upstreams.add("other")
    await upstreams.house.gateway.store.write(
        lambda tx: rows.change(tx, "main", Change(base_url="bad"), now=0)
    )
    await upstreams.connections.look()
    assert upstreams.names() == ["other"]
    assert upstreams.house.gateway.providers.get("main").is_enabled is False
    assert "KeyError" in log.getvalue()
    assert SECRET not in log.getvalue()


@on_sqlite
async def test_running_gateway_notices_what_a_command_wrote(upstreams, monkeypatch):
    monkeypatch.setattr(connect, "LOOK_EVERY_S", 0.01)
    running = asyncio.create_task(upstreams.connections.run())
    draft = Draft(name="main", provider="local", base_url="https://example.com", secret=SECRET)
    await credentials.add(upstreams.house.desk, upstreams.shop, draft)
    await until(lambda: upstreams.names() == ["main"])
    await credentials.remove(upstreams.house.desk, "main")
    await until(lambda: upstreams.names() == [])
    running.cancel()


@on_postgres
async def test_running_gateway_is_told_what_a_command_wrote(upstreams, database):
    gateway = upstreams.house.gateway
    running = asyncio.create_task(upstreams.connections.run())  # looks by itself in 30 s
    hearing = asyncio.create_task(run_hearing(gateway))
    await gateway.runner.work_waits.wait()  # it hears from now on
    command = await open_store(database)
    desk = Desk(store=command, clock=upstreams.house.clock, ids=gateway.ids)
    draft = Draft(name="main", provider="local", base_url="https://example.com", secret=SECRET)
    await credentials.add(desk, upstreams.shop, draft)
    await until(lambda: upstreams.names() == ["main"])
    await credentials.set_enabled(desk, "main", enabled=False)
    await until(lambda: upstreams.names() == [])
    for each in (running, hearing):
        each.cancel()
    await asyncio.gather(running, hearing, return_exceptions=True)
    await command.close()


async def test_look_that_fails_is_made_again(upstreams, monkeypatch, log):
    monkeypatch.setattr(connect, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(connect, "LOOK_ANYWAY_EVERY_S", 0.01)
    looked = asyncio.Event()

    async def away() -> None:
        looked.set()
        raise OSError(SECRET)

    with monkeypatch.context() as patched:
        patched.setattr(upstreams.connections, "look", away)
        running = asyncio.create_task(upstreams.connections.run())
        await looked.wait()
    draft = Draft(name="main", provider="local", base_url="https://example.com", secret=SECRET)
    await credentials.add(upstreams.house.desk, upstreams.shop, draft)
    await until(lambda: upstreams.names() == ["main"])
    running.cancel()
    assert "credentials_unread" in log.getvalue()
    assert SECRET not in log.getvalue()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"name": "local"}, "built in"),
        ({"name": "No"}, "small letters"),
        ({"provider": "acme"}, "no provider 'acme'"),
        ({"base_url": "bad"}, "KeyError"),
        ({"base_url": "worse"}, "ValueError"),
        ({"secret": " "}, "empty"),
        ({"region": "Ü"}, "region"),
        ({"options": {"A": "b"}}, "option"),
    ],
)
async def test_credential_that_cannot_be_used_is_not_added(upstreams, other, words):
    with pytest.raises(PorticoError, match=words) as caught:
        await upstreams.add(**other)
    assert SECRET not in caught.value.message
    assert await upstreams.house.gateway.store.read(rows.every) == []


async def test_new_secret_mends_what_another_installation_sealed(upstreams):
    await upstreams.add()
    seal = Seal(b"another-secret-of-16")
    shop = Workshop(seal=seal, build=upstreams.builder, reserved=frozenset())
    with pytest.raises(PorticoError, match="another PORTICO_SECRET_KEY"):
        await credentials.change(upstreams.house.desk, shop, "main", Change(region="eu"))
    row = await credentials.change(upstreams.house.desk, shop, "main", Change(), secret="sk-mended")
    assert credentials.problem_of(row, shop) is None


async def test_open_attempts_are_counted_by_credential(upstreams):
    await upstreams.add()
    task_id = await upstreams.house.submit()
    await upstreams.house.step(task_id)
    store = upstreams.house.gateway.store
    assert await store.read(lambda tx: tasks.open_attempts(tx, "main")) == 1
    assert await store.read(lambda tx: tasks.open_attempts(tx, "other")) == 0
    upstreams.builder.last._script[:] = [MADE]
    await upstreams.house.run(task_id)
    assert await store.read(lambda tx: tasks.open_attempts(tx, "main")) == 0
