"""How far a command is: a bar on stderr for a person, nothing for a program."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Show = Callable[[str, float], None]  # what is being done, and how far it is: 0.0 to 1.0


@contextmanager
def progress_bar(what: str) -> Iterator[Show]:
    """Show progress, beginning with `what`, until the block ends."""
    if not sys.stderr.isatty():
        yield lambda what, done: None  # noqa: ARG005 - nobody watches
        return
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second, for people only
    from rich.progress import Progress, TimeElapsedColumn  # noqa: PLC0415

    columns = (*Progress.get_default_columns()[:3], TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=1.0)
        yield lambda what, done: progress.update(task, description=what, completed=done)
