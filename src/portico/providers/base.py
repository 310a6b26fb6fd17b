"""The two small protocols a provider may implement: tasks, and chat."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from portico.core.jobs import ChatJob, Chunk, MediaJob, Role


class InputFile(msgspec.Struct, frozen=True):
    """One input, already fetched, checked and lying on this machine's disk."""

    role: Role
    media_type: str  # by magic bytes, such as "image/png"
    path: Path


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of one job, as handed to a provider."""

    job: MediaJob
    stage: str  # "generate" or "enhance"
    model: str  # the upstream's own name for the model
    inputs: tuple[InputFile, ...]
    folder: Path  # this attempt's own existing folder for outputs; the caller removes it


class Pending(msgspec.Struct, frozen=True):
    """The upstream is not done yet."""

    upstream_id: str
    running: bool = True  # False: waiting in the upstream's queue
    progress: float | None = None  # 0.0 to 1.0
    check_after_s: float = 5.0  # when asking again is worth it


class OutputFile(msgspec.Struct, frozen=True):
    """One result: a local file in the assignment's folder, or a URL still to be fetched."""

    role: str  # "output" or "cover"
    path: Path | None = None
    url: str | None = None


class Finished(msgspec.Struct, frozen=True):
    """The upstream is done; `usage` is what it measured, in its own words."""

    outputs: tuple[OutputFile, ...]
    usage: Mapping[str, object] = {}


class Missing(msgspec.Struct, frozen=True):
    """The upstream does not know this id (any more)."""


class TaskProvider(Protocol):
    """Makes images and videos at one upstream."""

    name: str
    restartable: bool  # starting the same attempt again costs nothing and does no harm

    async def start(self, assignment: Assignment, *, attempt_id: str) -> Pending | Finished:
        """Submit once; the same `attempt_id` must not start a second upstream job.

        Raises:
            PorticoError: UPSTREAM_FAILED, UPSTREAM_TIMEOUT (ambiguous), OVERLOADED,
                MEDIA_REJECTED, CONTENT_REFUSED, INVALID_REQUEST.
        """

    async def check(self, upstream_id: str) -> Pending | Finished | Missing:
        """Ask once how far it is; safe to repeat.

        Raises:
            PorticoError: the code with which the upstream says the job failed; OVERLOADED or
                RATE_LIMITED mean that asking again later is worth it.
        """

    async def cancel(self, upstream_id: str) -> None:
        """Stop the work if that is still possible; never raises for an unknown id."""

    async def close(self) -> None:
        """Stop everything this provider started on this machine."""


class ChatProvider(Protocol):
    """Writes text at one upstream."""

    def stream(self, job: ChatJob, *, model: str) -> AsyncIterator[Chunk]:
        """Yield pieces as they come; the last piece carries `finish` and, if known, usage."""
