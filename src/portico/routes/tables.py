"""The table of pauses; touched by `routes` alone."""

from sqlalchemy import BigInteger, Column, Table, Text

from portico.store import metadata

route_pauses = Table(
    "route_pauses",
    metadata,
    Column("credential", Text, primary_key=True),
    Column("model", Text, primary_key=True),  # empty: everything at that credential
    Column("until", BigInteger, nullable=False),
    Column("opens", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)
