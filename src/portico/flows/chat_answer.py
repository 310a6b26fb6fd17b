"""A written text, and what is heard of one while it is written."""

import msgspec

from portico.core.clock import Instant
from portico.core.ids import TaskId
from portico.core.jobs import ChatUsage, Chunk
from portico.core.money import Credits
from portico.tasks import RouteTaken


class ChatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer, settled: its cost, and what is available after it."""

    task_id: TaskId
    model: str
    text: str
    reasoning: str
    finish: str
    usage: ChatUsage
    cost: Credits
    balance_after: Credits
    created_at: Instant


class Heard:
    """What has come so far of one answer."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self.finish: str | None = None
        self.usage: ChatUsage | None = None
        self.took: RouteTaken | None = None  # who wrote it

    @property
    def any(self) -> bool:
        """Whether anything worth money has come."""
        return bool(self._text or self._reasoning or self.usage)

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        """The reasoning so far."""
        return "".join(self._reasoning)

    def take(self, piece: Chunk) -> None:
        """Note one piece."""
        if piece.text:
            self._text.append(piece.text)
        if piece.reasoning:
            self._reasoning.append(piece.reasoning)
        self.finish = piece.finish or self.finish
        self.usage = piece.usage or self.usage
