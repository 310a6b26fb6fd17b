"""S4: exactly the checked address is dialled, and the peer is compared before anything is sent."""

import ssl
from ipaddress import ip_address

import pytest
from aiohttp import ClientSession, ThreadedResolver

from portico.core.errors import PorticoError
from portico.outbound.dial import CheckedConnector

ELSEWHERE = [ip_address("127.0.0.2")]


class Lax(CheckedConnector):
    """A connector whose first guard failed."""

    def _socket(self, info):
        self._checked, checked = frozenset([ip_address("127.0.0.1")]), self._checked
        try:
            return super()._socket(info)
        finally:
            self._checked = checked


@pytest.mark.parametrize("kind", [CheckedConnector, Lax])
async def test_answer_that_was_not_checked_is_never_spoken_to(host, kind):
    connector = kind(ELSEWHERE, tls=ssl.create_default_context(), resolver=ThreadedResolver())
    async with ClientSession(connector=connector) as session:
        with pytest.raises(PorticoError) as caught:
            await session.get(host.url(host="localhost"))
    assert caught.value.facts["reason"] == "peer is not a checked address"
    assert host.requests == []


async def test_spelled_out_address_is_compared_as_well(host):
    connector = CheckedConnector(ELSEWHERE, tls=ssl.create_default_context())
    async with ClientSession(connector=connector) as session:
        with pytest.raises(PorticoError):
            await session.get(host.url())
    assert host.requests == []
