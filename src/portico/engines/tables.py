"""The table of runners; touched by `engines` alone."""

from sqlalchemy import BigInteger, Column, Table, Text

from portico.store import RowId, metadata

runners = Table(
    "runners",
    metadata,
    Column("number", RowId, primary_key=True),  # who came first leads
    Column("id", Text, nullable=False, unique=True),
    Column("beat", BigInteger, nullable=False),  # counts up as long as its process lives
    Column("queues", Text, nullable=False),  # comma-separated, for people who look
    Column("started_at", BigInteger, nullable=False),
)
