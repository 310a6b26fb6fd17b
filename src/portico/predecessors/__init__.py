"""Predecessors: the databases of new-api and one-api, read as they lie there.

A file, a dump or a server is only ever read, and what it says is data: nothing in it is executed.
What is found comes out in Portico's own words, whatever the predecessor called it.
"""

from portico.predecessors.channels import ForeignChannel, foreign_channel, may_be_text
from portico.predecessors.opening import open_source
from portico.predecessors.people import ForeignKey, ForeignUser, foreign_key, foreign_user
from portico.predecessors.ratios import (
    CREDITS_PER_USD,
    PRICE_OPTIONS,
    Listing,
    Ratios,
    ratios_of,
    read_ratio_export,
)
from portico.predecessors.source import Source
from portico.predecessors.values import text_of

__all__ = [
    "CREDITS_PER_USD",
    "PRICE_OPTIONS",
    "ForeignChannel",
    "ForeignKey",
    "ForeignUser",
    "Listing",
    "Ratios",
    "Source",
    "foreign_channel",
    "foreign_key",
    "foreign_user",
    "may_be_text",
    "open_source",
    "ratios_of",
    "read_ratio_export",
    "text_of",
]
