"""A runner: one process of an installation, which owns the tasks it runs."""

import asyncio
from collections.abc import Iterable, Mapping

from portico.core.ids import RunnerId

RENDER, UPSTREAM = "render", "upstream"
QUEUES = frozenset({RENDER, UPSTREAM})
LOOKS_MAX = 4  # so often must a count have stood still before its process counts as dead


class Runner:
    """This process among those on its database; its id changes when the others gave it up.

    Args:
        runner_id: under which tasks are its own.
        queues: what kinds of tasks it takes; none for a process that only answers requests.
    """

    def __init__(self, runner_id: RunnerId = "run_alone", queues: Iterable[str] = QUEUES) -> None:
        self.id = runner_id
        self.queues = frozenset(queues)
        self.is_alone = True  # nobody else is known to use the database
        self.is_leaving = False  # it takes nothing more
        self.left_some = False  # some were not taken, for want of room
        self.work_waits = asyncio.Event()  # set: somewhere a task waits to be taken
        self.leads = asyncio.Event()  # set: this one does what only one of all may do
        self.leads.set()

    def owner_of(self, queue: str) -> RunnerId | None:
        """Return whose a new task of a queue is: at once this one's, or nobody's for now.

        A render goes to whoever has room for it.
        """
        if self.is_alone and queue in self.queues:
            return self.id
        is_for_others = queue == RENDER or self.is_leaving or queue not in self.queues
        return None if is_for_others else self.id

    def ended_one(self) -> None:
        """Note that there is room again."""
        if self.left_some:
            self.left_some = False
            self.work_waits.set()


class Watch:
    """Tells who is dead by counts that stand still; no two clocks are ever compared.

    Only looks that succeeded count: a database that was away makes nobody dead.
    """

    def __init__(self) -> None:
        self._seen: dict[RunnerId, tuple[int, int]] = {}  # its count, how often it was the same

    def look(self, beats: Mapping[RunnerId, int]) -> dict[RunnerId, int]:
        """Take one look, a beat after the last; returns the dead and the counts they stopped at."""
        before, self._seen = self._seen, {}
        for runner, beat in beats.items():
            last, looks = before.get(runner, (None, 0))
            self._seen[runner] = (beat, looks + 1 if beat == last else 0)
        return {each: beat for each, (beat, looks) in self._seen.items() if looks >= LOOKS_MAX}
