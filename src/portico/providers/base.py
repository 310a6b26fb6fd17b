"""The small protocols a provider may implement: tasks and chat, and what not every upstream can.

A provider of a remote upstream is made from a `Credential` and an `Upstream` that carries its
calls; it keeps nothing of a job in memory, so any process may ask about any job at any time.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from portico.core.clock import Instant
from portico.core.jobs import ChatJob, Chunk, Kind, MediaJob, Role


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """Our key at an upstream, where that is, and what is special about it there."""

    name: str  # as routes call it
    base_url: str
    secret: str
    options: Mapping[str, str] = {}  # each provider's docstring names those it knows

    def __repr__(self) -> str:
        """Keep the secret out of whatever is printed."""
        return f"Credential({self.name!r})"


class HandOver(StrEnum):
    """How an input file gets to an upstream."""

    PASS = "pass"  # noqa: S105 - the customer's own public URL, which the upstream fetches
    DATA = "data"  # the bytes inside the request, as a data URI
    UPLOAD = "upload"  # the bytes beside the request, as the upstream takes files
    LINK = "link"  # a signed link to our own copy, which the upstream fetches


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider's upstream can do; routing and documents read it."""

    kinds: frozenset[Kind]
    params: Mapping[str, str] = {}  # what it honours: our name -> its name
    roles: Mapping[Role, str] = {}  # what it takes: our role -> its word
    media: Mapping[str, tuple[HandOver, ...]] = {}  # "image", "video", "audio" -> in this order
    data_bytes_max: int = 0  # of one file inside a request
    calls_back: bool = False
    check_after_s: float = 5.0  # the advised interval between two questions about a job


class InputFile(msgspec.Struct, frozen=True):
    """One input, already fetched, checked and lying on this machine's disk."""

    role: Role
    media_type: str  # by magic bytes, such as "image/png"
    path: Path
    url: str | None = None  # where the customer has it, if anybody may fetch it there
    link: str | None = None  # where anybody may fetch our copy of it for a while


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of one job, as handed to a provider."""

    job: MediaJob
    stage: str  # "generate" or "enhance"
    model: str  # the upstream's own name for the model
    inputs: tuple[InputFile, ...]
    folder: Path  # this attempt's own existing folder for outputs; the caller removes it
    callback_url: str | None = None  # unguessable; where the upstream may say that it is done


class Pending(msgspec.Struct, frozen=True):
    """The upstream is not done yet."""

    upstream_id: str
    running: bool = True  # False: waiting in the upstream's queue
    progress: float | None = None  # 0.0 to 1.0
    check_after_s: float = 5.0  # when asking again is worth it


Save = Callable[[Path, int], Awaitable[object]]  # to a new file, of at most so many bytes


class OutputFile(msgspec.Struct, frozen=True):
    """One result: a file we made ourselves, a URL still to be fetched, or what only we can save.

    Exactly one is set. `save` is for bytes that came inside an answer, or that our key opens;
    they are as foreign as those behind a URL.
    """

    role: str  # "output" or "cover"
    path: Path | None = None
    url: str | None = None
    save: Save | None = None


class Finished(msgspec.Struct, frozen=True):
    """The upstream is done; `usage` is what it measured.

    What costs money has one name for all upstreams: `video_tokens`, `images`, `seconds`,
    `input_tokens`, `output_tokens`, `compute_seconds` of a machine there, and `credits` where an
    upstream counts in its own; each a number that is not negative, or absent.
    """

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
            PorticoError: UPSTREAM_FAILED, UPSTREAM_TIMEOUT (ambiguous: a job may exist),
                OVERLOADED, MEDIA_REJECTED, CONTENT_REFUSED, INVALID_REQUEST,
                UNSUPPORTED_OPTION. Remote ones raise `UpstreamError`, which says more.
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


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """A start of which nobody knows whether the upstream took it."""

    attempt_id: str
    assignment: Assignment
    started_at: Instant  # before the call


@runtime_checkable
class Finder(Protocol):
    """A provider that can look up a start whose answer was lost."""

    async def find(self, lost: Lost) -> Pending | Finished | Missing | None:
        """Look for the job of an attempt by our own mark on it; starts no second job.

        Missing: the upstream does not have it, at least so far; None: this upstream can tell
        neither now nor later.

        Raises:
            PorticoError: OVERLOADED when it cannot be asked now.
        """


@runtime_checkable
class CallbackReader(Protocol):
    """A provider whose upstream says by itself when a job is done."""

    def parse_callback(self, body: bytes) -> str | None:
        """Return the upstream's id of a job: a hint to ask about it, and nothing else."""


@runtime_checkable
class CallbackReplier(Protocol):
    """A provider whose upstream wants an answer of its own before it calls back."""

    def reply_to_callback(self, body: bytes) -> Mapping[str, str] | None:
        """Return the answer, sent as JSON; None: this one needs none."""


@runtime_checkable
class Lister(Protocol):
    """A provider whose upstream tells, without pay, which models our key may ask for."""

    async def models(self) -> frozenset[str] | None:
        """Return the upstream's own names; None: this one keeps no list.

        Raises:
            UpstreamError: with the code OVERLOADED, whatever the trouble is.
        """


class Remaining(msgspec.Struct, frozen=True):
    """What is left of our money at an upstream, in millionths of its own unit."""

    amount: int
    unit: str  # "credits", "USD"


@runtime_checkable
class BalanceReader(Protocol):
    """A provider whose upstream tells, without pay, what is left of our money there."""

    async def balance(self) -> Remaining:
        """Ask once.

        Raises:
            UpstreamError: with the code OVERLOADED, whatever the trouble is.
        """


class ChatProvider(Protocol):
    """Writes text at one upstream."""

    def stream(self, job: ChatJob, *, model: str) -> AsyncIterator[Chunk]:
        """Yield pieces as they come; the last piece carries `finish` and, if known, usage."""
