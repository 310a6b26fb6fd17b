"""What one process knows of its routes: how well they went, and which are paused."""

from collections.abc import Callable, Hashable
from typing import Any

from portico.routes.breaker import Breakers
from portico.routes.health import Health

KEPT_MAX = 4_096


class RouteState:
    """Health and breakers of every route, and what was worked out once of the catalogue."""

    def __init__(self) -> None:
        self.health = Health()
        self.breakers = Breakers()
        self._kept: dict[Hashable, Any] = {}

    def once(self, key: Hashable, work_out: Callable[[], Any]) -> Any:
        """Return what was worked out under a key before, or work it out and keep it."""
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            found = self._kept[key] = work_out()
        return found
