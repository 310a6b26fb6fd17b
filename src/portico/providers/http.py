"""Speak JSON with one upstream: refusals by its table, states by its table, nothing quoted.

An answer is hostile until it was read: its words go no further than a look-up in a table of
ours, its numbers are taken only where they are numbers, its ids only where they look like ids.
"""

import math
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from fractions import Fraction
from itertools import islice
from typing import Any

import msgspec
import structlog

from portico.core.errors import PorticoError
from portico.core.upstreams import Call, Part, Reply, Trouble, Upstream, UpstreamError
from portico.providers.base import Finished, Missing, Pending, Remaining

_log = structlog.get_logger("portico.providers")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:~=-]{0,199}")
_NAME = re.compile(r"[A-Za-z0-9@][A-Za-z0-9_.:/@~+=-]{0,199}")
NAMES_MAX = 10_000
_WORD = re.compile(r"[A-Za-z0-9_. -]{1,40}")
_BEGUN_MAX = 10_000
_WORDS_MAX = 500
_NUMBER_MAX = 2**53 - 1
Headers = Mapping[str, str] | Callable[[], Mapping[str, str]]

# What a status means where the upstream's own code says nothing more.
_BY_STATUS = {
    400: Trouble.REQUEST,
    401: Trouble.CREDENTIAL,
    402: Trouble.CREDIT,
    403: Trouble.CREDENTIAL,
    404: Trouble.MODEL,
    405: Trouble.MODEL,
    408: Trouble.AMBIGUOUS,
    409: Trouble.AMBIGUOUS,
    425: Trouble.BUSY,
    429: Trouble.BUSY,
    503: Trouble.BUSY,
    529: Trouble.BUSY,
}
GONE = frozenset({404, 410})
_GOOD = range(200, 300)
_OUR_FAULT = range(300, 500)


class State(StrEnum):
    """How far a job is, whatever its upstream calls it."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Refusals(msgspec.Struct, frozen=True, kw_only=True):
    """How one upstream says no.

    Args:
        code_at: where its own code stands in an answer.
        codes: patterns of codes, most special first; `*` stands for any letters.
        gone_at: where it says in words alone, with any status, that it does not know an id.
        gone: patterns of those words, in small letters.
    """

    code_at: tuple[str, ...]
    codes: Mapping[str, Trouble]
    gone_at: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def say_gone(self, body: object) -> bool:
        """Whether an answer says that there is no such thing."""
        words = at(body, *self.gone_at) if self.gone_at else None
        told = words[:_WORDS_MAX].lower() if isinstance(words, str) else ""
        return any(fnmatchcase(told, pattern) for pattern in self.gone)

    def of(self, status: int, body: object) -> Trouble:
        """Return what an answer with an error means: by its code, else by its status."""
        if found := self.of_code(at(body, *self.code_at)):
            return found
        other = Trouble.REQUEST if status in _OUR_FAULT else Trouble.AMBIGUOUS
        return _BY_STATUS.get(status, other)

    def of_code(self, code: object) -> Trouble | None:
        """Return what a code means, a word or a number; None where the table does not know it."""
        if not isinstance(code, str | int):
            return None
        text = str(code)
        matches = (trouble for name, trouble in self.codes.items() if fnmatchcase(text, name))
        return next(matches, None)


class Api:
    """Makes the calls of one provider with its key.

    Args:
        upstream: carries them.
        headers: the key, in the way this upstream wants it; called for every call where each one
            is signed anew.
        refusals: how it says no.
    """

    def __init__(self, upstream: Upstream, *, headers: Headers, refusals: Refusals) -> None:
        self.upstream = upstream
        self._headers = headers
        self.refusals = refusals
        self._unknown: set[str] = set()
        self._begun = _Begun()

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the next call."""
        return self._headers() if callable(self._headers) else self._headers

    async def begin(
        self,
        path: str,
        *,
        attempt_id: str,
        body: object = None,
        parts: Sequence[Part] = (),
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 60.0,
        answer_bytes_max: int = 2**21,
    ) -> Mapping[str, Any]:
        """Begin paid work by one POST, at most once for an attempt, and return the answer.

        Raises:
            UpstreamError: of any trouble; AMBIGUOUS for every answer that does not say clearly
                whether the work was taken, and for an attempt that has begun already.
        """
        call = Call(
            method="POST",
            path=path,
            headers={**self.headers, **(headers or {})},
            body=body,
            parts=tuple(parts),
            once=True,
            timeout_s=timeout_s,
            answer_bytes_max=answer_bytes_max,
        )
        return await self.begin_by(call, attempt_id=attempt_id)

    async def begin_by(self, call: Call, *, attempt_id: str) -> Mapping[str, Any]:
        """Begin paid work by a call that is made already; else as `begin`.

        Raises:
            UpstreamError: as `begin`.
        """
        self._begun.add(attempt_id)
        return await self.answer(call)

    async def answer(self, call: Call) -> Mapping[str, Any]:
        """Make one call and return its good answer.

        Raises:
            UpstreamError: of any trouble; AMBIGUOUS for an answer that is no JSON.
        """
        reply = await self.upstream.send(call)
        answer = self._good(reply)
        if self.refusals.of_code(at(answer, *self.refusals.code_at)):
            raise self.refused(reply)  # inside a good answer (F10)
        return answer

    def begin_again(self, attempt_id: str) -> None:
        """Allow the same start once more, at an upstream that knows our key for it."""
        self._begun.forget(attempt_id)

    async def ask(
        self, path: str, *, query: Sequence[tuple[str, str]] = ()
    ) -> tuple[Mapping[str, Any], Mapping[str, str]] | None:
        """Read something, and return the answer and its headers; None: no such thing.

        Raises:
            UpstreamError: with the code OVERLOADED, whatever the trouble is.
        """
        call = Call(method="GET", path=path, headers=self.headers, query=tuple(query))
        reply = await self.upstream.send(call)
        if reply.status in GONE or self.refusals.say_gone(read_json(reply.body)):
            return None
        return self.read(reply), reply.headers

    def read(self, reply: Reply) -> Mapping[str, Any]:
        """Return the answer in the reply to a question.

        Raises:
            UpstreamError: with the code OVERLOADED, whatever the trouble is.
        """
        try:
            return self._good(reply)
        except UpstreamError as error:
            raise error.of_read() from None

    async def stop(self, method: str, path: str, *, body: object = None) -> None:
        """Ask to stop something; an upstream that refuses or cannot be reached changes nothing."""
        call = Call(method=method, path=path, headers=self.headers, body=body, timeout_s=15.0)
        try:
            await self.upstream.send(call)
        except UpstreamError as error:
            _log.info("upstream_not_stopped", trouble=error.trouble)

    def state(self, states: Mapping[str, State], word: object) -> State:
        """Return what a word for a state means; an unknown one runs on, and is logged once."""
        known = states.get(word) if isinstance(word, str) else None
        if known is None and isinstance(word, str) and word not in self._unknown:
            self._unknown.add(word[:40])
            if _WORD.fullmatch(word):
                _log.warning("upstream_state_unknown", state=word)
        return known or State.RUNNING

    def failed(self, code: object) -> UpstreamError:
        """Return the error of a job that failed, by the code that was given for it."""
        return UpstreamError(self.refusals.of_code(code) or Trouble.FAILED).of_job()

    def refused(self, reply: Reply) -> UpstreamError:
        """Return the error of an answer that refuses a call."""
        trouble = self.refusals.of(reply.status, read_json(reply.body))
        after_s = reply.retry_after_s if trouble is Trouble.BUSY else None
        return UpstreamError(trouble, retry_after_s=after_s, status=reply.status)

    def _good(self, reply: Reply) -> Mapping[str, Any]:
        if reply.status not in _GOOD:
            raise self.refused(reply)
        answer = read_json(reply.body)
        if not isinstance(answer, dict):
            raise UpstreamError(Trouble.AMBIGUOUS, status=reply.status)
        return answer


