"""Read what a caller owns: tasks, balance, models."""

from portico import ledger, tasks
from portico.catalogue import Offering
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import TaskId
from portico.core.jobs import Kind
from portico.core.views import Caller, TaskState, TaskView
from portico.flows.gateway import Gateway
from portico.flows.views import task_view
from portico.ledger import Balance
from portico.media import service as media
from portico.store import Tx


async def task(gateway: Gateway, caller: Caller, task_id: TaskId | None) -> TaskView:
    """Return one of the caller's tasks, made in whatever dialect.

    Raises:
        PorticoError: TASK_NOT_FOUND, the same for unknown, foreign and malformed ids.
    """
    if task_id is None:
        raise PorticoError(ErrorCode.TASK_NOT_FOUND, "Task not found")
    wanted = task_id

    def look(tx: Tx) -> TaskView:
        found = tasks.find(tx, wanted, caller.account_id)
        if found is None:
            raise PorticoError(ErrorCode.TASK_NOT_FOUND, "Task not found")
        kept = media.of_task(tx, wanted) if found.state is TaskState.SUCCEEDED else ()
        return task_view(gateway, found, kept)

    return await gateway.store.read(look)


async def task_list(
    gateway: Gateway, caller: Caller, *, limit: int, before_id: TaskId
) -> list[TaskView]:
    """Return the caller's tasks, newest first."""

    def look(tx: Tx) -> list[TaskView]:
        found = tasks.listing(tx, caller.account_id, limit=limit, before_id=before_id)
        return [task_view(gateway, each, media.of_task(tx, each.id)) for each in found]

    return await gateway.store.read(look)


async def page(
    gateway: Gateway,
    caller: Caller,
    kind: Kind,
    *,
    limit: int,
    after_id: TaskId | None = None,
    oldest_first: bool = False,
) -> list[TaskView]:
    """Return the caller's tasks of one kind, from beyond one of them on, in either order."""

    def look(tx: Tx) -> list[TaskView]:
        found = tasks.page(
            tx,
            caller.account_id,
            kind,
            limit=limit,
            after_id=after_id,
            oldest_first=oldest_first,
        )
        return [task_view(gateway, each, media.of_task(tx, each.id)) for each in found]

    return await gateway.store.read(look)


async def balance(gateway: Gateway, caller: Caller) -> Balance:
    """Return what the caller's account has, in microcredits."""
    return await gateway.store.read(lambda tx: ledger.balance(tx, caller.account_id))


def offerings(gateway: Gateway, dialect: str, kind: Kind | None = None) -> tuple[Offering, ...]:
    """Return what a dialect sells, in the catalogue's order."""
    return gateway.catalogue.offerings(dialect, kind)
