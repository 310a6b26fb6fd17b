"""Who waits for room at a credential that has as many attempts open as it may.

Only a hint for this process: who may begin is decided by the rows. A room that another process
leaves, or that was taken before a restart, is found by looking again.
"""

from portico.core.ids import TaskId

LOOK_AGAIN_S = 2.0
LOOK_AGAIN_MAX_S = 30.0
LOOKS_PER_S = 25  # of all who wait for one credential together


class Rooms:
    """Queues of waiting tasks by credential, and which tasks have a room here."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[TaskId, None]] = {}
        self._taken: dict[TaskId, str] = {}

    def wait(self, task_id: TaskId, credential: str) -> float:
        """Join the queue, once; returns after how many seconds to look again, unless called."""
        queue = self._waiting.setdefault(credential, {})
        queue.setdefault(task_id)
        return min(max(LOOK_AGAIN_S, len(queue) / LOOKS_PER_S), LOOK_AGAIN_MAX_S)

    def enter(self, task_id: TaskId, credential: str) -> None:
        """Take a room: wait nowhere any more."""
        self._forget_waiting(task_id)
        self._taken[task_id] = credential

    def leave(self, task_id: TaskId) -> TaskId | None:
        """Give a room back, and every place in a queue; returns who may be next."""
        self._forget_waiting(task_id)
        queue = self._waiting.get(self._taken.pop(task_id, ""), {})
        return next(iter(queue), None)

    def _forget_waiting(self, task_id: TaskId) -> None:
        for credential, queue in tuple(self._waiting.items()):
            queue.pop(task_id, None)
            if not queue:
                del self._waiting[credential]
