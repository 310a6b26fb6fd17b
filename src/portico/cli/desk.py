"""Run one piece of an operator's work on the database, beside a running server or without one."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from portico.app import open_desk
from portico.cli.configuration import read_settings
from portico.cli.failure import refusal
from portico.flows.administer import Desk
from portico.settings import Settings
from portico.store.open import sqlite_path

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


def require_database(settings: Settings) -> Path:
    """Return the database's file.

    Raises:
        PorticoError: INVALID_REQUEST when there is none yet.
    """
    path = database_path(settings)
    if not path.exists():
        message = f"there is no database at {path}: is --data or PORTICO_DATA right?"
        raise refusal(message)
    return path


def database_path(settings: Settings) -> Path:
    """Return the file the settings name.

    Raises:
        PorticoError: INVALID_REQUEST when they name another kind of database.
    """
    try:
        return sqlite_path(settings.database)
    except ValueError as error:
        raise refusal(str(error)) from error


async def _work(settings: Settings, work: Callable[[Desk], Coroutine[Any, Any, T]]) -> T:
    desk = await open_desk(settings)
    try:
        return await work(desk)
    finally:
        await desk.store.close()
