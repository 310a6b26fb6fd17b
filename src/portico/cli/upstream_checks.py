"""What `portico doctor` looks at of the upstreams that are connected; it asks none of them."""

import asyncio

from portico import credentials as rows
from portico.cli.desk import database_revision, has_database
from portico.cli.health_checks import Finding
from portico.cli.workshop import open_workshop
from portico.flows.credentials import problem_of
from portico.settings import Settings
from portico.store import open_store
from portico.store.open import HEAD


async def credentials(settings: Settings) -> Finding:
    """Check that every credential could be used."""
    there = await asyncio.to_thread(has_database, settings)
    if not there or await asyncio.to_thread(database_revision, settings) != HEAD:
        return Finding(good=True, detail="nothing to check")
    store = await open_store(settings.database)
    try:
        found = await store.read(rows.every)
    finally:
        await store.close()
    if not found:
        return Finding(good=True, detail="none: only what is built in makes anything")
    shop = await asyncio.to_thread(open_workshop, settings)
    problems = {row.name: why for row in found if (why := problem_of(row, shop))}
    if problems:
        return Finding(
            good=False,
            detail="; ".join(f"{name}: {why}" for name, why in problems.items()),
            advice="`portico provider update NAME` with what is wrong, or `--secret`",
        )
    count = sum(row.is_enabled for row in found)
    return Finding(
        good=True,
        detail=f"{len(found)} stored, {count} enabled",
        advice="" if settings.public_url else _NOT_CALLED,
    )


_NOT_CALLED = (
    "set PORTICO_PUBLIC_URL: until then upstreams can neither fetch inputs by our links nor call "
    "back, and every job is asked about again and again"
)
