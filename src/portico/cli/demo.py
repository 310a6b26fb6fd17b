"""The demo account: made at the first start, its key kept in a file only its owner can read."""

import ipaddress
import os
import shlex
import sys
from pathlib import Path

from portico import __version__, accounts, ledger
from portico.accounts import key_hash
from portico.cli.configuration import DEMO_KEY_FILE
from portico.core.errors import ErrorCode, PorticoError
from portico.core.money import MICRO, format_credits
from portico.flows import administer
from portico.flows.administer import Desk
from portico.settings import Settings

EMAIL = "demo@localhost"
AMOUNT = 1_000 * MICRO
PROMPT = "a sailing boat on the sea at sunset, birds"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def kept_key(folder: Path) -> str | None:
    """Return the demo account's key as the file has it, or None."""
    try:
        return (folder / DEMO_KEY_FILE).read_text("ascii").strip() or None
    except (FileNotFoundError, PermissionError, UnicodeDecodeError):
        return None


async def ensure_account(desk: Desk, folder: Path) -> str:
    """Return a key of the demo account that works; makes account and key where needed."""
    if not await _exists(desk):
        await administer.create_account(desk, EMAIL, amount=AMOUNT)
    key = kept_key(folder)
    if key is None or not await _works(desk, key):
        key = (await administer.create_key(desk, EMAIL, name="demo")).key
        _keep(folder / DEMO_KEY_FILE, key)
    return key


async def available(desk: Desk) -> str:
    """Return what the demo account can spend, in credits."""
    account = await desk.store.read(lambda tx: accounts.by_email(tx, EMAIL))
    balance = await desk.store.read(lambda tx: ledger.balance(tx, account.id))
    return format_credits(balance.available)


def banner(settings: Settings, *, key: str, credits_left: str) -> str:
    """Return what a newcomer needs: where it is, the key, and a first video."""
    url = settings.shown_url
    body = f'{{"model":"portico/scene","prompt":"{PROMPT}"}}'
    return f"""
Portico {__version__} is ready.

  Start page  {url}/
  API key     {key}
  Credits     {credits_left} (account {EMAIL})

Paste this, and half a minute later there is a video in portico.mp4:

curl -fsS -o portico.mp4 -H "Authorization: Bearer {key}" \
-H "Content-Type: application/json" -d '{body}' {url}/portico/v1/generate

The same with a progress bar, in a second terminal:

{_generate_line(settings)}

Ctrl-C stops the server; nothing is lost by it.
"""


def _generate_line(settings: Settings) -> str:
    words = [_own_command(), "generate", PROMPT, "-o", "portico.mp4"]
    if settings.shown_url != Settings().shown_url:
        words += ["--url", settings.shown_url]
    if settings.data != Settings().data:
        words += ["--data", settings.data]
    return shlex.join(words)


def _own_command() -> str:
    """Return how this process was called, so that the line works where it is pasted."""
    return sys.argv[0] if Path(sys.argv[0]).name == "portico" else "portico"


async def _exists(desk: Desk) -> bool:
    try:
        await desk.store.read(lambda tx: accounts.by_email(tx, EMAIL))
    except PorticoError as error:
        if error.code is not ErrorCode.INVALID_REQUEST:
            raise
        return False
    return True


async def _works(desk: Desk, key: str) -> bool:
    now = desk.clock.now()
    try:
        await desk.store.read(
            lambda tx: accounts.find_caller(tx, secret_hash=key_hash(key), now=now)
        )
    except PorticoError as error:
        if error.code is not ErrorCode.UNAUTHENTICATED:
            raise
        return False
    return True


def _keep(path: Path, key: str) -> None:
    """Write the key durably, readable by its owner alone, whatever stood there before."""
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{key}\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
