"""Fakes for tests of Portico and of whatever is built on it; they pass the tests of the real thing.

Time moves when a test says so, ids repeat from run to run, an upstream answers from a script,
and a store is a fresh migrated SQLite file.
"""

from portico.testing.clock import START, FakeClock, let_run
from portico.testing.ids import seeded_bits, seeded_ids
from portico.testing.provider import FakeProvider
from portico.testing.rows import add_account, admit, new_task
from portico.testing.store import make_database, open_test_store

__all__ = [
    "START",
    "FakeClock",
    "FakeProvider",
    "add_account",
    "admit",
    "let_run",
    "make_database",
    "new_task",
    "open_test_store",
    "seeded_bits",
    "seeded_ids",
]
