"""Cancel a task its owner no longer wants: refunded in full, the upstream stopped if possible."""

from portico import tasks
from portico.core import faults
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import TaskId
from portico.core.views import Caller, TaskState, TaskView
from portico.flows import lookup, settle
from portico.flows.gateway import Gateway
from portico.flows.owning import stop_upstream


async def cancel(gateway: Gateway, caller: Caller, task_id: TaskId | None) -> TaskView:
    """Cancel one of the caller's tasks; a task that has ended stays as it is. Safe to repeat.

    Raises:
        PorticoError: TASK_NOT_FOUND.
    """
    view = await lookup.task(gateway, caller, task_id)
    if view.is_final:
        return view
    task = await gateway.store.read(lambda tx: tasks.get(tx, view.id))
    faults.reach("cancel.before_commit")
    error = PorticoError(ErrorCode.CANCELLED, "cancelled")
    if await settle.fail(gateway, task, error, state=TaskState.CANCELLED, by_runner=False):
        faults.reach("cancel.after_commit")
        await stop_upstream(gateway, task)
    return await lookup.task(gateway, caller, view.id)
