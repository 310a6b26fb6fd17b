"""Alembic's entry point: one connection, one transaction per revision.

Processes that start together on one Postgres server migrate one after another: whoever waited
finds nothing left to do.
"""

import asyncio

import sqlalchemy as sa
from alembic import context

MIGRATION_LOCK = 0x6D696772617465  # "migrate"; any number of our own will do


def migrate_on(connection: sa.Connection) -> None:
    """Run what is not yet done."""
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


def migrate_alone(connection: sa.Connection) -> None:
    """Run what is not yet done, while others wait."""
    connection.execute(sa.text(f"SELECT pg_advisory_lock({MIGRATION_LOCK})"))
    connection.commit()
    migrate_on(connection)


async def migrate_postgres(url: str) -> None:
    """Migrate over the driver that the store uses; the lock ends with the connection."""
    import asyncpg  # noqa: PLC0415 - only Postgres needs it
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: asyncpg.connect(url),
        poolclass=sa.pool.NullPool,
    )
    async with engine.connect() as connection:
        await connection.run_sync(migrate_alone)
    await engine.dispose()


url = context.config.get_main_option("sqlalchemy.url") or ""
if url.startswith("postgresql:"):
    asyncio.run(migrate_postgres(url))
else:
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        migrate_on(connection)
