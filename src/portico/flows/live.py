"""What is known only while a task is under way: its progress, and who waits for its end.

Nothing here is needed after a restart; everything is dropped when the task ends.
"""

import asyncio
import contextlib
from typing import Protocol

import msgspec

from portico.core.ids import TaskId
from portico.flows.rooms import Rooms
from portico.flows.trust import Trust
from portico.providers.base import Finished, Pending


class Progress(msgspec.Struct, frozen=True):
    """How far a task is, 0.0 to 1.0, and whether the upstream has begun on it."""

    done: float | None
    begun: bool


class Stream(Protocol):
    """A text being written."""

    async def end(self) -> None:
        """Stop writing and settle what was delivered."""


class LiveTasks:
    """Progress and waiters by task."""

    def __init__(self) -> None:
        self._progress: dict[TaskId, Progress] = {}
        self._waiters: dict[TaskId, list[asyncio.Future[None]]] = {}
        self._missed: dict[TaskId, int] = {}
        self._unread: dict[TaskId, int] = {}
        self._answers: dict[TaskId, tuple[str, Pending | Finished]] = {}  # to starts, by attempt
        self.rooms = Rooms()  # at credentials whose open attempts are limited
        self.trust = Trust()  # in the notices of upstreams
        self._heard: set[TaskId] = set()  # whose progress another process told
        self._news: dict[TaskId, Progress] | None = None  # to be told to others, if there are any
        self.streams: set[Stream] = set()  # texts being written
        self.suspects: dict[str, float] = {}  # files without a record, since when (monotonic)
        self.pauses_changed = asyncio.Event()  # set when they are to be read again
        self.delivery_due = asyncio.Event()  # set when a delivery was owed; notify clears it

    def report(self, task_id: TaskId, *, done: float | None, begun: bool) -> None:
        """Note how far a task is."""
        progress = Progress(done, begun)
        if self._news is not None and self._progress.get(task_id) != progress:
            self._news[task_id] = progress
        self._progress[task_id] = progress
        self._unread.pop(task_id, None)

    def hear(self, task_id: TaskId, done: float | None, *, begun: bool) -> None:
        """Note how far a task of another process is."""
        self._heard.add(task_id)
        self._progress[task_id] = Progress(done, begun)

    def forget_heard(self) -> None:
        """Forget what others told: they may have told of an end that was not heard."""
        for task_id in self._heard:
            self._progress.pop(task_id, None)
        self._heard.clear()

    def keep_news(self) -> None:
        """From now on keep what is to be told to other processes."""
        self._news = {}

    def take_news(self) -> dict[TaskId, Progress]:
        """Return how far tasks have come since the last call."""
        news, self._news = self._news or {}, {}
        return news

    def progress(self, task_id: TaskId) -> Progress | None:
        """Return how far a task is, if anything is known."""
        return self._progress.get(task_id)

    def keep_answer(self, task_id: TaskId, attempt_id: str, answer: Pending | Finished) -> None:
        """Keep what an upstream said to a start: until it is on disk, it is nowhere but here."""
        self._answers[task_id] = (attempt_id, answer)

    def answer_to(self, task_id: TaskId, attempt_id: str) -> Pending | Finished | None:
        """Return what the upstream said to an attempt's start, if this process heard it."""
        of_attempt, answer = self._answers.get(task_id, ("", None))
        return answer if of_attempt == attempt_id else None

    def missed(self, task_id: TaskId) -> int:
        """Count one check in which the upstream did not know the task; returns the count."""
        count = self._missed[task_id] = self._missed.get(task_id, 0) + 1
        return count

    def unread(self, task_id: TaskId) -> int:
        """Count one look at the upstream or its result that came to nothing; returns the count.

        The count begins anew when the upstream has been heard.
        """
        count = self._unread[task_id] = self._unread.get(task_id, 0) + 1
        return count

    def ended(self, task_id: TaskId) -> None:
        """Forget a task and let everybody go who waits for it."""
        self._progress.pop(task_id, None)
        self._missed.pop(task_id, None)
        self._unread.pop(task_id, None)
        self._answers.pop(task_id, None)
        self._heard.discard(task_id)
        self.rooms.leave(task_id)
        self.trust.forget(task_id)
        if self._news:
            self._news.pop(task_id, None)
        for waiter in self._waiters.pop(task_id, ()):
            if not waiter.done():
                waiter.set_result(None)

    async def end_streams(self, *, within_s: float) -> None:
        """Stop every text being written, and wait a while until all are settled."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await asyncio.gather(*(stream.end() for stream in tuple(self.streams)))

    async def wait(self, task_id: TaskId, *, within_s: float) -> bool:
        """Wait until a task ends; False when the time ran out first."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(task_id, []).append(waiter)
        try:
            async with asyncio.timeout(within_s):
                await waiter
        except TimeoutError:
            return False
        finally:
            self._forget(task_id, waiter)
        return True

    def _forget(self, task_id: TaskId, waiter: asyncio.Future[None]) -> None:
        waiters = self._waiters.get(task_id)
        if waiters and waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self._waiters[task_id]
