"""The menu of faults: what an emulated upstream may do instead of its duty.

A fault is planned for a number of calls of one kind. Those that concern a job stick to the job
whose start met them. A prompt may order one as well: `a boat [fault:task_failed]`.
"""

import re
from collections import deque
from enum import StrEnum

import msgspec

TIMES_MAX = 10_000
_IN_WORDS = re.compile(r"\[fault:([a-z_]+)\]")


class On(StrEnum):
    """Which calls a fault is for."""

    BEGIN = "begin"  # those that begin paid work
    READ = "read"  # of one job
    LIST = "list"
    STOP = "stop"
    TEXT = "text"
    FILE = "file"


class Fault(StrEnum):
    """Everything that can go wrong; see `MENU` for when it strikes."""

    SLOW = "slow"
    RATE_LIMITED = "rate_limited"
    RATE_LIMITED_PLAIN = "rate_limited_plain"
    BUSY = "busy"
    BROKEN_BEFORE = "broken_before"
    BROKEN_AFTER = "broken_after"
    CUT_BEFORE = "cut_before"
    CUT_AFTER = "cut_after"
    CUT_INSIDE = "cut_inside"
    PAGE = "page"
    EMPTY = "empty"
    MALFORMED = "malformed"
    WRONG_TYPES = "wrong_types"
    NO_ID = "no_id"
    FLOOD = "flood"
    TRICKLE = "trickle"
    COMPRESSED = "compressed"
    INVALID = "invalid"
    BAD_KEY = "bad_key"
    NO_CREDIT = "no_credit"
    NO_MODEL = "no_model"
    REFUSED = "refused"
    TASK_FAILED = "task_failed"
    TASK_REFUSED = "task_refused"
    TASK_LOST = "task_lost"
    TASK_STUCK = "task_stuck"
    TASK_RETURNS = "task_returns"
    STRANGE_STATE = "strange_state"
    NO_URL = "no_url"
    PRIVATE_URL = "private_url"
    DEAD_URL = "dead_url"
    PAGE_URL = "page_url"
    EMPTY_FILE = "empty_file"
    BROKEN_FILE = "broken_file"
    NO_USAGE = "no_usage"
    BAD_USAGE = "bad_usage"
    TEXT_CUT = "text_cut"
    TEXT_ERROR = "text_error"


class When(StrEnum):
    """At which moment a fault strikes."""

    BEFORE = "before"  # nothing was taken
    AFTER = "after"  # the work was taken, the answer suffers
    JOB = "job"  # the start is answered well, the job goes wrong
    TEXT = "text"  # within a stream


class Dish(msgspec.Struct, frozen=True):
    """One line of the menu."""

    when: When
    line: str
    number: str = ""  # in the matrix of faults


