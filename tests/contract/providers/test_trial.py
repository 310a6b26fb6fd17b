"""A trial of every provider's key: it costs nothing, and tells a good key from a bad one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from portico.app import provider_builder
from portico.core.ids import IdSource
from portico.credentials import Seal
from portico.emulators.emulator import Emulator
from portico.flows import credentials
from portico.flows.administer import Desk
from portico.flows.credentials import Answered, Draft, Workshop
from portico.settings import Settings
from portico.testing import FakeClock, open_test_store
from tests.contract.providers.cases import SECRET, Case


@dataclass(frozen=True)
class Trial:
    """A desk, an emulated upstream, and credentials for it."""

    case: Case
    desk: Desk
    emulator: Emulator
    shop: Workshop

    async def of(self, secret: str) -> Answered:
        """Add a credential with a secret, and try it."""
        draft = Draft(
            name="main",
            provider=self.case.provider,
            base_url=self.emulator.base_url,
            secret=secret,
            options=self.case.options,
        )
        await credentials.add(self.desk, self.shop, draft)
        return await credentials.try_out(self.desk, self.shop, "main")


@pytest.fixture
async def trial(case: Case, tmp_path: Path) -> AsyncIterator[Trial]:
    clock = FakeClock()
    emulator = case.emulator(clock=clock, key=case.secret)
    await emulator.start()
    store = await open_test_store(tmp_path)
    settings = Settings(private_hosts=emulator.address)
    shop = Workshop(
        seal=Seal(b"s" * 32), build=provider_builder(settings, clock), reserved=frozenset()
    )
    yield Trial(case, Desk(store=store, clock=clock, ids=IdSource(clock)), emulator, shop)
    await store.close()
    await emulator.stop()


async def test_good_key_is_taken_and_nothing_is_begun(trial: Trial):
    assert await trial.of(trial.case.secret) is Answered.WELL
    assert trial.emulator.requests
    assert trial.emulator.begun == 0


async def test_bad_key_is_known_for_one(trial: Trial):
    spoilt = trial.case.secret.replace(SECRET, "k-other-8")
    assert await trial.of(spoilt) is Answered.KEY_REFUSED


async def test_upstream_that_is_away_is_not_reachable(trial: Trial):
    await trial.emulator.stop()
    assert await trial.of(trial.case.secret) is Answered.UNREACHED
