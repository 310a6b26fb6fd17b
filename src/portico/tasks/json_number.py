"""A whole number out of a text that holds a JSON object, in each database's own words."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler


class JsonNumber(ColumnElement[int]):
    """The number under a name of our own, NULL where there is none.

    Args:
        text: the column.
        name: of the field; a plain word, it becomes part of the statement.
    """

    inherit_cache = False
    type = BigInteger()

    def __init__(self, text: ColumnElement[Any], name: str) -> None:
        assert name.isidentifier()
        self.text = text
        self.field = name


@compiles(JsonNumber)
def _on_sqlite(element: JsonNumber, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_extract({compiler.process(element.text, **options)}, '$.{element.field}')"


@compiles(JsonNumber, "postgresql")
def _on_postgres(element: JsonNumber, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.text, **options)
    return f"CAST(CAST({text} AS json) ->> '{element.field}' AS bigint)"
