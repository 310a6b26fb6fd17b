"""What `portico doctor` looks at; each check is one function and changes nothing."""

import asyncio
import platform
import shutil
import socket
import stat
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import msgspec

from portico.cli.desk import database_revision, has_database
from portico.cli.provider import read_catalogue
from portico.core.clock import SystemClock
from portico.core.errors import PorticoError
from portico.core.ids import IdSource
from portico.core.jobs import MediaAsk
from portico.flows import administer
from portico.flows.administer import Desk
from portico.flows.margins import losses_lately
from portico.media.storage import open_storage
from portico.providers.base import Assignment, Finished
from portico.providers.local.provider import LocalProvider
from portico.rates import open_rates
from portico.settings import Settings
from portico.store import open_store
from portico.store.open import HEAD, is_postgres

FREE_DISK_MIN_BYTES = 2**30
_NOT_YET = "not there yet; made at the first start"
_ON_ONE_MACHINE = (
    "a folder of this machine: unless it is the same one everywhere, set PORTICO_STORAGE_URL to a "
    "bucket before a second machine joins"
)
_COUNTED_APART = (
    "by each process on its own: set PORTICO_LIMITS_URL, or customers get every limit as many "
    "times as there are processes"
)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found, and what to do about it; advice on what is good is a warning."""

    good: bool
    detail: str
    advice: str = ""


async def python(_: Settings) -> Finding:
    """Check the interpreter."""
    good = sys.version_info >= (3, 11)
    return Finding(
        good=good,
        detail=f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        advice="" if good else "Portico needs Python 3.11 or newer",
    )


async def data_folder(settings: Settings) -> Finding:
    """Check that the data folder can be written by us, and read by nobody else."""
    folder = settings.folder
    if not folder.exists():
        return Finding(good=True, detail=f"{folder} is {_NOT_YET}")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding(
            good=False,
            detail=f"{folder} cannot be written: {error.strerror}",
            advice="give the folder to the user who runs Portico",
        )
    open_to = [path.name for path in (folder, *_secrets(folder)) if _is_open(path)]
    if open_to:
        return Finding(
            good=False,
            detail=f"others may read: {', '.join(open_to)}",
            advice=f"chmod go-rwx {folder} and what is in it",
        )
    return Finding(good=True, detail=str(folder))


async def free_disk(settings: Settings) -> Finding:
    """Check that results have somewhere to go."""
    folder = next(path for path in (settings.folder, *settings.folder.parents) if path.exists())
    free_bytes = shutil.disk_usage(folder).free
    good = free_bytes >= FREE_DISK_MIN_BYTES
    return Finding(
        good=good,
        detail=f"{free_bytes / 2**30:.1f} GiB",
        advice="" if good else "make room: below 1 GiB writes may begin to fail",
    )


async def database(settings: Settings) -> Finding:
    """Check that the schema is the one this version wants."""
    if not await asyncio.to_thread(has_database, settings):
        return Finding(good=True, detail=_NOT_YET)
    found = await asyncio.to_thread(database_revision, settings)
    return Finding(
        good=found == HEAD,
        detail=f"revision {found}",
        advice="" if found == HEAD else f"`portico migrate` brings it to {HEAD}",
    )


async def money(settings: Settings) -> Finding:
    """Recompute the ledger."""
    there = await asyncio.to_thread(has_database, settings)
    if not there or await asyncio.to_thread(database_revision, settings) != HEAD:
        return Finding(good=True, detail="nothing to check")
    wall = SystemClock()
    store = await open_store(settings.database)
    try:
        found = await administer.verify(Desk(store=store, clock=wall, ids=IdSource(wall)))
    finally:
        await store.close()
    return Finding(
        good=not found,
        detail=f"{len(found)} differences" if found else "sound",
        advice="`portico ledger verify` names them" if found else "",
    )


async def margins(settings: Settings) -> Finding:
    """Look for tasks of the last seven days that cost more than they brought."""
    there = await asyncio.to_thread(has_database, settings)
    if not there or await asyncio.to_thread(database_revision, settings) != HEAD:
        return Finding(good=True, detail="nothing to check")
    wall = SystemClock()
    store = await open_store(settings.database)
    try:
        number = await losses_lately(Desk(store=store, clock=wall, ids=IdSource(wall)))
    finally:
        await store.close()
    return Finding(
        good=True,
        detail=f"{number} tasks of the last 7 days cost more than was charged for them",
        advice="`portico margins --negative` lists them" if number else "",
    )


async def storage(settings: Settings) -> Finding:
    """Write and remove something where results are kept."""
    url = settings.storage
    kind = url.partition("://")[0]
    advice = _ON_ONE_MACHINE if kind == "file" and is_postgres(settings.database) else ""
    if _is_missing_folder(url):
        return Finding(good=True, detail=_NOT_YET, advice=advice)
    opened = open_storage(url, links=settings.storage_links)
    try:
        await opened.check()
    except PorticoError as error:
        return Finding(
            good=False,
            detail=f"{kind}: cannot be written: {error.__cause__}",
            advice="finished tasks wait until it can, up to their deadline",
        )
    finally:
        await opened.close()
    return Finding(good=True, detail=f"{kind}: can be written", advice=advice)


async def rates(settings: Settings) -> Finding:
    """Count something in the shared store of rates, where one is set."""
    if not settings.limits_url:
        advice = _COUNTED_APART if is_postgres(settings.database) else ""
        return Finding(good=True, detail="counted in memory", advice=advice)
    counted = open_rates(settings.limits_url)
    try:
        await counted.check()
    except Exception as error:  # noqa: BLE001 - whatever the client library says is wrong
        return Finding(
            good=False,
            detail=f"the store cannot count: {type(error).__name__}",
            advice="until it can, each process allows every limit on its own",
        )
    finally:
        await counted.close()
    return Finding(good=True, detail=f"{settings.limits_url.partition('://')[0]}: can count")


async def models(settings: Settings) -> Finding:
    """Read every model file, the operator's included."""
    count = len(read_catalogue(settings).models())
    return Finding(good=True, detail=f"{count} models")


