"""Routes: which of several ways to have a model made is taken, and which rest for a while.

`choice` is pure: what serves a job at all, and which of those is taken. `Health` remembers how
well each went lately, `Breakers` which are paused, and why. All of it is this process's memory;
pauses alone are rows as well, so that every process heeds them and a restart remembers them.
"""

from portico.routes.breaker import Breakers
from portico.routes.choice import Objection, Offer, Want, choose, objection, priced
from portico.routes.health import Health, Standing
from portico.routes.model import Key, Pause, key_of
from portico.routes.state import RouteState

__all__ = [
    "Breakers",
    "Health",
    "Key",
    "Objection",
    "Offer",
    "Pause",
    "RouteState",
    "Standing",
    "Want",
    "choose",
    "key_of",
    "objection",
    "priced",
]
