"""A MySQL dump as `mysqldump` writes it: its INSERT statements are read, nothing is executed.

One pass finds out where the statements of our tables are; each table is then read from there.
"""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from portico.predecessors.source import BATCH, COLUMNS, check_count, chosen, no_table
from portico.predecessors.values import ForeignRow, refused
from portico.predecessors.words import END, SEMICOLON, Sort, Word, Words

COLUMNS_MAX = 500  # of one table
STATEMENTS_MAX = 2_000_000  # about our tables
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_NO_COLUMN = {
    "CHECK", "CONSTRAINT", "FOREIGN", "FULLTEXT", "INDEX", "KEY", "PRIMARY", "SPATIAL", "UNIQUE",
}  # fmt: skip
_VALUES = {"NULL": None, "TRUE": 1, "FALSE": 0}
_BEFORE_STRING = re.compile(r"_[a-z0-9]+|[bBxXnN]")


class DumpSource:
    """One file of SQL text; of its tables only ours are known, of those only what they hold."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("rb")
        self._columns: dict[str, list[str]] = {}
        self._inserts: dict[str, list[int]] = {}
        self._is_known = False

    async def rows(self, table: str) -> AsyncIterator[Sequence[ForeignRow]]:
        """Yield the wanted columns of a table, some rows at a time, in the order of the dump."""
        if not self._is_known:
            self._find()
            self._is_known = True
        if table not in self._columns and table not in self._inserts:
            raise no_table(table)
        batch: list[ForeignRow] = []
        count = 0
        for offset in self._inserts.get(table, ()):
            for row in self._rows_at(table, offset):
                batch.append(row)
                if len(batch) == BATCH:
                    count += len(batch)
                    check_count(table, count)
                    yield batch
                    batch = []
        if batch:
            yield batch

    async def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _find(self) -> None:
        words = Words(self._file)
        count = 0
        while (first := words.next()) != END:
            begins = first.text.upper()
            if begins in {"INSERT", "REPLACE", "CREATE"} and first.sort is Sort.WORD:
                offset = words.offset
                table = _table_named(words, begins)
                if table in COLUMNS:
                    count += 1
                    if count > STATEMENTS_MAX:
                        message = f"the dump has more than {STATEMENTS_MAX:,} statements"
                        raise refused(message)
                    self._note(words, table, begins, offset)
            if first != SEMICOLON:
                words.skip_statement()

    def _note(self, words: Words, table: str, begins: str, offset: int) -> None:
        if begins == "CREATE":
            self._columns[table] = _declared(words)
        else:
            self._inserts.setdefault(table, []).append(offset)

    def _rows_at(self, table: str, offset: int) -> Iterator[ForeignRow]:
        words = Words(self._file, offset)
        _table_named(words, "INSERT")
        word = words.next()
        names = self._columns.get(table, [])
        if word.text == "(":
            names, word = _listed(words), words.next()
        if word.text.upper() not in {"VALUES", "VALUE"}:
            message = f"the dump fills the table {table} in a way that is not read here"
            raise refused(message)
        wanted = chosen(table, names)
        while words.next().text == "(":
            values = _tuple(words, table)
            if len(values) != len(names):
                message = (
                    f"a row of the table {table} has {len(values)} values for {len(names)} columns"
                )
                raise refused(message)
            row = dict(zip(names, values, strict=True))
            yield {name: row[name] for name in wanted}
            if words.next().text != ",":
                return


def _table_named(words: Words, begins: str) -> str:
    """Read on to a table's name after INSERT, REPLACE or CREATE; empty: it is about none."""
    skipped = {"TABLE", "IF", "NOT", "EXISTS"} if begins == "CREATE" else {"INTO", "IGNORE"}
    word = words.next()
    if begins == "CREATE" and word.text.upper() != "TABLE":
        return ""
    while word.sort is Sort.WORD and word.text.upper() in skipped:
        word = words.next()
    if word.sort not in {Sort.NAME, Sort.WORD, Sort.STRING}:
        return ""
    return word.text.rpartition(".")[2] if word.sort is Sort.WORD else word.text


def _listed(words: Words) -> list[str]:
    """Read column names up to the closing bracket."""
    names: list[str] = []
    for word in words:
        if word.text == ")" and word.sort is Sort.SIGN:
            return names
        if word.sort is not Sort.SIGN:
            names.append(word.text)
        _check_columns(names)
    raise _cut_off()


def _declared(words: Words) -> list[str]:
    """Read the columns' names of a CREATE TABLE, whose own name has been read."""
    names: list[str] = []
    depth, is_first = 0, False
    for word in words:
        sign = word.text if word.sort is Sort.SIGN else ""
        if sign == "(":
            depth += 1
            is_first = depth == 1
        elif sign == ")":
            depth -= 1
            if depth == 0:
                return names
        elif sign == "," and depth == 1:
            is_first = True
        elif is_first:
            if word.sort is not Sort.WORD or word.text.upper() not in _NO_COLUMN:
                names.append(word.text)
            is_first = False
        _check_columns(names)
    raise _cut_off()


def _tuple(words: Words, table: str) -> list[Any]:
    """Read one row's values, whose opening bracket has been read."""
    values: list[Any] = []
    is_open = True  # a value is awaited
    for word in words:
        if word.sort is Sort.SIGN and word.text == ")":
            return values
        if word.sort is Sort.SIGN and word.text == ",":
            is_open = True
        elif is_open:
            value, is_open = _value(word, table)
            if not is_open:
                values.append(value)
        else:
            message = f"a row of the table {table} cannot be read"
            raise refused(message)
        _check_columns(values)
    raise _cut_off()


def _value(word: Word, table: str) -> tuple[Any, bool]:
    """Return what a word means, and whether the value is still to come."""
    if word.sort is Sort.STRING:
        return word.text, False
    if word.sort is Sort.WORD:
        text = word.text
        if text.upper() in _VALUES:
            return _VALUES[text.upper()], False
        if text.lower().startswith("0x"):
            return _bytes(text[2:], table), False
        if _WHOLE.fullmatch(text):
            return int(text), False
        if text[0] in "-+.0123456789":
            return text, False
        if _BEFORE_STRING.fullmatch(text):
            return None, True
    message = f"a row of the table {table} holds something else than values"
    raise refused(message)


def _bytes(digits: str, table: str) -> str:
    try:
        return bytes.fromhex(digits).decode("utf-8", "replace")
    except ValueError:
        message = f"a row of the table {table} holds something else than values"
        raise refused(message) from None


def _check_columns(found: Sequence[object]) -> None:
    if len(found) > COLUMNS_MAX:
        message = f"the dump has a table of more than {COLUMNS_MAX} columns"
        raise refused(message)


def _cut_off() -> Exception:
    return refused("the dump ends within a statement: is it complete?")
