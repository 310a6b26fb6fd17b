"""An upstream that answers from a script."""

from collections.abc import AsyncIterator, Iterable

from portico.core.jobs import ChatJob, Chunk
from portico.providers.base import Assignment, Finished, Missing, Pending

Answer = Pending | Finished | Missing | Exception


class FakeProvider:
    """Implements `TaskProvider` and `ChatProvider`; remembers how it was called.

    Every `start` and every `check` takes the next answer; the last one is given again and again.
    An exception in the script, or among the pieces of a text, is raised.

    Args:
        script: what `start` and `check` answer, in order.
        pieces: what `stream` yields, in order, for every text.
        name: how routes call it.
        restartable: whether a start may be repeated, as in `TaskProvider`.
    """

    def __init__(
        self,
        script: Iterable[Answer] = (),
        *,
        pieces: Iterable[Chunk | Exception] = (),
        name: str = "fake",
        restartable: bool = False,
    ) -> None:
        self.name = name
        self.restartable = restartable
        self.started: list[tuple[str, Assignment]] = []  # attempt id, what was asked
        self.checked: list[str] = []  # upstream ids
        self.cancelled: list[str] = []  # upstream ids
        self.streamed: list[ChatJob] = []
        self.closed = False
        self._script = list(script)
        self._pieces = tuple(pieces)

    async def start(self, assignment: Assignment, *, attempt_id: str) -> Pending | Finished:
        """Take a job and give the script's next answer."""
        self.started.append((attempt_id, assignment))
        answer = self._next()
        if isinstance(answer, Missing):
            message = "the script answers Missing to a start"
            raise AssertionError(message)  # noqa: TRY004 - the test is wrong, not a type
        return answer

    async def check(self, upstream_id: str) -> Pending | Finished | Missing:
        """Give the script's next answer."""
        self.checked.append(upstream_id)
        return self._next()

    async def cancel(self, upstream_id: str) -> None:
        """Remember that the work was to be stopped."""
        self.cancelled.append(upstream_id)

    async def close(self) -> None:
        """Remember that the provider was closed."""
        self.closed = True

    async def stream(self, job: ChatJob, *, model: str) -> AsyncIterator[Chunk]:  # noqa: ARG002
        """Yield the scripted pieces."""
        self.streamed.append(job)
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def _next(self) -> Pending | Finished | Missing:
        if not self._script:
            message = "nothing is scripted"
            raise AssertionError(message)
        answer = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer
