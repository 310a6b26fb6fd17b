"""Engines: who looks at which task next, and when. They decide nothing else.

`EmbeddedEngine` plans the steps of this process's own tasks. Which tasks are its own is said by
rows: a process is a runner, a task belongs to one, and a runner whose count in the database
stands still has lost what it had.
"""

from portico.engines.embedded import EmbeddedEngine
from portico.engines.runner import QUEUES, RENDER, UPSTREAM, Runner, Watch
from portico.engines.workplace import Workplace

__all__ = ["QUEUES", "RENDER", "UPSTREAM", "EmbeddedEngine", "Runner", "Watch", "Workplace"]
