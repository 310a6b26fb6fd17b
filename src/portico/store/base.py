"""What every database offers: statements compiled once, transactions as functions."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from sqlalchemy import BigInteger, Integer, MetaData
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.expression import Executable

T = TypeVar("T")

Lane: TypeAlias = Hashable  # what a work has to itself while others run beside it


class Row(Protocol):
    """One row: values by their columns' names, or all of them in the columns' order."""

    def __getitem__(self, name: str, /) -> Any:
        """Return one column's value."""

    def __iter__(self) -> Iterator[Any]:
        """Go through the values, in the order in which the statement names its columns."""

    def keys(self) -> Iterable[str]:
        """Return the columns' names."""


# a primary key of this type is SQLite's own row id, and costs no index of its own
RowId = BigInteger().with_variant(Integer, "sqlite")

Answer: TypeAlias = tuple[int, Sequence[Row]]  # rows changed or found, rows returned

metadata = MetaData()  # every part declares its tables on this one


class Compiled(NamedTuple):
    """A statement as one database wants it."""

    text: str
    fixed: Mapping[str, object]  # values that are part of the statement
    order: tuple[str, ...]  # names by position, where the database counts; else empty
    reads: bool  # it changes nothing


class Statement:
    """One SQL statement, written in SQLAlchemy Core and compiled once per database.

    The text is executed on the driver itself: the compiled form costs a few microseconds a
    call where SQLAlchemy's own execution would cost fifty. Columns are plain integers and
    text, so no value needs converting on the way.

    Args:
        expression: the statement, for one call.
        adds: values that are only added to their row, or taken from it: many calls for one row
            come to the same as one call with their sum. For databases that run calls as a set.
        apart: values by which calls that neither read nor write the same row differ, where the
            expression's own conditions do not show it.
        together: how to run many calls as a set, where no rewriting of the expression would do.
    """

    __slots__ = ("_ready", "adds", "apart", "expression", "together")

    def __init__(
        self,
        expression: Executable,
        *,
        adds: tuple[str, ...] = (),
        apart: tuple[str, ...] = (),
        together: "Together | None" = None,
    ) -> None:
        self.expression = expression
        self.adds = adds
        self.apart = apart
        self.together = together
        self._ready: dict[Dialect, Compiled] = {}

    def compiled(self, dialect: Dialect) -> Compiled:
        """Return the SQL for this database; a store always passes the same dialect object."""
        found = self._ready.get(dialect)
        if found is None:
            compiled = self.expression.compile(dialect=dialect)  # type: ignore[attr-defined]
            names = compiled.bind_names.items()
            fixed = {name: bind.value for bind, name in names if not bind.required}
            order = tuple(compiled.positiontup or ())
            reads = bool(self.expression.is_select)
            found = self._ready[dialect] = Compiled(str(compiled), fixed, order, reads)
        return found


class Tx(Protocol):
    """One open transaction, or a look at committed rows.

    A work lets the errors of its statements pass: after one, Postgres takes no further statement.
    """

    def rows(self, statement: Statement, **values: object) -> Sequence[Row]:
        """Run a statement and return all its rows."""

    def one(self, statement: Statement, **values: object) -> Row | None:
        """Run a statement and return its first row, if there is one."""

    def execute(self, statement: Statement, **values: object) -> int:
        """Run a statement and return how many rows it changed."""

    def stream(self, statement: Statement, *, batch: int) -> Iterator[Sequence[Row]]:
        """Run a statement and return its rows some at a time; never for a `write`."""

    def announce(self, line: str) -> None:
        """Tell a line to the other processes on this database, if and when this write counts."""


# answers each call with the row the statement would have changed, one call after the other
Together: TypeAlias = Callable[
    [Tx, Sequence[Mapping[str, Any]]], Sequence[Mapping[str, Any] | None]
]


class Store(Protocol):
    """One database."""

    is_shared: bool  # several processes may be running tasks on it

    async def write(self, work: Callable[[Tx], T], *, lane: Lane | None = None) -> T:
        """Run `work` in a durable transaction; returns once it is on disk.

        What `work` raises undoes its own statements only, and is raised here.

        Args:
            work: is run alone, unless it has a lane.
            lane: works in different lanes may run side by side, statement by statement, so a
                work in a lane relies on no row that another lane's work changes, except for
                what a single statement of its own checks and changes. Two works in one lane
                never run side by side.

        Raises:
            PorticoError: OVERLOADED when the database cannot take the write now.
        """

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on committed rows; it must not write, and must be short."""

    async def survey(self, work: Callable[[Tx], T]) -> T:
        """Run a long `work` on all committed rows as they stood at one moment.

        Neither writers nor other readers wait for it.
        """

    async def listen(self, hear: Callable[[str], None], missed: Callable[[], None]) -> None:
        """Hear what other processes announce, for ever.

        Args:
            hear: called with lines of text.
            missed: called whenever something may have been said that was not heard.
        """

    async def close(self) -> None:
        """Finish the writes under way and let go of the database."""
