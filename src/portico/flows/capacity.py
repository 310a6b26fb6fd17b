"""Whether a credential has room for another start now; nothing here is written down."""

from portico import tasks
from portico.core.errors import ErrorCode, PorticoError
from portico.flows import pauses
from portico.flows.connected import Connected
from portico.flows.gateway import Gateway
from portico.rates import Bucket
from portico.routes import Offer
from portico.tasks import Task

TURN_AGAIN_S = 1.0  # while another process looks whether a route is back
_STARTS = "upstream_starts"


async def wait_for_room(gateway: Gateway, task: Task, one: Connected, offer: Offer) -> float | None:
    """Return after how many seconds to look again, None where an attempt may begin now.

    The count here spares a rate that would be used for nothing; what counts is the one in the
    write.
    """
    if one.attempts_max is not None:
        number = await gateway.store.read(lambda tx: tasks.open_attempts(tx, one.name))
        if number >= one.attempts_max:
            return gateway.live.rooms.wait(task.id, one.name)
    if (after_s := await starts_after_s(gateway, one)) is not None:
        return after_s
    return None if await pauses.take_turn(gateway, offer.key) else TURN_AGAIN_S


async def starts_after_s(gateway: Gateway, one: Connected) -> float | None:
    """Count a start at a credential; returns seconds to wait where it is one too many a minute."""
    if one.starts_per_minute is None:
        return None
    try:
        counted = gateway.rates.hit(Bucket(_STARTS, one.starts_per_minute), one.name)
        if counted is not None:
            await counted
    except PorticoError as error:
        if error.code is not ErrorCode.RATE_LIMITED:
            raise
        return error.retry_after_s or TURN_AGAIN_S
    return None
