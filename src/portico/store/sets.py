"""Set forms: one Postgres statement that does what many calls of another do one by one.

The values of the calls travel as one array a value, and stand in the statement as the rows of
`given`. What comes back carries `nth`, the place of the call it belongs to, as its last column.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Column
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, BooleanClauseList

from portico.store.base import Answer, Compiled, Row, Statement, Together
from portico.store.bridge import run_beside
from portico.store.postgres_link import DIALECT, Connection, PostgresTx, ask

Values = Mapping[str, Any]

_PLACEHOLDER = re.compile(r"\$(\d+)(?:::(\w+))?")


class SetForm(NamedTuple):
    """A statement for many calls at once; arrays stand where the calls' own values stood."""

    text: str
    fixed: Mapping[str, object]
    order: tuple[str, ...]
    apart: tuple[str, ...]  # calls with different values of these touch different rows
    adds: tuple[str, ...]  # calls that differ in nothing else may be summed
    inserts: bool  # every call makes one row, and gets none back

    def arguments(self, calls: Sequence[Values]) -> list[object]:
        """Return what the driver is given, in the order of the places."""
        fixed = self.fixed
        return [
            fixed[name] if name in fixed else [call[name] for call in calls] for name in self.order
        ]

    def key(self, call: Values) -> object:
        """Return what tells a call apart from those that touch other rows."""
        names = self.apart
        return call[names[0]] if len(names) == 1 else tuple(call[name] for name in names)


class Own:
    """A row without its last column, which only says whose it is."""

    __slots__ = ("_row",)

    def __init__(self, row: Any) -> None:
        self._row = row

    def __getitem__(self, name: str, /) -> Any:
        """Return one column's value."""
        return self._row[name]

    def __iter__(self) -> Iterator[Any]:
        """Go through the values, in the order in which the statement names its columns."""
        return iter(tuple(self._row)[:-1])

    def keys(self) -> Sequence[str]:
        """Return the columns' names."""
        return list(self._row.keys())[:-1]


class Made(dict[str, Any]):
    """A row that was worked out here."""

    def __iter__(self) -> Iterator[Any]:
        """Go through the values."""
        return iter(self.values())


@cache
def set_form(statement: Statement) -> SetForm | None:
    """Derive a statement's set form; None when its calls have to be run one by one."""
    single = statement.compiled(DIALECT)
    given = _given(single)
    expression: Any = statement.expression
    # a change that reads more than its row might read what its neighbours write
    if given is None or (not single.reads and "(SELECT" in single.text and not statement.apart):
        return None
    text = _PLACEHOLDER.sub(lambda found: _place(found, single), single.text)
    apart = statement.apart
    if expression.is_select:
        text = f"SELECT own.*, given.nth FROM {given} CROSS JOIN LATERAL ({text}) AS own"  # noqa: S608 - no value is in it
    elif expression.is_insert:
        text = _insert(text, given)
    else:
        apart = apart or _told_apart(expression)
        text = _change(text, given) if apart else ""
    form = SetForm(
        text, single.fixed, single.order, apart, statement.adds, bool(expression.is_insert)
    )
    return form if text else None


def _given(single: Compiled) -> str | None:
    """Return the calls' values as a table; None when there are none, or of an unknown type."""
    types = {
        int(place): kind for place, kind in reversed(_PLACEHOLDER.findall(single.text)) if kind
    }
    places = [n for n, name in enumerate(single.order, 1) if name not in single.fixed]
    if not places or any(n not in types for n in places):
        return None
    arrays = ", ".join(f"${n}::{types[n]}[]" for n in places)
    columns = ", ".join(f"v{n}" for n in places)
    return f"unnest({arrays}) WITH ORDINALITY AS given({columns}, nth)"


def _place(found: re.Match[str], single: Compiled) -> str:
    number = int(found[1])
    return found[0] if single.order[number - 1] in single.fixed else f"given.v{number}"


def _insert(text: str, given: str) -> str:
    """Let an INSERT make a row for every call; empty for one that does more than that."""
    head, _, values = text.partition(" VALUES (")
    plain = values.endswith(")") and " ON CONFLICT" not in text and " RETURNING " not in text
    return f"{head} SELECT {values[:-1]} FROM {given}" if plain else ""  # noqa: S608 - as above


