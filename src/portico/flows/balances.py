"""Watch what is left of our money at upstreams, where they tell.

Of several processes only the one that leads asks.
"""

import asyncio

import structlog

from portico import credentials
from portico.core.errors import PorticoError
from portico.credentials import BalanceRow
from portico.flows.connected import Connected
from portico.flows.gateway import Gateway
from portico.providers.base import BalanceReader

EVERY_S = 600.0
WITHIN_S = 30.0
_log = structlog.get_logger("portico.balances")


async def run_balances(gateway: Gateway) -> None:
    """Ask every ten minutes, for ever."""
    while True:
        await gateway.runner.leads.wait()
        try:
            await look(gateway)
        except Exception as error:  # noqa: BLE001 - edge: the next look tries again
            _log.error("balances_unread", error=type(error).__name__)
        await gateway.clock.sleep(EVERY_S)


async def look(gateway: Gateway) -> None:
    """Ask every upstream that can tell, keep what it says, and warn where it is too little."""
    readers = [(one, reader) for one in gateway.providers.all() if (reader := _reader(one))]
    if not readers:
        return
    rows = await gateway.store.read(credentials.every)
    lows = {row.name: row.balance_low for row in rows}
    for one, reader in readers:
        if one.name in lows:
            await _look_at(gateway, one, reader, lows[one.name])


def _reader(one: Connected) -> BalanceReader | None:
    made: object = one.tasks or one.chat
    return made if one.is_enabled and isinstance(made, BalanceReader) else None


async def _look_at(
    gateway: Gateway, one: Connected, reader: BalanceReader, low: int | None
) -> None:
    try:
        async with asyncio.timeout(WITHIN_S):
            left = await reader.balance()
    except (PorticoError, TimeoutError) as error:
        _log.info("balance_unread", credential=one.name, error=type(error).__name__)
        return
    row = BalanceRow(
        credential=one.name, amount=left.amount, unit=left.unit, read_at=gateway.clock.now()
    )
    await gateway.store.write(lambda tx: credentials.keep_balance(tx, row))
    if low is not None and left.amount < low:
        _log.warning("balance_low", credential=one.name)
