"""What goes to an upstream and comes back, and what kind of trouble there may be with it.

Providers write calls and read replies; the outbound room carries them. They share only this.
The kind of trouble decides what may happen next: whether waiting helps, whether another route
helps, and above all whether a job may exist that nobody holds an id of.
"""

from collections.abc import AsyncIterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec

from portico.core.errors import ErrorCode, Fault, PorticoError

MIB = 2**20


class Trouble(StrEnum):
    """Why an upstream did not do what it was asked; closed, like the codes of errors."""

    UNREACHED = "unreached"  # no connection: nothing was sent
    BUSY = "busy"  # refused before it was taken: too fast, too many, out of order for now
    AMBIGUOUS = "ambiguous"  # sent, and no answer that says whether it was taken
    CREDENTIAL = "credential"  # our key is not valid, or may not do this
    CREDIT = "credit"  # our balance there is empty
    MODEL = "model"  # no such model, or not for us
    REQUEST = "request"  # our request is wrong in its eyes
    MEDIA = "media"  # an input file is wrong in its eyes
    CONTENT = "content"  # its rules forbid the words, an input or the result
    FAILED = "failed"  # taken, and failed


_NOTHING: Mapping[str, object] = {}

WAITING_HELPS = frozenset({Trouble.UNREACHED, Trouble.BUSY})
OTHER_ROUTE_HELPS = WAITING_HELPS | {Trouble.CREDENTIAL, Trouble.CREDIT, Trouble.MODEL}
OPERATOR_HELPS = frozenset({Trouble.CREDENTIAL, Trouble.CREDIT, Trouble.MODEL})

# What is said of each: codes that no customer could take for trouble of his own.
_WORDS = {
    Trouble.UNREACHED: (ErrorCode.OVERLOADED, "The upstream cannot be reached"),
    Trouble.BUSY: (ErrorCode.OVERLOADED, "The upstream is busy"),
    Trouble.AMBIGUOUS: (ErrorCode.UPSTREAM_TIMEOUT, "The upstream took too long"),
    Trouble.CREDENTIAL: (ErrorCode.UPSTREAM_FAILED, "Generation failed"),
    Trouble.CREDIT: (ErrorCode.UPSTREAM_FAILED, "Generation failed"),
    Trouble.MODEL: (ErrorCode.UPSTREAM_FAILED, "Generation failed"),
    Trouble.REQUEST: (ErrorCode.INVALID_REQUEST, "The model cannot do what was asked"),
    Trouble.MEDIA: (ErrorCode.MEDIA_REJECTED, "The model cannot use an input file"),
    Trouble.CONTENT: (ErrorCode.CONTENT_REFUSED, "Content does not meet safety guidelines"),
    Trouble.FAILED: (ErrorCode.UPSTREAM_FAILED, "Generation failed"),
}


class UpstreamError(PorticoError):
    """A refusal or failure of an upstream; its message never holds the upstream's own words.

    Args:
        trouble: what kind it is; decides the code.
        retry_after_s: what the upstream asked for, in seconds.
        usage: what it measured, and takes money for although it failed.
        facts: for the operator's log only.
    """

    def __init__(
        self,
        trouble: Trouble,
        *,
        retry_after_s: float | None = None,
        usage: Mapping[str, object] = _NOTHING,
        **facts: object,
    ) -> None:
        code, message = _WORDS[trouble]
        super().__init__(code, message, retry_after_s=retry_after_s)
        self.trouble = trouble
        self.usage = usage
        self.facts = {"trouble": trouble, **facts}

    @property
    def fault(self) -> Fault:
        """Who has to act: the operator for a bad key, an empty balance or a missing model."""
        return Fault.OPERATOR if self.trouble in OPERATOR_HELPS else super().fault

    def of_read(self) -> "UpstreamError":
        """Return the error of a question, not of a job: asking again later is always worth it.

        Only what an upstream says of a job ends it; that nobody can be asked never does.
        """
        self.code = ErrorCode.OVERLOADED
        return self

    def of_job(self) -> "UpstreamError":
        """Return the error of a job that has ended: nothing about it can be waited for."""
        if self.trouble in {Trouble.REQUEST, Trouble.MEDIA, Trouble.CONTENT}:
            return self
        ended = UpstreamError(Trouble.FAILED, usage=self.usage, told=self.trouble)
        ended.facts = self.facts | ended.facts
        return ended


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a multipart body: a text, or a file with its type."""

    name: str
    text: str | None = None
    path: Path | None = None
    media_type: str = ""
    file_name: str = ""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request to an upstream; its path is relative to the operator's base URL."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = {}
    body: object = None  # sent as JSON
    parts: tuple[Part, ...] = ()  # sent as multipart/form-data, instead of a body
    once: bool = False  # begins paid work: over a connection of its own, never repeated
    timeout_s: float = 60.0  # from the first look-up to the last byte
    answer_bytes_max: int = 2 * MIB

    def __repr__(self) -> str:
        """Keep keys and prompts out of whatever is printed."""
        return f"Call({self.method} {self.path})"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What an upstream answered, whole."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}  # names in lower case
    retry_after_s: float | None = None

    def __repr__(self) -> str:
        """Keep the upstream's words out of whatever is printed."""
        return f"Reply({self.status}, {len(self.body)} bytes)"


class AnsweredError(Exception):
    """A stream was asked for, and a plain reply with an error came."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"status {reply.status}")
        self.reply = reply


class Upstream(Protocol):
    """One remote service under one base URL."""

    async def send(self, call: Call) -> Reply:
        """Make one call and return its whole answer, whatever its status.

        Raises:
            UpstreamError: UNREACHED when nothing was sent, or nothing was begun by it; AMBIGUOUS
                when a call that begins work was sent and no whole answer came.
        """

    def listen(self, call: Call) -> AsyncIterator[bytes]:
        """Make one call and yield the data of each server-sent event as it comes.

        Raises:
            AnsweredError: an answer with another status than 200, or that is no stream.
            UpstreamError: UNREACHED when it cannot be asked, or the stream broke.
        """

    async def save(self, call: Call, to: Path, *, size_max_bytes: int) -> int:
        """Write a good answer's body to a new file and return its size in bytes.

        Raises:
            UpstreamError: UNREACHED for any other answer, or none.
        """

    async def close(self) -> None:
        """Let go of all connections."""
