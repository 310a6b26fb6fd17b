"""Whether an upstream's notices can be relied upon: learned from whether the last one came."""

from portico.core.ids import TaskId

RARELY = 4  # times the interval an upstream advises, while its notices come


class Trust:
    """By credential, whether the last job that ended there had been given notice of.

    A notice that stays away costs one job a few intervals, and every later one nothing.
    """

    def __init__(self) -> None:
        self._noticed: set[TaskId] = set()
        self._comes: dict[str, bool] = {}

    def noticed(self, task_id: TaskId) -> None:
        """Note that an upstream has given notice of a task; safe to repeat."""
        self._noticed.add(task_id)

    def note_end(self, task_id: TaskId, credential: str) -> None:
        """Note that a job was found to have ended, with or without a notice."""
        self._comes[credential] = task_id in self._noticed

    def interval_s(self, credential: str, advised_s: float) -> float:
        """Return how long to wait before a job is asked about again, in seconds."""
        return advised_s * RARELY if self._comes.get(credential) else advised_s

    def forget(self, task_id: TaskId) -> None:
        """Forget a task."""
        self._noticed.discard(task_id)
