"""Ask at once what several works ask at the same time: in one statement, where there is one."""

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from portico.store.base import Answer, Row, Statement, Together
from portico.store.bridge import run_beside
from portico.store.postgres_link import Connection, PostgresTx, ask
from portico.store.sets import CopyForm, SetForm, Values, set_form

COPY_FROM = 16  # calls


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
    if form.copies is not None and len(calls) >= COPY_FROM:
        await _copy(connection, form.copies, form.fixed, calls)
        return [(1, ())] * len(calls)
    rows = await connection.fetch(form.text, *form.arguments(calls))
    if form.inserts:
        return [(1, ())] * len(calls)
    dealt: list[list[Row]] = [[] for _ in calls]
    for row in rows:
        dealt[row["nth"] - 1].append(Own(row))
    return [(len(own), own) for own in dealt]


async def _copy(
    connection: Connection, form: CopyForm, fixed: Mapping[str, object], calls: Sequence[Values]
) -> None:
    """Insert with COPY: the same checks, less work for both ends, one more trip."""
    if fixed:
        calls = [{**fixed, **call} for call in calls]
    records = map(itemgetter(*form.names), calls)
    await connection.copy_records_to_table(form.table, columns=form.columns, records=records)


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
