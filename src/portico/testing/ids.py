"""Ids that are the same in every run."""

import random
from collections.abc import Callable

from portico.core.clock import Clock
from portico.core.ids import IdSource


def seeded_bits(seed: int = 1) -> Callable[[int], int]:
    """Return a source of random bits that repeats from run to run."""
    return random.Random(seed).getrandbits  # noqa: S311 - repeatable on purpose


def seeded_ids(clock: Clock, *, seed: int = 1) -> IdSource:
    """Return an id source whose randomness repeats from run to run."""
    return IdSource(clock, random_bits=seeded_bits(seed))
