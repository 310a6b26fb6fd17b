"""`portico doctor`: check this installation."""

import asyncio
from collections.abc import Awaitable, Callable

import typer

from portico.cli import health_checks as checks
from portico.cli import shared_checks as shared
from portico.cli import upstream_checks as upstreams
from portico.cli.configuration import read_settings
from portico.cli.health_checks import Finding
from portico.cli.options import Data, Json, plain
from portico.cli.output import answer
from portico.core.errors import PorticoError
from portico.settings import Settings

app = plain()

CHECK_WITHIN_S = 60.0
CHECKS: tuple[tuple[str, Callable[[Settings], Awaitable[Finding]]], ...] = (
    ("python", checks.python),
    ("clock", shared.clock),
    ("data folder", checks.data_folder),
    ("free disk", checks.free_disk),
    ("database", checks.database),
    ("ledger", checks.money),
    ("margins", checks.margins),
    ("runners", shared.runners),
    ("secret", shared.secret),
    ("credentials", upstreams.credentials),
    ("storage", checks.storage),
    ("rates", checks.rates),
    ("catalogue", checks.models),
    ("renderer", checks.renderer),
    ("port", checks.port),
)


@app.command()
def doctor(*, data: Data = None, as_json: Json = False) -> None:
    """Check this installation, and say what to do about each thing that is wrong.

    Changes nothing, and may run beside a server. Exit code 1 when something is wrong; a warning
    is no such thing.
    """
    settings = read_settings(data)
    findings = asyncio.run(_examine(settings))
    sound = all(found.good for _, found in findings)
    result = {
        "sound": sound,
        "checks": [
            {"check": name, "good": found.good, "detail": found.detail, "advice": found.advice}
            for name, found in findings
        ],
    }
    answer(result, "\n".join(_line(name, found) for name, found in findings), as_json=as_json)
    if not sound:
        raise typer.Exit(1)


async def _examine(settings: Settings) -> list[tuple[str, Finding]]:
    return [(name, await _guarded(check, settings)) for name, check in CHECKS]


async def _guarded(check: Callable[[Settings], Awaitable[Finding]], settings: Settings) -> Finding:
    try:
        async with asyncio.timeout(CHECK_WITHIN_S):
            return await check(settings)
    except TimeoutError:
        return Finding(good=False, detail="took too long")
    except PorticoError as error:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        return Finding(good=False, detail=f"{error.message}{cause}")
    except Exception as error:  # noqa: BLE001 - whatever is wrong is what this command is for
        return Finding(good=False, detail=f"{type(error).__name__}: {error}")


def _line(name: str, found: Finding) -> str:
    mark = ("warn " if found.advice else "ok   ") if found.good else "WRONG"
    advice = f"\n{' ' * 20}→ {found.advice}" if found.advice else ""
    return f"{mark}  {name:<12} {found.detail}{advice}"
