"""Values the parts of this room share."""

from typing import NamedTuple, TypeAlias

import msgspec

from portico.core.clock import Instant
from portico.core.upstreams import Trouble


class _Key(NamedTuple):
    credential: str
    model: str  # the upstream's own word; empty: everything at that credential


Key: TypeAlias = _Key


def key_of(credential: str, model: str = "") -> Key:
    """Return what health and pauses are kept by; without a model: the credential as a whole."""
    return _Key(credential, model)


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which nothing is begun somewhere; once it is over, one attempt looks again."""

    credential: str
    model: str  # empty: everything at that credential
    until: Instant
    opens: int  # how often in a row; each one is longer
    reason: Trouble

    @property
    def key(self) -> Key:
        """What it holds for."""
        return _Key(self.credential, self.model)
