"""What is left of our money at upstreams is asked for, kept, and said when it is too little."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from portico import credentials
from portico.core.upstreams import Trouble, UpstreamError
from portico.credentials import CredentialRow
from portico.flows import balances
from portico.flows.connected import Connected, Providers
from portico.providers.base import Remaining
from portico.testing import START, FakeProvider


class Telling(FakeProvider):
    """An upstream that tells its balance."""

    left: Remaining | Exception = Remaining(7_000_000, "credits")

    async def balance(self) -> Remaining:
        if isinstance(self.left, Exception):
            raise self.left
        return self.left


@pytest.fixture
async def telling(house):
    upstream = Telling()
    providers = Providers(
        [
            Connected("main", "vidu", tasks=upstream),
            Connected("silent", "ark", tasks=FakeProvider()),
        ]
    )
    house.gateway = replace(house.gateway, providers=providers)
    row = CredentialRow(
        name="main",
        provider="vidu",
        base_url="https://example.com",
        secret="s",
        callback_secret="s",
        balance_low=7_000_001,
        created_at=START,
        updated_at=START,
    )
    await house.gateway.store.write(lambda tx: credentials.add(tx, row))
    return upstream


async def looked(house):
    with capture_logs() as logs:
        await balances.look(house.gateway)
    return logs, await house.gateway.store.read(credentials.balances)


async def test_balance_below_the_threshold_is_kept_and_said(house, telling):
    logs, kept = await looked(house)

    assert {name: (one.amount, one.unit) for name, one in kept.items()} == {
        "main": (7_000_000, "credits")
    }
    assert logs == [{"event": "balance_low", "log_level": "warning", "credential": "main"}]


async def test_balance_at_the_threshold_is_enough(house, telling):
    telling.left = Remaining(7_000_001, "credits")
    logs, kept = await looked(house)
    assert (logs, kept["main"].amount) == ([], 7_000_001)


async def test_upstream_that_cannot_be_asked_leaves_what_it_said_before(house, telling):
    await looked(house)
    telling.left = UpstreamError(Trouble.UNREACHED)
    logs, kept = await looked(house)
    assert [each["event"] for each in logs] == ["balance_unread"]
    assert kept["main"].amount == 7_000_000


async def test_disabled_credential_is_not_asked(house, telling):
    one = house.gateway.providers.get("main")
    house.gateway.providers.put(replace(one, is_enabled=False))
    assert await looked(house) == ([], {})
