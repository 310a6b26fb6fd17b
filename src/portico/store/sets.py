"""Set forms: one Postgres statement that does what many calls of another do one by one.

The values of the calls travel as one array a value, and stand in the statement as the rows of
`given`. What comes back carries `nth`, the place of the call it belongs to, as its last column.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Column
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, BooleanClauseList

from portico.store.base import Compiled, Statement
from portico.store.postgres_link import DIALECT

Values = Mapping[str, Any]

_PLAIN = re.compile(r"(?:given\.v|\$)(\d+)(?:::\w+)?")
_PLACEHOLDER = re.compile(r"\$(\d+)(?:::(\w+))?")


# tells Postgres to expect a row or two, and so to look each up by its key: it keeps its plans, and
# one made while a table was small would otherwise go through all of the table when it is large
_FEW = " WHERE given.nth BETWEEN 1 AND 1000000"


class CopyForm(NamedTuple):
    """Where the rows of an INSERT go, and which value of a call goes into which column."""

    table: str
    columns: tuple[str, ...]
    names: tuple[str, ...]


class SetForm(NamedTuple):
    """A statement for many calls at once; arrays stand where the calls' own values stood."""

    text: str
    fixed: Mapping[str, object]
    order: tuple[str, ...]
    apart: tuple[str, ...]  # calls with different values of these touch different rows
    adds: tuple[str, ...]  # calls that differ in nothing else may be summed
    inserts: bool  # every call makes one row, and gets none back
    copies: "CopyForm | None"  # the same as a COPY, which is faster for many

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
        text = f"SELECT own.*, given.nth FROM {given} CROSS JOIN LATERAL ({text}) AS own{_FEW}"  # noqa: S608 - no value is in it
    elif expression.is_insert:
        text = _insert(text, given)
    else:
        apart = apart or _told_apart(expression)
        text = _change(text, given) if apart else ""
    inserts = bool(expression.is_insert)
    copies = _copy(text, expression.table.name, single) if inserts and text else None
    form = SetForm(text, single.fixed, single.order, apart, statement.adds, inserts, copies)
    return form if text else None


@cache
def makes_one_row(statement: Statement) -> bool:
    """Whether a statement inserts a row of plain values, so that there is nothing to wait for."""
    form = set_form(statement)
    return form is not None and form.copies is not None


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


def _copy(text: str, table: str, single: Compiled) -> CopyForm | None:
    """Read an INSERT of plain values as a COPY; None for one that works values out."""
    head, _, rest = text.partition(" SELECT ")
    columns = head[head.index("(") + 1 : -1].replace('"', "").split(", ")
    values = [_PLAIN.fullmatch(each) for each in rest.partition(" FROM ")[0].split(", ")]
    names = [single.order[int(found[1]) - 1] for found in values if found]
    if len(names) < len(values) or len(names) == 1:
        return None
    return CopyForm(table, tuple(columns), tuple(names))


def _change(text: str, given: str) -> str:
    """Let an UPDATE or a DELETE go through the calls, and say to which each row belongs."""
    change, _, rest = _cut(text, " WHERE ")
    condition, returning, columns = _cut(rest, " RETURNING ")
    link = "USING" if text.startswith("DELETE") else "FROM"
    own = f"{columns}, " if returning else ""
    return f"{change} {link} {given}{_FEW} AND ({condition}) RETURNING {own}given.nth"


def _cut(text: str, word: str) -> tuple[str, str, str]:
    """Partition a text at the first such word that stands in no brackets."""
    before, found, after = text.partition(word)
    while found and before.count("(") != before.count(")"):
        more, found, after = after.partition(word)
        before = f"{before}{word}{more}"
    return before, found, after


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
