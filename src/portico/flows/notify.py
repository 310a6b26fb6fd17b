"""Tell customers' webhooks that their tasks have ended: at least once, on a schedule."""

import asyncio

import structlog

from portico import delivery, tasks
from portico.core import faults
from portico.core.errors import PorticoError
from portico.delivery import Delivery, DeliveryState
from portico.flows.gateway import Gateway
from portico.flows.views import task_view
from portico.media import service as media
from portico.store import Tx

IDLE_S = 5.0
AT_ONCE_MAX = 64
PAGE = 200
GONE = 410
_OK = range(200, 300)
_log = structlog.get_logger("portico.notify")


async def run_deliveries(gateway: Gateway) -> None:
    """Send what is due, for ever; one slow receiver never delays another.

    Of several processes only the one that leads does this.
    """
    under_way: set[str] = set()
    while True:
        await gateway.runner.leads.wait()
        gateway.live.delivery_due.clear()
        for each in await _due(gateway):
            if each.id not in under_way and len(under_way) < AT_ONCE_MAX:
                under_way.add(each.id)
                sending = asyncio.create_task(_send_one(gateway, each), name=each.id)
                sending.add_done_callback(lambda done: under_way.discard(done.get_name()))
        try:
            async with asyncio.timeout(0.2 if under_way else IDLE_S):
                await gateway.live.delivery_due.wait()
        except TimeoutError:
            continue


async def send(gateway: Gateway, owed: Delivery) -> None:
    """Make one attempt at one delivery and write down what came of it; safe to repeat."""
    body = await _body(gateway, owed)
    secret = delivery.secret_for(gateway.server_secret, owed.account_id)
    signed = delivery.signed_headers(
        secret, delivery_id=owed.id, body=body, now=gateway.clock.now()
    )
    headers = {"content-type": "application/json", **signed}
    status: int | None = None
    wait_s: float | None = None
    faults.reach("notify.before_send")
    try:
        answer = await gateway.door.post(owed.url, body, headers)
        status, wait_s = answer.status, answer.retry_after_s
    except PorticoError:
        _log.info("delivery_failed", delivery_id=owed.id, task_id=owed.task_id)
    faults.reach("notify.after_send")
    await _record(gateway, owed, status, wait_s)


async def _due(gateway: Gateway) -> list[Delivery]:
    now = gateway.clock.now()
    return await gateway.store.read(lambda tx: delivery.due(tx, now=now, limit=PAGE))


async def _send_one(gateway: Gateway, owed: Delivery) -> None:
    try:
        await send(gateway, owed)
    except Exception as error:  # noqa: BLE001 - edge: one bad delivery must not stop the rest
        _log.error("delivery_broken", delivery_id=owed.id, exc_info=error)
        await _record(gateway, owed, None, None)


async def _body(gateway: Gateway, owed: Delivery) -> bytes:
    def look(tx: Tx) -> bytes:
        task = tasks.get(tx, owed.task_id)
        view = task_view(gateway, task, media.of_task(tx, task.id))
        return gateway.render_callback[task.dialect](view)

    return await gateway.store.read(look)


async def _record(
    gateway: Gateway, owed: Delivery, status: int | None, wait_s: float | None
) -> None:
    now = gateway.clock.now()
    next_at = delivery.next_attempt_at(
        owed.attempts + 1, now=now, asked_wait_s=wait_s, random_bits=gateway.ids.random_bits
    )
    if status in _OK:
        state = DeliveryState.DELIVERED
    elif status == GONE:
        state = DeliveryState.REFUSED
    else:
        state = DeliveryState.PENDING if next_at else DeliveryState.EXHAUSTED
    faults.reach("notify.before_commit")
    await gateway.store.write(
        lambda tx: delivery.record_attempt(
            tx, owed.id, state=state, next_at=next_at or now, status=status
        ),
        lane=owed.id,
    )
    faults.reach("notify.after_commit")
