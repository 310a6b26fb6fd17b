"""A folder for unfinished files that is one process's own, also beside others on one machine."""

import os
import shutil
import sys
from pathlib import Path

_LOCK = ".lock"  # beside the folder: in it there is nothing but work


class Workplace:
    """Where one process works; whoever opens one clears away what dead neighbours left.

    Args:
        parent: the folder in which processes have theirs.
        name: of this one; empty where there is no other process, and `parent` itself is used.
    """

    def __init__(self, parent: Path, name: str) -> None:
        self.path = parent / name
        self.dead: tuple[str, ...] = ()  # neighbours of which only their folder was left
        self._lock: int | None = None
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if name:
            self._lock = _locked(self.path)
            others = [each for each in parent.iterdir() if each != self.path and each.is_dir()]
            self.dead = tuple(each.name for each in others if _clear_if_dead(each))

    def close(self) -> None:
        """Take the folder away, where it is this process's alone."""
        if self._lock is not None:
            _clear(self.path, self._lock)
            self._lock = None


def _clear_if_dead(folder: Path) -> bool:
    """Remove a folder that no living process holds; a lock ends with its process."""
    lock = _locked(folder)
    if lock is None:
        return False
    _clear(folder, lock)
    return True


def _clear(folder: Path, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_suffix(_LOCK).unlink(missing_ok=True)
    os.close(lock)


def _locked(folder: Path) -> int | None:
    """Take a folder's lock; None when another process has it."""
    if sys.platform == "win32":  # there only one process runs, on the embedded database
        return None
    import fcntl  # noqa: PLC0415 - there is none on Windows

    lock = os.open(folder.with_suffix(_LOCK), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock
