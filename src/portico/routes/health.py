"""How well each route went lately: moving averages of success and of waiting."""

from collections import OrderedDict

import msgspec

from portico.routes.model import Key

SHARE = 0.2  # of the newest result in its average
ROUTES_MAX = 4_096  # remembered; who was not heard of for longest is forgotten


class Standing(msgspec.Struct, frozen=True):
    """One route's averages; a route nobody tried is taken for a good one."""

    success: float = 1.0  # 0.0 to 1.0
    latency_s: float | None = None  # from start to result, of a text to its first piece


UNTRIED = Standing()


class Health:
    """The averages of every route, in bounded memory."""

    def __init__(self, *, routes_max: int = ROUTES_MAX) -> None:
        self._routes_max = routes_max
        self._standings: OrderedDict[Key, Standing] = OrderedDict()

    def standing(self, key: Key) -> Standing:
        """Return a route's averages."""
        return self._standings.get(key, UNTRIED)

    def succeeded(self, key: Key, latency_s: float) -> None:
        """Note a result, and how long it took."""
        before = self.standing(key)
        latency_s = max(0.0, latency_s)
        if before.latency_s is not None:
            latency_s = before.latency_s + SHARE * (latency_s - before.latency_s)
        self._keep(key, Standing(before.success + SHARE * (1.0 - before.success), latency_s))

    def failed(self, key: Key) -> None:
        """Note that nothing came of it."""
        before = self.standing(key)
        self._keep(key, Standing(before.success * (1.0 - SHARE), before.latency_s))

    def renew(self, key: Key) -> None:
        """Take a route for a good one again: what it refused while it was away is over.

        Without a model: all routes of the credential.
        """
        for each in [one for one in self._standings if one.credential == key.credential]:
            if key.model in ("", each.model):
                self._keep(each, Standing(latency_s=self._standings[each].latency_s))

    def _keep(self, key: Key, standing: Standing) -> None:
        self._standings[key] = standing
        self._standings.move_to_end(key)
        if len(self._standings) > self._routes_max:
            self._standings.popitem(last=False)
