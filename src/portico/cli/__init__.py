"""The command line: one file per command, imported only when that command runs.

What a command answers goes to stdout (with `--json` as exactly one object), what went wrong to
stderr in one line. Exit codes: 0 done, 1 it did not work, 2 the command was not understood.
"""

from portico.cli.commands import app, main

__all__ = ["app", "main"]
