"""Count what was used: roll finished days up, and report up to this moment.

A day counts as finished an hour after its end: by then whatever ended on it is committed, on
whichever machine, unless clocks are further apart than that.
"""

from collections.abc import Iterable, Mapping
from functools import partial

import msgspec

from portico import accounts, tasks, usage
from portico.core import faults
from portico.core.clock import HOUR_MS, Instant
from portico.core.ids import AccountId, TaskId, lowest_task_id
from portico.core.usage import Day, DayUsage, Tally, add_up, day_of, day_text, start_of
from portico.flows.administer import Desk
from portico.flows.gateway import Gateway
from portico.store import Store, Tx
from portico.usage import Grouping, Progress

FINISHED_AFTER_MS = HOUR_MS
CLOCKS_APART_MS = HOUR_MS
DAYS_AT_ONCE = 31  # their rows are in memory
_EVER: Day = 10**8  # a quarter of a million years


class UsageAsk(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be reported: of one account or all, from a day on, up to and with another."""

    by: Grouping = Grouping.DAY
    email: str | None = None
    since: Day | None = None
    until: Day | None = None


class UsageLine(msgspec.Struct, frozen=True):
    """What one day, model or key came to."""

    label: str
    tally: Tally


class UsageReport(msgspec.Struct, frozen=True):
    """Lines in order of their labels, and all of them together."""

    lines: tuple[UsageLine, ...]
    total: Tally


class _Step(msgspec.Struct, frozen=True):
    """Where roll-ups stand after a day, and the day's rows; without any: where they go back to."""

    after: Progress
    rows: tuple[DayUsage, ...] = ()


async def roll_up(gateway: Gateway) -> int:
    """Roll up every finished day that is not rolled up yet; returns in how many steps.

    Safe to repeat, and to run in two processes: one of them finds the day done.
    """
    taken = 0
    while gateway.runner.leads.is_set():
        before, steps = await _look(gateway.store, gateway.clock.now())
        if not steps:
            break
        for step in steps:
            if not await gateway.store.write(partial(_keep, before=before, step=step)):
                return taken  # another process leads by now
            faults.reach("roll_up.after_commit")
            before = step.after
            taken += 1
    return taken


async def report(desk: Desk, ask: UsageAsk) -> UsageReport:
    """Say what was used: days rolled up, and from the tasks whatever ended since; one moment.

    Raises:
        PorticoError: INVALID_REQUEST for an unknown account.
    """

    def look(tx: Tx) -> UsageReport:
        account_id = accounts.by_email(tx, ask.email).id if ask.email else None
        return _report(tx, ask, account_id)

    return await desk.store.survey(look)


async def _look(store: Store, now: Instant) -> tuple[Progress | None, list[_Step]]:
    """Return how far roll-ups have come, and what is to be written next."""
    unfinished = day_of(now - FINISHED_AFTER_MS)
    known = await store.read(usage.progress)
    if known is not None and _is_done(known.next_day, unfinished):
        return known, []
    return await store.survey(lambda tx: _next_steps(tx, unfinished))


def _is_done(next_day: Day, unfinished: Day) -> bool:
    """Whether no day waits; a clock that stepped back across an hour after midnight is no matter.

    One that is days behind the last roll-up means that the other was ahead, and is not done.
    """
    return next_day in {unfinished, unfinished + 1}


def _next_steps(tx: Tx, unfinished: Day) -> tuple[Progress | None, list[_Step]]:
    """Count the next finished days in one go along the tasks; empty days need no step."""
    known = usage.progress(tx)
    day = known.next_day if known else tasks.first_day(tx)
    if day is None or _is_done(day, unfinished):
        return known, []
    if day > unfinished:  # a clock was days ahead: what it made count is counted again
        return known, [_Step(Progress(unfinished, 0))]
    first_id = known.first_id if known else 0
    until = min(unfinished, day + DAYS_AT_ONCE)
    by_day: dict[Day, list[DayUsage]] = {until - 1: []}
    for row in tasks.usage_of_ended(tx, since=day, until=until, first_id=first_id):
        by_day.setdefault(row.day, []).append(row)
    steps = [_Step(Progress(each + 1, first_id), tuple(by_day[each])) for each in sorted(by_day)]
    last = Progress(until, _first_id_after(tx, until, first_id))
    return known, [*steps[:-1], _Step(last, steps[-1].rows)]


def _keep(tx: Tx, before: Progress | None, step: _Step) -> bool:
    """Write a step down; False: another process did."""
    if not usage.advance(tx, before, step.after):
        return False
    if step.rows:
        usage.keep_day(tx, step.after.next_day - 1, step.rows)
    faults.reach("roll_up.before_commit")
    return True


def _first_id_after(tx: Tx, day: Day, first_id: TaskId) -> TaskId:
    """Return an id below which every task had ended when a day began."""
    start = start_of(day)
    open_then = tasks.first_not_ended(tx, before=start, first_id=first_id)
    coming = lowest_task_id(start - CLOCKS_APART_MS)
    return max(first_id, coming if open_then is None else min(open_then, coming))


def _report(tx: Tx, ask: UsageAsk, account_id: AccountId | None) -> UsageReport:
    since = 0 if ask.since is None else ask.since
    until = _EVER if ask.until is None else ask.until + 1
    rolled = usage.progress(tx) or Progress(0, 0)
    known = usage.tallies(
        tx, ask.by, since=since, until=min(until, rolled.next_day), account_id=account_id
    )
    new = tasks.usage_of_ended(
        tx,
        since=max(since, rolled.next_day),
        until=until,
        first_id=rolled.first_id,
        account_id=account_id,
    )
    return _summed(ask.by, known, new)


def _summed(by: Grouping, known: Mapping[str | Day, Tally], new: Iterable[DayUsage]) -> UsageReport:
    groups = {_text(label): [tally] for label, tally in known.items()}
    for row in new:
        groups.setdefault(_text(_label(by, row)), []).append(row)
    lines = tuple(UsageLine(label, add_up(groups[label])) for label in sorted(groups))
    return UsageReport(lines, add_up(line.tally for line in lines))


def _label(by: Grouping, row: DayUsage) -> str | Day:
    if by is Grouping.DAY:
        return row.day
    return row.model if by is Grouping.MODEL else row.key_id


def _text(label: str | Day) -> str:
    return day_text(label) if isinstance(label, int) else label