async def renderer(settings: Settings) -> Finding:
    """Draw one small picture in a child process, as a task would."""
    catalogue = read_catalogue(settings)
    ask = MediaAsk(
        dialect="portico", name="portico/picture", prompt="a lake", given={"size": "512x512"}
    )
    job = catalogue.resolve(ask)
    provider = LocalProvider(children_max=1)
    with tempfile.TemporaryDirectory(prefix="portico-doctor-") as folder:
        assignment = Assignment(
            job=job, stage="generate", model="picture", inputs=(), folder=Path(folder)
        )
        try:
            state = await provider.start(assignment, attempt_id="doctor")
            while not isinstance(state, Finished):
                await asyncio.sleep(0.1)
                state = await provider.check("doctor")  # type: ignore[assignment]
        finally:
            await provider.close()
    return Finding(good=True, detail="drew a picture")


async def port(settings: Settings) -> Finding:
    """Check that the port is free, or that Portico itself has it."""
    where = f"{settings.host} port {settings.port}"
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            if await asyncio.to_thread(_is_portico, settings):
                return Finding(good=True, detail=f"{where}: a Portico server answers")
            return Finding(
                good=False,
                detail=f"{where}: {error.strerror}",
                advice="stop what has it, or set another with --port or PORTICO_PORT",
            )
    return Finding(good=True, detail=f"{where}: free")


def _is_portico(settings: Settings) -> bool:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{host}:{settings.port}/healthz", timeout=2) as answer:
            return b'"version"' in answer.read(1_000)
    except (OSError, urllib.error.URLError, ValueError):
        return False


def _is_missing_folder(url: str) -> bool:
    return url.startswith("file://") and not Path(url.removeprefix("file://")).exists()


def _secrets(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()]


def _is_open(path: Path) -> bool:
    return sys.platform != "win32" and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
