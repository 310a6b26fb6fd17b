"""Values of the ledger; all amounts are microcredits."""

from enum import StrEnum

import msgspec

from portico.core.clock import Instant
from portico.core.ids import AccountId, TaskId
from portico.core.money import Credits


class EntryKind(StrEnum):
    """What a movement was; at most one of each per task."""

    HOLD = "hold"
    CAPTURE = "capture"
    RELEASE = "release"
    TOP_UP = "top_up"
    ADJUSTMENT = "adjustment"


class Book(StrEnum):
    """The house's side of a movement."""

    NONE = "none"  # the movement stays inside the account
    REVENUE = "revenue"  # credits spent
    ISSUED = "issued"  # credits bought or granted
    ADJUSTED = "adjusted"  # an operator's corrections


class HoldState(StrEnum):
    """An open hold ends exactly once, as spent or as given back."""

    OPEN = "open"
    CAPTURED = "captured"
    RELEASED = "released"


class Balance(msgspec.Struct, frozen=True):
    """`available` can be spent; `held` waits for its tasks to end."""

    available: Credits
    held: Credits


class Entry(msgspec.Struct, frozen=True):
    """One movement, as an account's statement shows it."""

    id: int
    kind: EntryKind
    task_id: TaskId | None
    available_delta: Credits
    held_delta: Credits
    house_delta: Credits
    reason: str
    at: Instant


class Difference(msgspec.Struct, frozen=True):
    """One thing that does not add up; a sound ledger has none."""

    what: str
    account_id: AccountId | None
    stored: Credits
    computed: Credits
