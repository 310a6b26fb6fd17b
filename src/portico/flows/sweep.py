"""Put away what is over: expired results, old prompts and keys, files nobody recorded.

Of several processes only the one that leads does this.
"""

from collections.abc import Sequence

import structlog

from portico import tasks
from portico.core import faults
from portico.core.clock import HOUR_MS
from portico.flows.administer import Desk, verify
from portico.flows.gateway import Gateway
from portico.media import service as media
from portico.media.model import Asset
from portico.media.storage import FANS
from portico.store import Tx

EVERY_S = 300.0
CHECK_EVERY_S = 86_400.0
BATCH = 200
ORPHAN_AFTER_MS = HOUR_MS
ORPHAN_AFTER_S = HOUR_MS / 1_000
_log = structlog.get_logger("portico.sweep")


async def sweep_orphans(gateway: Gateway) -> int:
    """Delete stored files whose record was never written; returns how many.

    A file goes only when it had no record an hour ago by the monotonic clock either: a wall
    clock that jumps ahead must not take a file that is just about to be recorded.
    """
    found: set[str] = set()
    before = gateway.clock.now() - ORPHAN_AFTER_MS
    for fan in FANS:
        keys = await gateway.storage.keys_before(before, fan=fan)
        found.update(await gateway.store.read(lambda tx: media.unrecorded(tx, keys)))  # noqa: B023
    now_s = gateway.clock.monotonic()
    suspects = gateway.live.suspects
    lost = [key for key in found if suspects.get(key, now_s) <= now_s - ORPHAN_AFTER_S]
    await gateway.storage.delete(lost)
    gateway.live.suspects = {key: suspects.get(key, now_s) for key in found.difference(lost)}
    return len(lost)


async def run_sweeps(gateway: Gateway) -> None:
    """Sweep every few minutes, for ever."""
    while True:
        await gateway.runner.leads.wait()
        try:
            await sweep(gateway)
        except Exception as error:  # noqa: BLE001 - edge: the next sweep tries again
            _log.error("sweep_failed", exc_info=error)
        await gateway.clock.sleep(EVERY_S)


async def run_checks(gateway: Gateway) -> None:
    """Recompute the ledger at start and then daily, for ever; a difference is an alarm (L10)."""
    desk = Desk(store=gateway.store, clock=gateway.clock, ids=gateway.ids)
    while True:
        await gateway.runner.leads.wait()
        try:
            differences = await verify(desk)
        except Exception as error:  # noqa: BLE001 - edge: the next check tries again
            _log.error("check_failed", exc_info=error)
        else:
            log = _log.error if differences else _log.info
            log("ledger_checked", differences=len(differences))
        await gateway.clock.sleep(CHECK_EVERY_S)


async def sweep(gateway: Gateway) -> None:
    """Put away one round of everything that is over; safe to repeat."""
    await sweep_files(gateway)
    await sweep_orphans(gateway)
    await _forget_prompts(gateway)
    before = gateway.clock.now() - gateway.limits.idempotency_kept_ms
    await gateway.store.write(lambda tx: tasks.forget_requests(tx, before=before))


async def sweep_files(gateway: Gateway) -> int:
    """Delete files whose time is over and uploads nobody used; returns how many."""
    now = gateway.clock.now()
    total = 0
    while True:
        due = await gateway.store.read(
            lambda tx: media.due_for_expiry(
                tx, now=now, orphans_before=now - ORPHAN_AFTER_MS, limit=BATCH
            )
        )
        if not due:
            return total
        faults.reach("sweep.before_delete")
        await _delete(gateway, due)
        faults.reach("sweep.after_delete")
        total += len(due)


async def _delete(gateway: Gateway, due: Sequence[Asset]) -> None:
    """Files first, rows after: a crash in between only repeats the deletion."""
    await gateway.storage.delete([asset.storage_key for asset in due])
    ids = [asset.id for asset in due]
    now = gateway.clock.now()
    await gateway.store.write(lambda tx: media.mark_deleted(tx, ids, now=now))


async def _forget_prompts(gateway: Gateway) -> None:
    now = gateway.clock.now()
    while True:
        due = await gateway.store.read(
            lambda tx: tasks.due_for_forgetting(tx, now=now, limit=BATCH)
        )
        if not due:
            return

        def forget(tx: Tx, due: list[int] = due) -> None:
            for task_id in due:
                tasks.forget(tx, task_id)

        await gateway.store.write(forget)
