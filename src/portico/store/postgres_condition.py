"""What a Postgres database is like, before anything is done to it."""

import asyncio
import time

import asyncpg

from portico.store.postgres_link import TROUBLE, Connection, connect

GONE_WITHIN_S = 1.0  # a connection that was closed a moment ago is still listed
_REVISION = "SELECT version_num FROM alembic_version"
# what an extension brings along is none of the database's own
_TABLES = """
SELECT count(*) FROM pg_class
WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace
AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
"""
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
AND application_name LIKE 'portico%'
"""


async def look(url: str) -> tuple[str | None, bool, bool]:
    """Return the revision, whether there is no table at all, whether others of ours use it.

    Raises:
        OSError: the server cannot be reached, or refuses us; never with what the URL says.
    """
    try:
        connection = await connect(url)
    except ValueError:
        message = "the Postgres server cannot be used: its URL cannot be read"
        raise OSError(message) from None
    except TROUBLE as error:
        message = f"the Postgres server cannot be used: {error}"
        raise OSError(message) from error
    try:
        is_blank = not await connection.fetchval(_TABLES)
        return await _revision(connection), is_blank, await _is_in_use(connection)
    finally:
        await connection.close()


async def _revision(connection: Connection) -> str | None:
    try:
        found = await connection.fetchval(_REVISION)
    except asyncpg.UndefinedTableError:
        return None
    return None if found is None else str(found)


async def _is_in_use(connection: Connection) -> bool:
    ends_at = time.monotonic() + GONE_WITHIN_S
    while await connection.fetchval(_OTHERS):
        if time.monotonic() > ends_at:
            return True
        await asyncio.sleep(0.05)
    return False
