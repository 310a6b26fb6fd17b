"""Copy a whole database into an empty one: everything and verified, or nothing."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from portico.core import faults
from portico.core.errors import ErrorCode, PorticoError
from portico.flows.administer import differences
from portico.store import Store, Tx
from portico.store.bridge import wait_from_survey
from portico.store.copying import (
    TableSum,
    Target,
    Values,
    all_tables,
    count_rows,
    different,
    read_table,
)

Tell = Callable[[str, int, int], None]  # what is done, rows so far, rows in all


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied, and is the same on both sides."""

    tables: tuple[TableSum, ...]
    left_behind: bool  # the source has changed since the moment that was copied


async def move(source: Store, target: Target, *, tell: Tell, may_change: bool = False) -> Moved:
    """Copy all rows of one moment, compare both sides, and only then keep the copy.

    Args:
        source: read in one snapshot; nothing is written to it.
        target: closed by the caller.
        tell: called as the work goes on, from whatever thread does it.
        may_change: go on when the source changes meanwhile; what is new stays behind.

    Raises:
        PorticoError: INVALID_REQUEST, and nothing is kept, when the target is not empty, a
            ledger does not add up, both sides differ, or the source has changed.
    """
    before = await target.look(count_rows)
    if filled := [name for name, rows in before.items() if rows]:
        message = f"the target is not empty: there are rows in {', '.join(filled)}"
        raise _refused(message)
    passing = _Passing(tell)
    copied = await source.survey(_copying(target, passing))
    await target.settle()
    passing.begin("checking", passing.of)
    await target.look(lambda tx: _compare(tx, copied, passing))
    left_behind = await source.survey(count_rows) != {each.table: each.rows for each in copied}
    if left_behind and not may_change:
        message = "the source was changed meanwhile, nothing was kept; stop what uses it first"
        raise _refused(message)
    faults.reach("copy.before_commit")
    await target.commit()
    return Moved(tables=tuple(copied), left_behind=left_behind)


class _Passing:
    """Counts the rows that pass, for whoever watches."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self.begin("copying", 0)

    def begin(self, what: str, of: int) -> None:
        """Start from nothing again."""
        self._what, self._done, self.of = what, 0, of

    def count(self, rows: Sequence[Values]) -> None:
        """Say that these have passed."""
        self._done += len(rows)
        self._tell(self._what, self._done, self.of)


def _copying(target: Target, passing: _Passing) -> Callable[[Tx], list[TableSum]]:
    loop = asyncio.get_running_loop()

    def work(tx: Tx) -> list[TableSum]:
        _require_sound(tx, "source")
        passing.begin("copying", sum(count_rows(tx).values()))
        copied = []
        for table in all_tables():

            def take(rows: Sequence[Values]) -> None:
                wait_from_survey(target.insert(table, rows), loop)  # noqa: B023 - run at once
                passing.count(rows)
                faults.reach("copy.after_batch")

            copied.append(read_table(tx, table, take))
        return copied

    return work


def _compare(tx: Tx, copied: Sequence[TableSum], passing: _Passing) -> None:
    found = [read_table(tx, table, passing.count) for table in all_tables()]
    if wrong := different(copied, found):
        message = f"the copy is not the same in {', '.join(wrong)}; nothing was kept"
        raise _refused(message)
    _require_sound(tx, "target")


def _require_sound(tx: Tx, side: str) -> None:
    if found := differences(tx):
        message = (
            f"the ledger of the {side} does not add up ({len(found)} differences, such as "
            f"{found[0].what}); nothing was kept"
        )
        raise _refused(message)


def _refused(message: str) -> PorticoError:
    return PorticoError(ErrorCode.INVALID_REQUEST, message)