def _change(text: str, given: str) -> str:
    """Let an UPDATE or a DELETE go through the calls, and say to which each row belongs."""
    where = _outside_brackets(text, r"\sWHERE\s")
    link = "USING" if text.startswith("DELETE") else "FROM"
    returns = ", given.nth" if _outside_brackets(text, r"\sRETURNING\s") else " RETURNING given.nth"
    return f"{text[:where]} {link} {given}{text[where:]}{returns}"


def _outside_brackets(text: str, pattern: str) -> int:
    """Return where a pattern is first found that stands in no brackets; 0 for nowhere."""
    for found in re.finditer(pattern, text):
        before = text[: found.start()]
        if before.count("(") == before.count(")"):
            return found.start()
    return 0


def _told_apart(expression: Any) -> tuple[str, ...]:
    """Return the values a row's own columns must equal: two rows cannot both equal both.

    Empty when the statement itself changes such a column: a row could then be another call's.
    """
    where = expression.whereclause
    conditions = where.clauses if isinstance(where, BooleanClauseList) else [where]
    if isinstance(where, BooleanClauseList) and where.operator is not operators.and_:
        return ()
    found = {
        each.left.name: each.right.key
        for each in conditions
        if isinstance(each, BinaryExpression)
        and each.operator is operators.eq
        and isinstance(each.left, Column)
        and isinstance(each.right, BindParameter)
        and each.right.required
    }
    changed = {
        getattr(column, "name", column) for column in getattr(expression, "_values", None) or ()
    }
    return () if changed & found.keys() else tuple(found.values())


async def answers_of(
    connection: Connection, statement: Statement, calls: Sequence[Values]
) -> list[Answer | None]:
    """Run what several ask at once; None for a call that has to wait until the others are done."""
    if len(calls) > 1 and statement.together is not None:
        return await _together(connection, statement.together, calls)
    form = set_form(statement) if len(calls) > 1 else None
    if form is None:
        return [await ask(connection, statement, call) for call in calls]
    if form.adds:
        return await _summed(connection, form, calls)
    if form.apart:
        return await _apart(connection, form, calls)
    return [*await _all(connection, form, calls)]


async def _together(
    connection: Connection, together: Together, calls: Sequence[Values]
) -> list[Answer | None]:
    rows = await run_beside(lambda: together(PostgresTx(connection), calls))
    return [(0, ()) if row is None else (1, (Made(row),)) for row in rows]


async def _all(connection: Connection, form: SetForm, calls: Sequence[Values]) -> list[Answer]:
    rows = await connection.fetch(form.text, *form.arguments(calls))
    if form.inserts:
        return [(1, ())] * len(calls)
    dealt: list[list[Row]] = [[] for _ in calls]
    for row in rows:
        dealt[row["nth"] - 1].append(Own(row))
    return [(len(own), own) for own in dealt]


async def _apart(
    connection: Connection, form: SetForm, calls: Sequence[Values]
) -> list[Answer | None]:
    """Run the first call for each row: one statement changes a row only once."""
    first: dict[object, int] = {}
    for place, call in enumerate(calls):
        first.setdefault(form.key(call), place)
    places = list(first.values())
    answers: list[Answer | None] = [None] * len(calls)
    ran = await _all(connection, form, [calls[place] for place in places])
    for place, answer in zip(places, ran, strict=True):
        answers[place] = answer
    return answers


async def _summed(
    connection: Connection, form: SetForm, calls: Sequence[Values]
) -> list[Answer | None]:
    """Add up the calls for each row; what happened to the row happened to every one of them."""
    sums: dict[object, dict[str, Any]] = {}
    keys = [form.key(call) for call in calls]
    for key, call in zip(keys, calls, strict=True):
        found = sums.get(key)
        if found is None:
            sums[key] = dict(call)
        else:
            for name in form.adds:
                found[name] += call[name]
    ran = await _all(connection, form, list(sums.values()))
    answers = dict(zip(sums, ran, strict=True))
    return [answers[key] for key in keys]
