"""Values of usage."""

from enum import StrEnum

import msgspec

from portico.core.ids import TaskId
from portico.core.usage import Day


class Grouping(StrEnum):
    """What usage is told apart by."""

    DAY = "day"
    MODEL = "model"
    KEY = "key"


class Progress(msgspec.Struct, frozen=True):
    """How far roll-ups have come: every day before `next_day` is rolled up.

    No task with an id below `first_id` ended later than that.
    """

    next_day: Day
    first_id: TaskId
