"""Named fault points: places where a crash or an error matters, free when off.

A test arms them with a callable, or a whole process by the environment variable
`PORTICO_FAULT=name[:kill|error][:n]` (act at the n-th time the point is reached).
"""

import os
import signal
from collections.abc import Callable

FAULT_POINTS = (
    "submit.before_commit",
    "submit.after_commit",
    "take.before_commit",
    "take.after_commit",
    "bury.before_commit",
    "bury.after_commit",
    "gather.before_fetch",
    "gather.after_store",
    "attempt.before_commit",
    "attempt.after_commit",
    "start.before_call",
    "start.after_call",
    "started.before_commit",
    "started.after_commit",
    "check.before_call",
    "check.after_call",
    "storing.before_commit",
    "storing.after_commit",
    "collect.before_store",
    "collect.after_store",
    "stage.before_commit",
    "stage.after_commit",
    "settle.before_commit",
    "settle.after_commit",
    "fail.before_commit",
    "fail.after_commit",
    "cancel.before_commit",
    "cancel.after_commit",
    "chat.after_hold",
    "chat.first_chunk",
    "chat.before_settle",
    "chat.after_settle",
    "notify.before_send",
    "notify.after_send",
    "notify.before_commit",
    "notify.after_commit",
    "file.before_write",
    "file.before_rename",
    "file.after_rename",
    "sweep.before_delete",
    "sweep.after_delete",
    "roll_up.before_commit",
    "roll_up.after_commit",
    "remove.before_commit",
    "remove.after_commit",
    "writer.before_commit",
    "writer.after_commit",
    "top_up.after_commit",
    "copy.after_batch",
    "copy.before_commit",
    "import.before_commit",
    "import.after_commit",
    "price.before_rename",
)

_armed: Callable[[str], None] | None = None


def reach(name: str) -> None:
    """Pass a fault point; does nothing unless a test armed it."""
    if _armed is not None:
        _armed(name)


def arm(action: Callable[[str], None] | None) -> None:
    """Call `action` with the name of every fault point passed from now on; None disarms."""
    global _armed  # noqa: PLW0603 - one switch for the whole process is the point
    _armed = action


def arm_from_environment() -> None:
    """Arm what `PORTICO_FAULT` asks for; used by tests that kill whole processes."""
    wanted = os.environ.get("PORTICO_FAULT", "")
    if not wanted:
        return
    name, _, rest = wanted.partition(":")
    how, _, count = rest.partition(":")
    if name not in FAULT_POINTS:
        message = f"PORTICO_FAULT names no fault point: {name}"
        raise ValueError(message)
    left = int(count or "1")

    def act(reached: str) -> None:
        nonlocal left
        if reached != name:
            return
        left -= 1
        if left == 0:
            if how == "error":
                message = f"fault point {name}"
                raise OSError(message)
            os.kill(os.getpid(), signal.SIGKILL)

    arm(act)
