"""What `portico doctor` says about an installation of several processes, on a real Postgres."""

import asyncio
import contextlib

import pytest

from portico.cli import doctor, shared_checks
from portico.cli.health_checks import Finding
from portico.core.clock import SystemClock
from portico.engines import service as engines
from portico.settings import Settings
from portico.store import open_store
from portico.testing import rows

OTHERS = {"renderer", "port"}  # take time, or a port
BEAT_EVERY_S = 0.05


@pytest.fixture
def url(postgres):
    return postgres.emptied()


@pytest.fixture
async def store(url):
    opened = await open_store(url)
    yield opened
    await opened.close()


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(shared_checks, "SILENT_AFTER_S", 1.5)
    monkeypatch.setattr(shared_checks, "LOOK_EVERY_S", 0.1)


async def register(store, **queues: str) -> None:
    for name, text in queues.items():
        taken = frozenset(filter(None, text.split(",")))
        await store.write(lambda tx, n=name, t=taken: engines.register(tx, n, queues=t, now=1))


@contextlib.asynccontextmanager
async def living(store, *names: str):
    """Let runners count up, as their processes would."""

    async def beat() -> None:
        while True:
            for name in names:
                await store.write(lambda tx, n=name: engines.beat(tx, n))
            await asyncio.sleep(BEAT_EVERY_S)

    beating = asyncio.create_task(beat())
    yield
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)


async def wait_in(store, queue: str) -> None:
    """Have a task wait that no process has taken."""

    def write(tx) -> None:
        caller = rows.add_account(tx, amount=10_000_000)
        rows.admit(tx, rows.new_task(1, caller, queue=queue, runner=None))

    await store.write(write)


async def test_living_processes_are_counted_by_what_they_take(url, store, soon):
    await register(store, one="", two="", draws="render", both="render,upstream", dead="upstream")
    async with living(store, "one", "two", "draws", "both"):
        found = await shared_checks.runners(Settings(database_url=url))
    assert found.good
    assert found.detail == "4 alive: 2 for render, 1 for upstream, 2 without tasks; 1 silent"


async def test_tasks_that_nobody_takes_are_wrong(url, store, soon):
    await register(store, api="", draws="render", dead="upstream")
    await wait_in(store, "upstream")
    async with living(store, "api", "draws"):
        found = await shared_checks.runners(Settings(database_url=url))
    assert not found.good
    assert found.detail.endswith("tasks that nobody takes: 1 upstream")
    assert found.advice == "start `portico worker --queues upstream`"


async def test_tasks_that_somebody_takes_may_wait(url, store, soon):
    await register(store, draws="render")
    await wait_in(store, "render")
    async with living(store, "draws"):
        found = await shared_checks.runners(Settings(database_url=url))
    assert (found.good, found.advice) == (True, "")


async def test_installation_that_is_not_running_is_sound_until_tasks_wait(url, store, soon):
    settings = Settings(database_url=url)
    assert await shared_checks.runners(settings) == Finding(good=True, detail="none alive")
    await wait_in(store, "render")
    assert not (await shared_checks.runners(settings)).good


async def test_embedded_database_has_one_process(tmp_path):
    found = await shared_checks.runners(Settings(data=str(tmp_path)))
    assert found == Finding(good=True, detail="one process does everything")


@pytest.mark.parametrize(
    ("ours_ms", "way"),
    [(-5_000, "behind the database's"), (3_600_000, "ahead of the database's")],
)
async def test_clock_that_is_not_the_databases_is_a_warning(url, monkeypatch, ours_ms, way):
    _shift_clock(monkeypatch, ours_ms)
    found = await shared_checks.clock(Settings(database_url=url))
    seconds, said = found.detail.split(" s ")
    assert (found.good, said) == (True, way)
    assert float(seconds) == pytest.approx(abs(ours_ms) / 1000, abs=1)
    assert "time server" in found.advice


@pytest.mark.parametrize("ours_ms", [-1_000, 0, 1_000])
async def test_clock_that_is_nearly_the_databases_is_good(url, monkeypatch, ours_ms):
    _shift_clock(monkeypatch, ours_ms)
    found = await shared_checks.clock(Settings(database_url=url))
    assert found == Finding(good=True, detail="set, as the database's")


async def test_clock_is_looked_at_alone_where_the_database_is_away(tmp_path):
    away = Settings(database_url=f"postgresql://portico@/portico?host={tmp_path}")
    found = await shared_checks.clock(away)
    assert found == Finding(good=True, detail="set; the database's cannot be seen")


def warned_of(portico) -> set[str]:
    ran = portico("doctor", "--json")
    assert (ran.code, ran.result["sound"]) == (0, True), ran.out
    return {each["check"] for each in ran.result["checks"] if each["advice"]}


@pytest.fixture
def few(monkeypatch):
    kept = tuple(check for check in doctor.CHECKS if check[0] not in OTHERS)
    monkeypatch.setattr(doctor, "CHECKS", kept)


def test_doctor_warns_of_what_a_second_machine_would_not_share(
    portico, url, few, soon, valkey, bucket, monkeypatch
):
    monkeypatch.setenv("PORTICO_DATABASE_URL", url)
    assert warned_of(portico) == {"secret", "storage", "rates"}
    assert "warn   secret       in the data folder" in portico("doctor").out
    monkeypatch.setenv("PORTICO_SECRET_KEY", "hush-hush")
    monkeypatch.setenv("PORTICO_STORAGE_URL", bucket.url)
    monkeypatch.setenv("PORTICO_LIMITS_URL", valkey.url)
    assert warned_of(portico) == set()
    assert "hush" not in portico("doctor").out


def test_doctor_warns_of_nothing_where_one_process_has_all(portico, ann, few):
    assert warned_of(portico) == set()


def _shift_clock(monkeypatch, by_ms: int) -> None:
    class Shifted(SystemClock):
        def now(self):
            return super().now() + by_ms

    monkeypatch.setattr(shared_checks, "SystemClock", Shifted)