MENU: dict[Fault, Dish] = {
    Fault.SLOW: Dish(When.AFTER, "answers only after `slow_s`", "F2"),
    Fault.RATE_LIMITED: Dish(When.BEFORE, "429 with Retry-After", "F6"),
    Fault.RATE_LIMITED_PLAIN: Dish(When.BEFORE, "429 without Retry-After", "F6"),
    Fault.BUSY: Dish(When.BEFORE, "503", "F7"),
    Fault.BROKEN_BEFORE: Dish(When.BEFORE, "500, nothing taken", "F7"),
    Fault.BROKEN_AFTER: Dish(When.AFTER, "500 although the work was taken", "F7"),
    Fault.CUT_BEFORE: Dish(When.BEFORE, "closes the connection, nothing taken", "F11"),
    Fault.CUT_AFTER: Dish(When.AFTER, "takes the work and closes the connection", "F2"),
    Fault.CUT_INSIDE: Dish(When.AFTER, "closes the connection inside the answer", "F11"),
    Fault.PAGE: Dish(When.AFTER, "200 with a page", "F9"),
    Fault.EMPTY: Dish(When.AFTER, "200 with nothing", "F9"),
    Fault.MALFORMED: Dish(When.AFTER, "200 with half of its JSON", "F9"),
    Fault.WRONG_TYPES: Dish(When.AFTER, "200 with every value a list", "F9"),
    Fault.NO_ID: Dish(When.AFTER, "200 without the id", "F9"),
    Fault.FLOOD: Dish(When.AFTER, "200 without end", "F13"),
    Fault.TRICKLE: Dish(When.AFTER, "200, a byte now and then", "F12"),
    Fault.COMPRESSED: Dish(When.AFTER, "200, compressed though nobody asked", "F13"),
    Fault.INVALID: Dish(When.BEFORE, "refuses the request as wrong", "F3"),
    Fault.BAD_KEY: Dish(When.BEFORE, "refuses the key", "F4"),
    Fault.NO_CREDIT: Dish(When.BEFORE, "says that the account is empty", "F5"),
    Fault.NO_MODEL: Dish(When.BEFORE, "knows no such model", "F3"),
    Fault.REFUSED: Dish(When.BEFORE, "refuses the content", "F18"),
    Fault.TASK_FAILED: Dish(When.JOB, "the job fails", "F10"),
    Fault.TASK_REFUSED: Dish(When.JOB, "the job's result is refused", "F18"),
    Fault.TASK_LOST: Dish(When.JOB, "the job is unknown from then on", "F15"),
    Fault.TASK_STUCK: Dish(When.JOB, "the job runs for ever", "F14"),
    Fault.TASK_RETURNS: Dish(When.JOB, "the job is done, and runs again once fetched", "F16"),
    Fault.STRANGE_STATE: Dish(When.JOB, "the job is in a state nobody knows", "F14"),
    Fault.NO_URL: Dish(When.JOB, "done, without a URL", "F17"),
    Fault.PRIVATE_URL: Dish(When.JOB, "done, with a private URL", "F17"),
    Fault.DEAD_URL: Dish(When.JOB, "done, with a URL that answers 404", "F17"),
    Fault.PAGE_URL: Dish(When.JOB, "done, with the URL of a page", "F17"),
    Fault.EMPTY_FILE: Dish(When.JOB, "done, with a file of no bytes", "F17"),
    Fault.BROKEN_FILE: Dish(When.JOB, "done, with half a file", "F17"),
    Fault.NO_USAGE: Dish(When.JOB, "done, without usage", "F22"),
    Fault.BAD_USAGE: Dish(When.JOB, "done, with usage that is negative", "F23"),
    Fault.TEXT_CUT: Dish(When.TEXT, "a text breaks off", "F21"),
    Fault.TEXT_ERROR: Dish(When.TEXT, "a text ends in an error", "F21"),
}


class Plans:
    """The faults that are still to come, in order, for each kind of call."""

    def __init__(self) -> None:
        self._waiting: dict[On, deque[Fault]] = {on: deque() for on in On}
        self._always: dict[On, Fault] = {}

    def add(self, fault: Fault, *, on: On = On.BEGIN, times: int = 1) -> None:
        """Plan a fault for the next calls of a kind."""
        self._waiting[on].extend([fault] * min(times, TIMES_MAX))

    def add_for_ever(self, fault: Fault, *, on: On = On.BEGIN) -> None:
        """Plan a fault for every call of a kind that has no other."""
        self._always[on] = fault

    def clear(self) -> None:
        """Behave from now on."""
        self._always.clear()
        for waiting in self._waiting.values():
            waiting.clear()

    def take(self, on: On, words: str = "") -> Fault | None:
        """Return the fault for a call: the next one planned, else what its words order."""
        if self._waiting[on]:
            return self._waiting[on].popleft()
        ordered = _IN_WORDS.search(words)
        if ordered is not None and on in {On.BEGIN, On.TEXT} and ordered[1] in set(Fault):
            return Fault(ordered[1])
        return self._always.get(on)

    def shown(self) -> dict[str, list[str]]:
        """Return what is planned, for people."""
        return {on.value: list(waiting) for on, waiting in self._waiting.items() if waiting}
