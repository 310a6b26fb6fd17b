"""`portico generate`: make a picture or video with a running server, and save it."""

import mimetypes
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from portico.cli.client import Client, is_this_machine
from portico.cli.configuration import DEMO_KEY_FILE, read_settings
from portico.cli.failure import refusal
from portico.cli.options import Data, Json, plain
from portico.cli.output import answer
from portico.cli.progress import progress_bar
from portico.core.errors import ErrorCode, PorticoError
from portico.settings import Settings

app = plain()

LOOK_EVERY_S = 0.4
SERVER_AWAY_MAX_S = 60.0
_FINAL = {"succeeded", "failed", "cancelled", "expired"}


@app.command()
def generate(  # noqa: PLR0913 - one argument an option
    prompt: Annotated[str, typer.Argument(help="What to make, in words.")],
    *,
    model: Annotated[
        str, typer.Option("--model", "-m", help="Which model makes it; see `portico models`.")
    ] = "portico/scene",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to save it; replaced if there."),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="Such as duration=4; repeatable."),
    ] = None,
    url: Annotated[str | None, typer.Option(help="The server; this machine's unless set.")] = None,
    key: Annotated[
        str | None,
        typer.Option(envvar="PORTICO_API_KEY", help="API key; not needed on the demo's machine."),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a picture or video, wait for it, save it, and say what it cost.

    Talks to a running server: start one with `portico serve --demo`. Ctrl-C cancels the task
    and gives its credits back.
    """
    settings = read_settings(data)
    address = url or settings.shown_url
    client = Client(address, key or _demo_key(settings, address))
    body = {"model": model, "prompt": prompt, "params": _params(param or [])}
    task = client.post("/portico/v1/tasks", body)["task"]
    task = _follow(client, task)
    target = output or Path(_file_name(task))
    size_bytes = client.save(f"/portico/v1/tasks/{task['id']}/download", target)
    left = client.get("/portico/v1/balance")["available"]
    result = {
        "task_id": task["id"],
        "file": str(target),
        "size_bytes": size_bytes,
        "cost": task["charged"],
        "available": left,
    }
    text = f"{target}  {size_bytes:,} bytes, {task['charged']} credits; {left} left."
    answer(result, text, as_json=as_json)


def _follow(client: Client, task: dict[str, Any]) -> dict[str, Any]:
    """Wait until the task has ended well.

    Raises:
        PorticoError: INVALID_REQUEST when it ended otherwise, with the server's reason.
    """
    try:
        with progress_bar("queued") as show:
            while task["state"] not in _FINAL:
                show(task["state"], task["progress"] or 0.0)
                time.sleep(LOOK_EVERY_S)
                task = _look(client, task["id"])
            show(task["state"], 1.0)
    except KeyboardInterrupt:
        client.post(f"/portico/v1/tasks/{task['id']}/cancel", {})
        message = "cancelled; the credits are back"
        raise refusal(message) from None
    if task["state"] != "succeeded":
        reason = (task["error"] or {}).get("message") or task["state"]
        message = f"{reason} (task {task['id']}; nothing was charged)"
        raise refusal(message)
    return task


def _look(client: Client, task_id: str) -> dict[str, Any]:
    """Read the task; a server that is away for a while, as for a restart, is waited for."""
    give_up_at = time.monotonic() + SERVER_AWAY_MAX_S
    while True:
        try:
            return client.get(f"/portico/v1/tasks/{task_id}")
        except PorticoError as error:
            if error.code is not ErrorCode.OVERLOADED or time.monotonic() > give_up_at:
                raise
        time.sleep(LOOK_EVERY_S)


def _demo_key(settings: Settings, address: str) -> str:
    """Return the key that `serve --demo` keeps in its data folder, for servers on this machine.

    Raises:
        PorticoError: INVALID_REQUEST when there is none.
    """
    try:
        if is_this_machine(address):
            return (settings.folder / DEMO_KEY_FILE).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        pass
    message = "no API key: give one with --key or PORTICO_API_KEY"
    raise refusal(message)


def _params(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            message = f"{pair!r} is not NAME=VALUE"
            raise typer.BadParameter(message, param_hint="--param")
        found[name] = value
    return found


def _file_name(task: dict[str, Any]) -> str:
    suffix = mimetypes.guess_extension(task["outputs"][0]["media_type"]) or ""
    return f"portico-{task['id']}{suffix}"
