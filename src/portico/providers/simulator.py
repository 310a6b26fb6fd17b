"""The simulator: answers after a set latency with a small real file or text, or a scripted fault.

For load tests, demos of failover and the fault matrix. `latency=2s,fail=0.01,refuse=0.01,
timeout=0.01,busy=0.05,missing=0.01` sets how long it takes and which share of jobs ends how;
`paid=1` makes it an upstream that charges, so that no start of it is ever repeated.
Which job meets which fault is decided by its attempt's id, so a retry of one attempt repeats it;
texts, which cannot go missing, meet the others by turn.
"""

import asyncio
import functools
import hashlib
import itertools
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

import msgspec

from portico.core.clock import Clock
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatJob, ChatUsage, Chunk, Kind
from portico.core.llm_tokens import count_job_tokens, count_tokens
from portico.providers.base import Assignment, Finished, Missing, OutputFile, Pending

REPLY = "This is the simulator's answer: no model was asked. "
PNG_SIDE = 64
_WORDS = REPLY.split(" ")
_FAULTS = ("fail", "refuse", "timeout", "busy", "missing")
_ERRORS = {
    "fail": (ErrorCode.UPSTREAM_FAILED, "Generation failed"),
    "refuse": (ErrorCode.CONTENT_REFUSED, "Content does not meet safety guidelines"),
    "timeout": (ErrorCode.UPSTREAM_TIMEOUT, "The upstream took too long"),
    "busy": (ErrorCode.OVERLOADED, "The upstream is busy"),
}


class Script(msgspec.Struct, frozen=True):
    """How long the simulator takes, and which share of jobs (0 to 1) meets each fault."""

    latency_s: float = 0.0
    fail: float = 0.0
    refuse: float = 0.0
    timeout: float = 0.0
    busy: float = 0.0
    missing: float = 0.0
    paid: bool = False  # behaves as an upstream that charges: no start is ever repeated


def parse_script(text: str) -> Script:
    """Read `1` or `latency=2s,fail=0.01`.

    Raises:
        ValueError: for an unknown word or a share outside 0 to 1.
    """
    if text in {"1", "true", "yes"}:
        return Script()
    values: dict[str, float] = {}
    paid = False
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, _, value = part.partition("=")
        if name == "paid":
            paid = value == "1"
        elif name == "latency":
            values["latency_s"] = _seconds(value)
        elif name in _FAULTS and 0 <= float(value) <= 1:
            values[name] = float(value)
        else:
            message = f"PORTICO_SIMULATE cannot read {part!r}"
            raise ValueError(message)
    return Script(**values, paid=paid)


class Simulator:
    """A provider of pictures, videos and texts that makes nothing."""

    name = "simulator"

    def __init__(self, script: Script, *, clock: Clock) -> None:
        self.restartable = not script.paid
        self._script = script
        self._clock = clock
        self._texts = itertools.count()  # a text has no attempt: its turn decides its fate

    async def start(self, assignment: Assignment, *, attempt_id: str) -> Pending | Finished:
        """Take a job; the id it returns says all about it, so nothing is remembered."""
        fault = self._fault(attempt_id)
        if fault == "busy":
            raise _error(fault)
        due_ms = self._clock.now() + round(self._script.latency_s * 1000)
        upstream_id = f"{due_ms}:{assignment.job.kind}:{attempt_id}:{fault}"
        outcome = await self.check(upstream_id)
        if isinstance(outcome, Missing):
            return Pending(upstream_id)
        return outcome

    async def check(self, upstream_id: str) -> Pending | Finished | Missing:
        """Say how far a job is."""
        due_ms, kind, _, fault = upstream_id.split(":")
        left_s = (int(due_ms) - self._clock.now()) / 1000
        if left_s > 0:
            total_s = max(self._script.latency_s, left_s)
            return Pending(upstream_id, progress=1 - left_s / total_s, check_after_s=left_s)
        if fault == "missing":
            return Missing()
        if fault:
            raise _error(fault)
        return Finished(outputs=(OutputFile("output", path=_sample(kind)),), usage=_USAGE)

    async def cancel(self, upstream_id: str) -> None:
        """Stop nothing: there is nothing under way."""

    async def close(self) -> None:
        """Stop nothing: nothing was started."""

    async def stream(self, job: ChatJob, *, model: str) -> AsyncIterator[Chunk]:  # noqa: ARG002
        """Write the same sentence for every question, as often as the token limit allows."""
        if self._script.latency_s:
            await asyncio.sleep(self._script.latency_s)
        if (fault := self._fault(f"text {next(self._texts)}")) in _ERRORS:
            raise _error(fault)
        words = min(len(_WORDS), max(1, job.max_tokens // 2))
        text, output_tokens = _reply(words)
        yield Chunk(text=text)
        usage = ChatUsage(input_tokens=count_job_tokens(job), output_tokens=output_tokens)
        yield Chunk(finish="stop" if words == len(_WORDS) else "length", usage=usage)

    def _fault(self, attempt_id: str) -> str:
        """Draw a fault by the attempt's id: the same id, the same fate."""
        digest = hashlib.sha256(attempt_id.encode()).digest()
        drawn = int.from_bytes(digest[:8], "big") / 2**64
        for name in _FAULTS:
            share: float = getattr(self._script, name)
            if drawn < share:
                return name
            drawn -= share
        return ""


_USAGE = {"width": PNG_SIDE, "height": PNG_SIDE, "simulated": True}


@functools.cache
def _reply(words: int) -> tuple[str, int]:
    """Return the answer's first words, and how many LLM tokens they are; few variants exist."""
    text = " ".join(_WORDS[:words])
    return text, count_tokens(text)


def _error(fault: str) -> PorticoError:
    code, message = _ERRORS[fault]
    return PorticoError(code, message)


def _sample(kind: str) -> Path:
    name = "simulated.png" if kind == Kind.IMAGE else "simulated.mp4"
    return Path(str(files("portico.providers") / "samples" / name))


def _seconds(text: str) -> float:
    factor = 0.001 if text.endswith("ms") else 1.0
    return float(text.removesuffix("ms").removesuffix("s")) * factor
