"""Fakes for tests of Portico and of whatever is built on it; they pass the tests of the real thing.

Time moves when a test says so, ids repeat from run to run, an upstream answers from a script,
and a store is a fresh migrated SQLite file.
"""

from portico.testing.clock import FakeClock
from portico.testing.ids import seeded_bits, seeded_ids
from portico.testing.provider import FakeProvider
from portico.testing.store import open_test_store

__all__ = ["FakeClock", "FakeProvider", "open_test_store", "seeded_bits", "seeded_ids"]
