"""`portico emulate`: stand in for a vendor's service on this machine, for tests and trials."""

import asyncio
import signal
from typing import Annotated

import typer

from portico.cli.failure import refusal
from portico.cli.options import plain
from portico.cli.output import print_table
from portico.emulators.emulator import Emulator
from portico.emulators.faults import MENU, Fault, On, When
from portico.emulators.registry import EMULATORS

app = plain()

DEFAULT_PORT = 8090


@app.command()
def emulate(
    name: Annotated[str, typer.Argument(help="Whose service; none lists them all.")] = "",
    *,
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.")] = (
        DEFAULT_PORT
    ),
    latency: Annotated[float, typer.Option(metavar="SECONDS", help="How long a job takes.")] = 3.0,
    fault: Annotated[
        str, typer.Option(help="A fault for every job or text; NAME `faults` lists them.")
    ] = "",
) -> None:
    """Stand in for a vendor's service: small real files, any key, and a menu of faults.

    A prompt may order a fault for itself, such as `a boat [fault:task_failed]`, and a POST to
    /_emulator/faults plans one, such as {"fault": "busy", "on": "begin", "times": 2}.
    """
    if name == "faults":
        rows = ((each.value, dish.number, dish.line) for each, dish in MENU.items())
        print_table(("FAULT", "MATRIX", "WHAT HAPPENS"), rows)
        return
    if name not in EMULATORS:
        message = f"name one of: {', '.join(EMULATORS)}, faults"
        raise refusal(message)
    emulator = EMULATORS[name](latency_s=latency)
    if fault:
        _plan(emulator, fault)
    asyncio.run(_run(emulator, port))


def _plan(emulator: Emulator, text: str) -> None:
    if text not in set(Fault):
        message = f"no fault {text}; `portico emulate faults` lists them"
        raise refusal(message)
    fault = Fault(text)
    on = On.TEXT if MENU[fault].when is When.TEXT else On.BEGIN
    emulator.plans.add_for_ever(fault, on=on)


async def _run(emulator: Emulator, port: int) -> None:
    """Serve until a signal says stop."""
    stop = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    try:
        await emulator.start(port=port)
    except OSError as error:
        message = f"cannot listen on port {port}: {error.strerror}"
        raise refusal(message) from None
    print(f"{emulator.name} is emulated at {emulator.base_url}", flush=True)
    await stop.wait()
    await emulator.stop()
