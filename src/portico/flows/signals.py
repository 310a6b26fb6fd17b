"""What the processes on one database tell each other: lines of text, sent when a write counts.

A line is only a hint: whatever it says stands in rows as well, and one that was lost costs time,
never a task.
"""

from collections.abc import Mapping
from contextlib import suppress

from portico.core.errors import PorticoError
from portico.core.ids import TaskId
from portico.flows.gateway import Gateway
from portico.flows.live import Progress
from portico.store import Tx

WAITING = "waiting"  # a task waits for a runner to take it
OWED = "owed"  # a webhook is to be told
CREDENTIALS = "credentials"  # one was added, changed or removed
PAUSES = "pauses"  # a route is paused, or is not any more
PROGRESS_EVERY_S = 1.0


def ended(task_id: TaskId) -> str:
    """Say that a task has ended."""
    return f"ended {task_id}"


def noticed(task_id: TaskId) -> str:
    """Say that an upstream has news of a task."""
    return f"noticed {task_id}"


async def run_hearing(gateway: Gateway) -> None:
    """Hear what the other processes tell, for ever."""

    def missed() -> None:
        gateway.live.forget_heard()
        gateway.runner.work_waits.set()
        gateway.live.delivery_due.set()
        gateway.providers.changed.set()
        gateway.live.pauses_changed.set()

    await gateway.store.listen(lambda text: hear(gateway, text), missed)


def hear(gateway: Gateway, text: str) -> None:
    """Do what the lines of one message ask for; a line that nobody understands is left out."""
    for line in text.split("\n"):
        match line.split(" "):
            case ["ended", number]:
                gateway.live.ended(int(number))
                gateway.engine.nudge(int(number))
            case ["progress", number, done, begun]:
                gateway.live.hear(int(number), float(done) if done else None, begun=begun == "1")
            case ["waiting"]:
                gateway.runner.work_waits.set()
            case ["owed"]:
                gateway.live.delivery_due.set()
            case ["noticed", number]:
                gateway.live.trust.noticed(int(number))
                gateway.engine.nudge(int(number))
            case ["credentials"]:
                gateway.providers.changed.set()
            case ["pauses"]:
                gateway.live.pauses_changed.set()


async def run_telling(gateway: Gateway) -> None:
    """Tell the others how far this process's tasks are, once a second while there is news."""
    gateway.live.keep_news()
    while True:
        await gateway.clock.sleep(PROGRESS_EVERY_S)
        if (news := gateway.live.take_news()) and not gateway.runner.is_alone:
            await _tell(gateway, news)


async def _tell(gateway: Gateway, news: Mapping[TaskId, Progress]) -> None:
    def write(tx: Tx) -> None:
        for task_id, each in news.items():
            done = "" if each.done is None else f"{each.done:.3f}"
            tx.announce(f"progress {task_id} {done} {int(each.begun)}")

    with suppress(PorticoError):  # the database is away: in a second there is fresher news
        await gateway.store.write(write)
