"""Run works side by side: what several ask at the same time is asked in one statement.

On Postgres a statement is a trip over the network, whatever it does. Works in different lanes go
from statement to statement together, each in a greenlet of its own; whoever waits for the same
statement shares the trip. Works in one lane follow one another, and so does what has no lane.
"""

from collections.abc import Awaitable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import TypeVar, cast

from greenlet import getcurrent, greenlet

from portico.store.asking import answers_of
from portico.store.base import Answer, Lane, Row, Statement
from portico.store.groups import Laned, Outcome, Work
from portico.store.postgres_link import DIALECT, Connection, is_trouble
from portico.store.sets import Values, makes_one_row

T = TypeVar("T")


class SpoiledError(Exception):
    """The transaction has to be undone: a work failed after a change, or a call was refused.

    `places` are those of the works that failed; empty when it is not known whose fault it was.
    """

    def __init__(self, places: Iterable[int] = ()) -> None:
        super().__init__("the transaction has to be undone")
        self.places = frozenset(places)


def waves(group: Sequence[Laned]) -> Iterator[list[int]]:
    """Sort the works of a group, named by their places, into those that may run side by side.

    What stands behind a work without a lane stays behind it.
    """
    ready: list[list[int]] = []
    deep: dict[Lane, int] = {}
    for place, (_, lane) in enumerate(group):
        if lane is None:
            yield from ready
            yield [place]
            ready, deep = [], {}
            continue
        depth = deep[lane] = deep.get(lane, -1) + 1
        if depth == len(ready):
            ready.append([])
        ready[depth].append(place)
    yield from ready


async def run_all(
    connection: Connection, group: Sequence[Laned], lines: list[str]
) -> list[Outcome]:
    """Run every work of a group in the open transaction; a refusal without a change is no harm.

    What works announce is added to `lines`.

    Raises:
        SpoiledError: nothing of the group may stand.
        Exception: the database is in trouble.
    """
    outcomes: dict[int, Outcome] = {}
    for places in waves(group):
        wave = _Wave([(place, group[place].work) for place in places])
        outcomes.update(await wave.run(connection))
        lines += wave.lines()
    return [outcomes[place] for place in range(len(group))]


class _Run:
    """One work on its way; to the work itself this is the transaction."""

    __slots__ = (
        "_above", "_promises", "changed", "inside", "kept", "lines", "place", "statement", "values",
    )  # fmt: skip

    statement: Statement  # what it waits for
    values: Values

    def __init__(self, place: int, work: Work, promises: "_Promises") -> None:
        self.place = place
        self.kept = -1
        self._promises = promises
        self.changed = False
        self.lines: list[str] = []  # to be told to other processes
        self._above = getcurrent()
        self.inside = greenlet(work)
        self.inside.gr_context = self._above.gr_context  # log lines keep what they belong to

    def rows(self, statement: Statement, **values: object) -> Sequence[Row]:
        """Run a statement and return all its rows."""
        return self._ask(statement, values)[1]

    def one(self, statement: Statement, **values: object) -> Row | None:
        """Run a statement and return its first row, if there is one."""
        rows = self._ask(statement, values)[1]
        return rows[0] if rows else None

    def execute(self, statement: Statement, **values: object) -> int:
        """Run a statement and return how many rows it changed."""
        if makes_one_row(statement):
            self._promises.add(statement, values)
            self.kept = self._promises.kept
            self.changed = True
            return 1
        return self._ask(statement, values)[0]

    def announce(self, line: str) -> None:
        """Have a line told to the other processes when the group counts."""
        self.lines.append(line)

    def _ask(self, statement: Statement, values: Values) -> Answer:
        self.statement = statement
        self.values = values
        return cast("Answer", self._above.switch())


class _Promises:
    """Rows to be inserted: nobody waits for them, for all that can be said of each is that it was.

    If one is refused after all, the transaction is undone and every work asks for itself.
    """

    def __init__(self) -> None:
        self.kept = 0  # how often; who promised nothing since has nothing outstanding
        self._calls: dict[Statement, list[Values]] = {}

    def add(self, statement: Statement, values: Values) -> None:
        self._calls.setdefault(statement, []).append(values)

    async def keep(self, connection: Connection) -> None:
        calls, self._calls = self._calls, {}
        self.kept += 1
        for statement, values in calls.items():
            await answers_of(connection, statement, values)


class _Wave:
    """Works side by side, each at its end or waiting for one statement."""

    def __init__(self, works: Iterable[tuple[int, Work]]) -> None:
        self._promises = _Promises()
        self._runs = [_Run(place, work, self._promises) for place, work in works]
        self._waiting: dict[Statement, list[_Run]] = {}
        self._since: dict[Statement, int] = {}  # the round in which somebody began to wait for it
        self._round = 0
        self._outcomes: dict[int, Outcome] = {}
        self._failed: list[int] = []

    async def run(self, connection: Connection) -> dict[int, Outcome]:
        """Bring every work to its end; returns what came of each, by its place."""
        try:
            for run in self._runs:
                self._go_on(run, run)
            while self._waiting:
                await self._run_one_statement(connection)
            if not self._failed:
                await _spoiling(self._promises.keep(connection))
        finally:
            for run in self._runs:
                if not run.inside.dead:
                    run.inside.throw()
        if self._failed:
            raise SpoiledError(self._failed)
        return self._outcomes

    def lines(self) -> list[str]:
        """Return what the works that came to a good end announce."""
        return [line for run in self._runs if self._outcomes[run.place][0] for line in run.lines]

    async def _run_one_statement(self, connection: Connection) -> None:
        """Run the statement fewest wait for: so laggards catch up, and share the next one."""
        statement = min(self._waiting, key=self._patience)
        self._round += 1
        runs = sorted(self._waiting.pop(statement), key=attrgetter("place"))
        if any(run.kept == self._promises.kept for run in runs):
            await _spoiling(self._promises.keep(connection))
        answers = await _spoiling(answers_of(connection, statement, [run.values for run in runs]))
        changes = not statement.compiled(DIALECT).reads
        for run, answer in zip(runs, answers, strict=True):
            if answer is None:  # another call for the same row goes first
                self._wait(run)
                continue
            if changes and answer[0]:
                run.changed = True
            self._go_on(run, answer)

    def _go_on(self, run: _Run, given: _Run | Answer) -> None:
        """Let a work go on to its next statement, or to its end."""
        try:
            result = run.inside.switch(given)
        except Exception as error:  # noqa: BLE001 - handed to the caller that sent the work
            if run.changed:
                self._failed.append(run.place)
            self._outcomes[run.place] = (False, error)
            return
        if run.inside.dead:
            self._outcomes[run.place] = (True, result)
        else:
            self._wait(run)

    def _wait(self, run: _Run) -> None:
        waiting = self._waiting.get(run.statement)
        if waiting is None:
            waiting = self._waiting[run.statement] = []
            self._since[run.statement] = self._round
        waiting.append(run)

    def _patience(self, statement: Statement) -> tuple[int, int]:
        """Return how long a statement can wait; one that was come to last is likely a laggard's."""
        return len(self._waiting[statement]), -self._since[statement]


async def _spoiling(asked: Awaitable[T]) -> T:
    """Wait for the database; what it refuses spoils the transaction, whoever asked for it."""
    try:
        return await asked
    except Exception as error:
        if is_trouble(error):
            raise
        raise SpoiledError from error
