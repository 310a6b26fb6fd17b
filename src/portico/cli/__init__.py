"""The command line: one file per command, imported only when that command runs.

What a command answers goes to stdout (with `--json` as exactly one object), what went wrong to
stderr in one line. Exit codes: 0 done, 1 it did not work, 2 the command was not understood.
"""

import gc
import sys

from portico.cli.failure import one_clear_line

__all__ = ["main"]


def main() -> None:
    """Run the command that the arguments name."""
    with one_clear_line():
        if sys.argv[1:2] == ["serve"]:
            _serve(sys.argv[2:])
        else:
            from portico.cli.commands import app  # noqa: PLC0415 - a server has no use for it

            app(prog_name="portico")


def _serve(arguments: list[str]) -> None:
    """Start the server without what only the other commands need.

    A server should be ready within a second and stay small. The command line library costs
    10 MB and 0.15 s, collecting garbage while importing 0.05 s, and the log library would load
    a terminal library, for colours we do not use, of 3 MB and 0.05 s.
    """
    gc.disable()
    if "rich" not in sys.modules:
        sys.modules["rich"] = None  # type: ignore[assignment]
        import structlog  # noqa: F401, PLC0415

        del sys.modules["rich"]
    from portico.cli.serve import serve  # noqa: PLC0415

    serve(arguments)
