"""The matrix of faults as data: what goes wrong at an upstream, and how it must end.

Every row is tried with every provider that makes such a thing, through a whole gateway
(`test_matrix.py`); `scripts/fault_matrix.py` writes the page from the same rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from portico.emulators.faults import MENU, Fault, On
from tests.contract.providers.cases import CASES, Case


@dataclass(frozen=True)
class End:
    """How a task ends.

    Args:
        state: the final one; only a task that has succeeded is charged.
        code: what its owner is told of the failure.
        jobs: how many paid jobs the upstream took.
    """

    state: str
    code: str | None = None
    jobs: int = 1

    @property
    def money(self) -> str:
        """What becomes of the hold."""
        return "charged once" if self.state == "succeeded" else "refunded"

    def __str__(self) -> str:
        """Say it for a table."""
        told = f" `{self.code}`" if self.code else ""
        return f"{self.state}{told}, {self.money}"


@dataclass(frozen=True)
class Row:
    """One way to go wrong.

    Args:
        number: in the matrix of faults.
        words: what happens, for people.
        makes: "video", "image", "waited_image" or "chat".
        plan: faults, the calls they strike, and how often; 0: for ever.
        ends: how it ends where a lost start cannot be looked up.
        found: the same where it can, if that differs.
        is_down: nobody listens at the upstream's address.
        streams: whether a text is read as it is written.
    """

    number: str
    words: str
    makes: str
    plan: tuple[tuple[Fault, On, int], ...]
    ends: End
    found: End | None = None
    is_down: bool = False
    streams: bool = False

    @property
    def id(self) -> str:
        """How a failing test names it."""
        plain = "down" if self.is_down else "well"
        faults = "+".join(f"{fault}@{on}x{times}" for fault, on, times in self.plan) or plain
        return f"{self.number}-{self.makes}-{faults}{'-stream' if self.streams else ''}"

    def end(self, case: Case) -> End:
        """Return how it ends with one provider."""
        return self.found if self.found and case.finds else self.ends


WELL = End("succeeded")
WRONG = End("failed", "invalid_request", 0)
NOT_TAKEN = End("failed", "upstream_failed", 0)
FAILED = End("failed", "upstream_failed")
UNCLEAR = End("failed", "upstream_timeout")
UNCLEAR_NOT_TAKEN = End("failed", "upstream_timeout", 0)
REFUSED = End("failed", "content_refused")
REFUSED_AT_ONCE = End("failed", "content_refused", 0)
LATE = End("expired", "upstream_timeout")


def at_start(fault: Fault, ends: End, *, found: End | None = None, times: int = 1) -> Row:
    """Return a row of what strikes the start of a video."""
    dish = MENU[fault]
    when = "the start: " if times else "every start: "
    return Row(dish.number, when + dish.line, "video", ((fault, On.BEGIN, times),), ends, found)


def at_read(number: str, fault: Fault, ends: End = WELL, *, times: int = 1) -> Row:
    """Return a row of what strikes a question about a video."""
    when = "a question: " if times else "every question: "
    return Row(number, when + MENU[fault].line, "video", ((fault, On.READ, times),), ends)


def at_picture(fault: Fault, ends: End) -> Row:
    """Return a row of what strikes a picture that comes at once."""
    line = f"a picture: {MENU[fault].line}"
    return Row(MENU[fault].number, line, "image", ((fault, On.BEGIN, 1),), ends)


def at_waited_picture(fault: Fault, ends: End) -> Row:
    """Return a row of what strikes a picture that is a job."""
    line = f"a picture that is a job: {MENU[fault].line}"
    return Row(MENU[fault].number, line, "waited_image", ((fault, On.BEGIN, 1),), ends)


def at_text(fault: Fault, ends: End, *, streams: bool = False, jobs_seen: str = "") -> Row:
    """Return a row of what strikes a text."""
    line = f"a text{' that is streamed' if streams else ''}: {MENU[fault].line}{jobs_seen}"
    plan = ((fault, On.TEXT, 1),)
    return Row(MENU[fault].number, line, "chat", plan, ends, streams=streams)


ROWS: tuple[Row, ...] = (
    Row("-", "nothing goes wrong", "video", (), WELL),
    Row("-", "nothing goes wrong with a picture", "image", (), WELL),
    Row("-", "nothing goes wrong with a picture that is a job", "waited_image", (), WELL),
    Row("-", "nothing goes wrong with a text", "chat", (), WELL),
    Row("F1", "nobody listens at the address", "video", (), NOT_TAKEN, is_down=True),
    at_start(Fault.SLOW, UNCLEAR, found=WELL),
    at_start(Fault.CUT_AFTER, UNCLEAR, found=WELL),
    at_start(Fault.INVALID, WRONG),
    at_start(Fault.NO_MODEL, NOT_TAKEN),
    at_start(Fault.BAD_KEY, NOT_TAKEN),
    at_start(Fault.NO_CREDIT, NOT_TAKEN),
    at_start(Fault.RATE_LIMITED, WELL),
    at_start(Fault.RATE_LIMITED_PLAIN, WELL),
    at_start(Fault.BUSY, WELL),
    at_start(Fault.BROKEN_BEFORE, UNCLEAR_NOT_TAKEN, found=WELL),
    at_start(Fault.BROKEN_AFTER, UNCLEAR, found=WELL),
    at_read("F7", Fault.BROKEN_BEFORE),
    at_read("F7", Fault.BUSY),
    at_read("F6", Fault.RATE_LIMITED),
    at_start(Fault.BUSY, NOT_TAKEN, times=0),
    at_read("F8", Fault.BROKEN_BEFORE, LATE, times=0),
    at_start(Fault.PAGE, UNCLEAR, found=WELL),
    at_start(Fault.EMPTY, UNCLEAR, found=WELL),
    at_start(Fault.MALFORMED, UNCLEAR, found=WELL),
    at_start(Fault.WRONG_TYPES, UNCLEAR, found=WELL),
    at_start(Fault.NO_ID, UNCLEAR, found=WELL),
    at_read("F9", Fault.PAGE),
    at_read("F9", Fault.EMPTY),
    at_read("F9", Fault.MALFORMED),
    at_read("F9", Fault.WRONG_TYPES),
    at_start(Fault.TASK_FAILED, FAILED),
    at_start(Fault.CUT_BEFORE, UNCLEAR_NOT_TAKEN, found=WELL),
    at_start(Fault.CUT_INSIDE, UNCLEAR, found=WELL),
    at_read("F11", Fault.CUT_AFTER),
    at_read("F11", Fault.CUT_INSIDE),
    at_start(Fault.TRICKLE, UNCLEAR, found=WELL),
    at_read("F12", Fault.TRICKLE),
    at_start(Fault.FLOOD, UNCLEAR, found=WELL),
    at_start(Fault.COMPRESSED, UNCLEAR, found=WELL),
    at_read("F13", Fault.FLOOD),
    at_read("F13", Fault.COMPRESSED),
    at_start(Fault.TASK_STUCK, LATE),
    at_start(Fault.STRANGE_STATE, LATE),
    at_start(Fault.TASK_LOST, FAILED),
    at_start(Fault.TASK_RETURNS, WELL),
    at_start(Fault.NO_URL, FAILED),
    at_start(Fault.PRIVATE_URL, FAILED),
    at_start(Fault.DEAD_URL, FAILED),
    at_start(Fault.PAGE_URL, FAILED),
    at_start(Fault.EMPTY_FILE, FAILED),
    at_start(Fault.BROKEN_FILE, FAILED),
    at_start(Fault.REFUSED, REFUSED_AT_ONCE),
    at_start(Fault.TASK_REFUSED, REFUSED),
    at_start(Fault.NO_USAGE, WELL),
    at_start(Fault.BAD_USAGE, WELL),
    at_picture(Fault.CUT_AFTER, UNCLEAR),
    at_picture(Fault.BUSY, WELL),
    at_picture(Fault.BAD_KEY, NOT_TAKEN),
    at_picture(Fault.NO_CREDIT, NOT_TAKEN),
    at_picture(Fault.PAGE, UNCLEAR),
    at_picture(Fault.NO_URL, FAILED),
    at_picture(Fault.BROKEN_FILE, FAILED),
    at_picture(Fault.REFUSED, REFUSED_AT_ONCE),
    at_waited_picture(Fault.TASK_FAILED, FAILED),
    at_waited_picture(Fault.BROKEN_FILE, FAILED),
    at_waited_picture(Fault.REFUSED, REFUSED_AT_ONCE),
    at_text(Fault.INVALID, WRONG),
    at_text(Fault.BAD_KEY, NOT_TAKEN),
    at_text(Fault.NO_CREDIT, NOT_TAKEN),
    at_text(Fault.NO_MODEL, NOT_TAKEN),
    at_text(Fault.CUT_BEFORE, NOT_TAKEN),
    at_text(Fault.REFUSED, REFUSED_AT_ONCE),
    at_text(Fault.TEXT_CUT, FAILED),
    at_text(Fault.TEXT_ERROR, FAILED),
    at_text(Fault.TEXT_CUT, WELL, streams=True, jobs_seen=", what came is paid"),
    at_text(Fault.TEXT_ERROR, WELL, streams=True, jobs_seen=", what came is paid"),
    at_text(Fault.NO_USAGE, WELL),
    at_text(Fault.BAD_USAGE, WELL),
)


@dataclass(frozen=True)
class Cell:
    """One row with one provider."""

    row: Row
    case: Case = field(compare=False)

    @property
    def id(self) -> str:
        """How a failing test names it."""
        return f"{self.case.id}-{self.row.id}"


def cells() -> Iterator[Cell]:
    """Yield every row with every provider that makes such a thing."""
    for case in CASES:
        for row in ROWS:
            is_about_urls = any(fault is Fault.PRIVATE_URL for fault, _, _ in row.plan)
            if getattr(case, row.makes) and (case.gives_urls or not is_about_urls):
                yield Cell(row, case)
