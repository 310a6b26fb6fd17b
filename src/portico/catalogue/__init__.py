"""The catalogue: what is sold, under which names, in which ways, for how much, and by whom.

Pure: TOML files in, frozen values out; no database, no network, no clock. One parameter table
per mode validates requests, prices them, and describes them to consoles and documents.
Invariants: what is priced is what is sent (defaults are resolved once); a known option that
cannot be honoured is refused by name; a quote is the sum of its lines, never negative, never
above its ceiling. It knows dialects only as names.
"""

from portico.catalogue.catalogue import Catalogue, load
from portico.catalogue.costs import Cost, expected_cost, media_cost, text_cost
from portico.catalogue.offerings import (
    LOCAL_PROVIDER,
    ChatLimits,
    InputRule,
    Model,
    ModeRules,
    Offering,
    Param,
    ParamType,
    PromptUse,
    Route,
)
from portico.catalogue.params import allowance
from portico.catalogue.prices import Price, Quote, QuoteLine

__all__ = [
    "LOCAL_PROVIDER",
    "Catalogue",
    "ChatLimits",
    "Cost",
    "InputRule",
    "ModeRules",
    "Model",
    "Offering",
    "Param",
    "ParamType",
    "Price",
    "PromptUse",
    "Quote",
    "QuoteLine",
    "Route",
    "allowance",
    "expected_cost",
    "load",
    "media_cost",
    "text_cost",
]
