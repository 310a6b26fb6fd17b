"""Run one piece of an operator's work on the database, beside a running server or without one."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from portico.app import open_desk
from portico.cli.configuration import read_settings
from portico.cli.failure import refusal
from portico.flows.administer import Desk
from portico.settings import Settings
from portico.store.open import is_postgres, revision, sqlite_path

T = TypeVar("T")


def at_desk(
    data: Path | None, work: Callable[[Desk], Coroutine[Any, Any, T]], *, creates: bool = False
) -> T:
    """Open the database, do the work, close it.

    Args:
        data: the folder given on the command line, if any.
        work: what to do.
        creates: the work may begin a new installation; otherwise there must be one already.

    Raises:
        PorticoError: INVALID_REQUEST when there is no database yet; whatever the work raises.
    """
    settings = read_settings(data)
    if not creates:
        require_database(settings)
    return asyncio.run(_work(settings, work))


def require_database(settings: Settings) -> None:
    """Go on only where there is an installation already.

    Raises:
        PorticoError: INVALID_REQUEST when there is none yet, or its database cannot be reached.
    """
    if has_database(settings):
        return
    setting = "PORTICO_DATABASE_URL" if is_postgres(settings.database) else "--data or PORTICO_DATA"
    message = f"there is no database at {database_name(settings)}: is {setting} right?"
    raise refusal(message)


def has_database(settings: Settings) -> bool:
    """Whether there is an installation already: a file, or on a server a schema. Makes nothing.

    Raises:
        PorticoError: INVALID_REQUEST when it cannot be reached, or is of another kind.
    """
    if is_postgres(settings.database):
        return database_revision(settings) is not None
    try:
        return sqlite_path(settings.database).exists()
    except ValueError as error:
        raise refusal(str(error)) from error


def database_revision(settings: Settings) -> str | None:
    """Return the revision a database stands at, None for one without a schema.

    Raises:
        PorticoError: INVALID_REQUEST when it cannot be reached.
    """
    try:
        return revision(settings.database)
    except OSError as error:
        raise refusal(str(error)) from error


def database_name(settings: Settings) -> str:
    """Return how the database is called where others may read it: without its password."""
    return shown_url(settings.database)


def shown_url(url: str) -> str:
    """Return what of a database's URL others may read: no password, no options.

    Raises:
        ValueError: the URL is of another kind.
    """
    if not is_postgres(url):
        return str(sqlite_path(url))
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


async def _work(settings: Settings, work: Callable[[Desk], Coroutine[Any, Any, T]]) -> T:
    desk = await open_desk(settings)
    try:
        return await work(desk)
    finally:
        await desk.store.close()
