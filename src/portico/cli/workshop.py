"""What the commands about credentials share: what makes them, and how a secret is read."""

import getpass
import os
import sys

from portico.app import build_providers, provider_builder, server_secret
from portico.cli.failure import refusal
from portico.core.clock import SystemClock
from portico.credentials import Seal
from portico.flows.connected import Providers
from portico.flows.credentials import Workshop
from portico.settings import Settings

SECRET_LENGTH_MAX = 10_000


def open_workshop(settings: Settings) -> Workshop:
    """Return what credentials are made with; makes the installation's secret on first use.

    Raises:
        PorticoError: INVALID_REQUEST for settings that cannot be read.
    """
    clock = SystemClock()
    try:
        return Workshop(
            seal=Seal(server_secret(settings)),
            build=provider_builder(settings, clock),
            reserved=frozenset(one.name for one in built_in(settings).all()),
        )
    except ValueError as error:
        raise refusal(str(error)) from None


def built_in(settings: Settings) -> Providers:
    """Return what is part of Portico itself.

    Raises:
        PorticoError: INVALID_REQUEST for settings that cannot be read.
    """
    try:
        return build_providers(settings, SystemClock())
    except ValueError as error:
        raise refusal(str(error)) from None


def read_secret(variable: str | None, *, from_stdin: bool) -> str:
    """Read a secret from a variable of the environment, from stdin, or by asking for it.

    Never from the command line: that is seen by everybody on the machine, and kept in histories.

    Raises:
        PorticoError: INVALID_REQUEST when there is none, or nobody can be asked.
    """
    if variable is not None and from_stdin:
        message = "--secret-from-env or --secret-stdin, not both"
        raise refusal(message)
    if variable is not None:
        if not os.environ.get(variable):
            message = f"the variable {variable} is not set"
            raise refusal(message)
        return os.environ[variable]
    if from_stdin:
        return sys.stdin.read(SECRET_LENGTH_MAX)
    if not sys.stdin.isatty():
        message = "nobody can be asked for the secret here: --secret-stdin or --secret-from-env VAR"
        raise refusal(message)
    return getpass.getpass("Secret (not shown): ")


def read_options(pairs: list[str]) -> dict[str, str]:
    """Read options written as `name=value`.

    Raises:
        PorticoError: INVALID_REQUEST for one without a `=`.
    """
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            message = "an option is written name=value"
            raise refusal(message)
        options[name.strip()] = value.strip()
    return options