class _Begun:
    """The last attempts that were begun: the net below the rows that forbid a second start."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, None] = OrderedDict()

    def add(self, attempt_id: str) -> None:
        if attempt_id in self._known:
            raise UpstreamError(Trouble.AMBIGUOUS, error="begun before")
        self._known[attempt_id] = None
        if len(self._known) > _BEGUN_MAX:
            self._known.popitem(last=False)

    def forget(self, attempt_id: str) -> None:
        self._known.pop(attempt_id, None)


def read_json(body: bytes) -> object:
    """Return what a body says, None for what is no JSON."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def at(value: object, *names: str) -> Any:
    """Return what stands at a path of names inside an answer, None where that ends early."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


async def pending(check: Awaitable[Pending | Finished | Missing]) -> Pending | None:
    """Return a job that has not ended, as a check says; None also where nobody can tell."""
    try:
        known = await check
    except PorticoError:
        return None
    return known if isinstance(known, Pending) else None


def read_id(value: object) -> str:
    """Return the id of a job that was just taken; it goes into paths and rows.

    Raises:
        UpstreamError: AMBIGUOUS for anything else: the job may exist, and nobody can ask for it.
    """
    if isinstance(value, str) and _ID.fullmatch(value):
        return value
    raise UpstreamError(Trouble.AMBIGUOUS, error="no id")


def read_names(values: Iterable[object]) -> frozenset[str]:
    """Return what of a list of models may be a name; the rest, and what is too much, is left out.

    Names of models hold slashes, and are shown to operators only.
    """
    names = (value for value in values if isinstance(value, str) and _NAME.fullmatch(value))
    return frozenset(islice(names, NAMES_MAX))


def hint_of(body: bytes, *names: str) -> str | None:
    """Return the id that a callback names, None for one that names none."""
    value = at(read_json(body), *names) if len(body) <= 2**20 else None
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def read_number(value: object) -> int | float | None:
    """Return a number that may be counted: finite, not negative, not absurd; else None (F23)."""
    if isinstance(value, str):
        try:
            value = float(value) if "." in value else int(value[:20])
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) and 0 <= value <= _NUMBER_MAX else None


def read_remaining(told: Iterable[object], unit: str) -> Remaining:
    """Add up what an upstream says is left of our money there.

    Raises:
        UpstreamError: with the code OVERLOADED, when it says nothing or something odd.
    """
    numbers = [read_number(each) for each in told]
    counted = [Fraction(str(number)) for number in numbers if number is not None]
    if not counted or len(counted) < len(numbers):
        raise UpstreamError(Trouble.UNREACHED, error="no balance").of_read()
    return Remaining(int(sum(counted) * 1_000_000), unit)


def read_usage(answer: object, names: Mapping[str, str]) -> dict[str, object]:
    """Return the numbers of a usage under our own names, without those that are none."""
    if not isinstance(answer, dict):
        return {}
    found = {ours: read_number(answer.get(theirs)) for theirs, ours in names.items()}
    return {name: number for name, number in found.items() if number is not None}


def read_url(value: object) -> str | None:
    """Return what may be tried as a URL; whether it is fetched is the door's to say."""
    return value if isinstance(value, str) and value.startswith(("http://", "https://")) else None
