"""Put away what is over: expired results, old prompts and keys, texts a crash left open."""

import asyncio
import shutil

import structlog

from portico import media, tasks
from portico.core import faults
from portico.core.clock import HOUR_MS
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind
from portico.flows import settle
from portico.flows.gateway import Gateway
from portico.store import Tx

EVERY_S = 300.0
BATCH = 200
ORPHAN_AFTER_MS = HOUR_MS
_log = structlog.get_logger("portico.sweep")


async def recover(gateway: Gateway) -> int:
    """Take up every task a former process left open; returns how many. Call once, at start.

    A text cannot be continued: whatever its client received, the process that counted it has
    gone, so it is refunded. Pictures and videos go on where they stood.
    """
    open_tasks = await gateway.store.read(tasks.open_ids)
    for task_id, kind in open_tasks:
        if kind is Kind.TEXT:
            task = await gateway.store.read(lambda tx, wanted=task_id: tasks.get(tx, wanted))
            error = PorticoError(ErrorCode.UPSTREAM_FAILED, "Interrupted by a restart")
            await settle.fail(gateway, task, error)
            await gateway.store.write(
                lambda tx, task=task: tasks.answer_request(
                    tx, task.account_id, task.id, answer=None
                )
            )
        else:
            gateway.engine.wake(task_id)
    await asyncio.to_thread(_clear_work, gateway, {str(task_id) for task_id, _ in open_tasks})
    return len(open_tasks)


async def run_sweeps(gateway: Gateway) -> None:
    """Sweep every few minutes, for ever."""
    while True:
        try:
            await sweep(gateway)
        except Exception as error:  # noqa: BLE001 - edge: the next sweep tries again
            _log.error("sweep_failed", exc_info=error)
        await gateway.clock.sleep(EVERY_S)


async def sweep(gateway: Gateway) -> None:
    """Put away one round of everything that is over; safe to repeat."""
    await sweep_files(gateway)
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
        await gateway.storage.delete([asset.storage_key for asset in due])
        ids = [asset.id for asset in due]
        await gateway.store.write(lambda tx, ids=ids: media.mark_deleted(tx, ids, now=now))
        faults.reach("sweep.after_delete")
        total += len(due)


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


def _clear_work(gateway: Gateway, keep: set[str]) -> None:
    """Remove work folders of tasks that are no longer open."""
    if not gateway.work_folder.is_dir():
        return
    for folder in gateway.work_folder.iterdir():
        if folder.name not in keep:
            shutil.rmtree(folder, ignore_errors=True)
