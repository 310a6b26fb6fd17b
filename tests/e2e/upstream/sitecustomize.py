"""An upstream's own books: each start of a job is written down, by task, stage and attempt.

Python imports this by itself when its folder is on PYTHONPATH; so a whole process of Portico,
and what it starts, is watched from outside. It can also make one that waits for a lost job
impatient.
"""

import os
import sys
from pathlib import Path

BOOKS = "PORTICO_TEST_BOOKS"  # the file they are kept in
LOST_RETRY = "PORTICO_TEST_LOST_RETRY_S"  # instead of the seconds between looks for a lost job


def _keep(path: Path) -> None:
    from portico.providers.base import Assignment, Finished, Pending
    from portico.providers.simulator import Simulator

    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    begin = Simulator.start

    async def start(self: Simulator, assignment: Assignment, *, attempt_id: str) -> object:
        line = f"{assignment.folder.name} {assignment.stage} {attempt_id}\n"
        os.write(file, line.encode())  # before the answer: whoever dies now has started it
        outcome: Pending | Finished = await begin(self, assignment, attempt_id=attempt_id)
        return outcome

    Simulator.start = start  # type: ignore[method-assign,assignment]


def _hurry(seconds: float) -> None:
    from portico.flows import run

    run.LOST_RETRY_S = seconds


if {"serve", "worker"} & set(sys.orig_argv):
    if BOOKS in os.environ:
        _keep(Path(os.environ[BOOKS]))
    if LOST_RETRY in os.environ:
        _hurry(float(os.environ[LOST_RETRY]))
