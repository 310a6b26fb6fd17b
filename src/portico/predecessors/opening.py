"""Open a predecessor's database, whichever of three kinds it is."""

from pathlib import Path

from portico.predecessors.dump import DumpSource
from portico.predecessors.source import Source
from portico.predecessors.sqlite import SqliteSource
from portico.predecessors.values import refused

_SQLITE_MAGIC = b"SQLite format 3\x00"
_POSTGRES = "postgresql://"


async def open_source(name: str) -> Source:
    """Open what an operator names: a path, or a `postgresql://…` URL.

    Raises:
        PorticoError: INVALID_REQUEST when it cannot be opened, or is none of the three kinds; it
            never repeats a URL.
    """
    if name.startswith(_POSTGRES):
        from portico.predecessors.postgres import open_postgres  # noqa: PLC0415

        return await open_postgres(name)
    return _open_file(Path(name))


def _open_file(path: Path) -> Source:
    if not path.is_file():
        message = (
            "there is no such file; a source is an SQLite file, a MySQL dump, or postgresql://…"
        )
        raise refused(message)
    with path.open("rb") as file:
        begins = file.read(len(_SQLITE_MAGIC))
    if begins == _SQLITE_MAGIC:
        return SqliteSource(path)
    return DumpSource(path)
