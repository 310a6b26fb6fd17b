"""Delete what an owner no longer wants to be kept: files, prompt, and the task from their sight."""

from portico import tasks
from portico.core.ids import TaskId
from portico.core.views import Caller
from portico.flows import cancel
from portico.flows.gateway import Gateway
from portico.media import service as media
from portico.store import Tx


async def discard(gateway: Gateway, caller: Caller, task_id: TaskId | None) -> None:
    """Delete one of the caller's tasks; one under way is cancelled, and so refunded, before.

    What it cost stays in the books. Files go first: after a crash the task is still there, and
    the same request finishes the work.

    Raises:
        PorticoError: TASK_NOT_FOUND, also when it was deleted before.
    """
    view = await cancel.cancel(gateway, caller, task_id)
    kept = await gateway.store.read(lambda tx: media.of_task(tx, view.id))
    await gateway.storage.delete([each.storage_key for each in kept if each.is_stored])
    now = gateway.clock.now()

    def write(tx: Tx) -> None:
        media.mark_deleted(tx, [each.id for each in kept], now=now)
        tasks.delete(tx, view.id, caller.account_id, now=now)

    await gateway.store.write(write, lane=view.id)
