"""Read the settings for a command, and what several commands know of the data folder."""

from pathlib import Path

from portico.cli.failure import refusal
from portico.settings import Settings, load

DEMO_KEY_FILE = "demo-key"  # `serve --demo` keeps the demo account's key there


def read_settings(data: Path | None = None, **given: object) -> Settings:
    """Read the settings; options of the command win over all.

    Raises:
        PorticoError: INVALID_REQUEST naming the setting that cannot be used.
    """
    try:
        return load(None, data=None if data is None else str(data), **given)
    except ValueError as error:
        raise refusal(str(error)) from error
