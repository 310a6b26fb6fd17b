"""Usage: daily roll-ups of the tasks that ended, which outlive the tasks themselves.

A day is rolled up once it is over, as a whole, in one transaction that also moves the one row
which says how far roll-ups have come. Whatever ended later is counted from the tasks.
"""

from portico.usage.model import Grouping, Progress
from portico.usage.service import advance, keep_day, progress, tallies

__all__ = ["Grouping", "Progress", "advance", "keep_day", "progress", "tallies"]
