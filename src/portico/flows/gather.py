"""Get a job's input files: look at their addresses at submit, fetch them when the task runs."""

import asyncio
from pathlib import Path

from portico.core import faults
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import AccountId, AssetId
from portico.core.jobs import MediaInput, MediaJob, Role
from portico.core.views import Caller
from portico.flows.download import copy_out
from portico.flows.gateway import Gateway
from portico.media import service as media
from portico.media.model import Asset
from portico.media.sniff import SUFFIXES, sniff, sniff_file
from portico.providers.base import InputFile
from portico.tasks import Task

MIB = 2**20
_IMAGE_ROLES = frozenset(
    {
        Role.FIRST_FRAME,
        Role.LAST_FRAME,
        Role.REFERENCE_IMAGE,
        Role.GARMENT,
        Role.SOURCE_IMAGE,
    }
)
_VIDEO_ROLES = frozenset({Role.REFERENCE_VIDEO, Role.MOTION_VIDEO, Role.SOURCE_VIDEO})


async def check_inputs(gateway: Gateway, caller: Caller, job: MediaJob) -> None:
    """Look at the first bytes behind every URL and its size, and that assets are the caller's.

    This happens before any debit; what goes wrong later fails the task with a full refund.

    Raises:
        PorticoError: MEDIA_UNREACHABLE or MEDIA_REJECTED, with the input's role as `param`.
    """
    if not job.inputs:
        return
    checks = [_check_one(gateway, caller, each) for each in job.inputs]
    await asyncio.gather(*checks)


async def fetch_inputs(gateway: Gateway, task: Task, folder: Path) -> tuple[InputFile, ...]:
    """Bring every input of a task to this machine's disk, checked; safe to repeat.

    Raises:
        PorticoError: MEDIA_UNREACHABLE or MEDIA_REJECTED.
    """
    job = task.media_job()
    faults.reach("gather.before_fetch")
    fetches = [
        _fetch_one(gateway, task, each, folder / f"input-{number}")
        for number, each in enumerate(job.inputs)
    ]
    files = tuple(await asyncio.gather(*fetches))
    faults.reach("gather.after_store")
    return files


async def _check_one(gateway: Gateway, caller: Caller, wanted: MediaInput) -> None:
    try:
        if wanted.url is not None:
            peek = await gateway.door.peek(wanted.url, account_id=caller.account_id)
            _expect(wanted.role, sniff(peek.head), url=True)
            _refuse_large(gateway, wanted.role, peek.length or 0)
        else:
            asset = await _own_asset(gateway, caller.account_id, wanted.asset_id or "")
            _expect(wanted.role, asset.media_type, url=False)
    except PorticoError as error:
        error.param = error.param or wanted.role.value
        raise


async def _fetch_one(gateway: Gateway, task: Task, wanted: MediaInput, target: Path) -> InputFile:
    await asyncio.to_thread(target.unlink, missing_ok=True)  # from before a restart
    if wanted.url is not None:
        await gateway.door.download(
            wanted.url,
            target,
            size_max_bytes=_size_max_bytes(gateway, wanted.role),
            account_id=task.account_id,
        )
    else:
        await _copy_asset(gateway, task, wanted.asset_id or "", target)
    media_type = await asyncio.to_thread(sniff_file, target)
    _expect(wanted.role, media_type, url=wanted.url is not None)
    assert media_type is not None  # _expect raised otherwise
    if not media_type.startswith("audio/"):
        await gateway.inspector.inspect(target, media_type)
    url = wanted.url if wanted.url is not None and gateway.door.is_public(wanted.url) else None
    link = await _link(gateway, task, wanted.asset_id) if wanted.asset_id else None
    return InputFile(role=wanted.role, media_type=media_type, path=target, url=url, link=link)


async def _copy_asset(gateway: Gateway, task: Task, asset_id: str, target: Path) -> None:
    asset = await _own_asset(gateway, task.account_id, asset_id)
    await copy_out(gateway, asset, target)


async def _link(gateway: Gateway, task: Task, asset_id: AssetId) -> str | None:
    """Return a signed link to an upload for the time of the task, where strangers reach us."""
    if not gateway.limits.is_reachable:
        return None
    asset = await _own_asset(gateway, task.account_id, asset_id)
    name = f"input.{SUFFIXES.get(asset.media_type, 'bin')}"
    path = gateway.links.path(asset_id, name=name, expires_at=task.deadline_at)
    return f"{gateway.public_url}{path}"


async def _own_asset(gateway: Gateway, account_id: AccountId, asset_id: AssetId) -> Asset:
    asset = await gateway.store.read(lambda tx: media.find(tx, asset_id, account_id=account_id))
    if asset is None or asset.deleted_at:
        raise PorticoError(ErrorCode.MEDIA_UNREACHABLE, "Unknown upload")
    return asset


def _expect(role: Role, media_type: str | None, *, url: bool) -> None:
    """Refuse bytes that are no accepted medium, or another kind than the role needs."""
    kind = "image" if role in _IMAGE_ROLES else "video" if role in _VIDEO_ROLES else "audio"
    if media_type is None and url:
        raise PorticoError(
            ErrorCode.MEDIA_UNREACHABLE, "Not a direct link to a media file", direct=False
        )
    if media_type is None or not media_type.startswith(f"{kind}/"):
        raise PorticoError(ErrorCode.MEDIA_REJECTED, f"Not a supported {kind} file")


def _refuse_large(gateway: Gateway, role: Role, declared_bytes: int) -> None:
    """Refuse what its host says is too large; whoever lies is found out when it is fetched."""
    size_max_bytes = _size_max_bytes(gateway, role)
    if declared_bytes > size_max_bytes:
        message = f"The file is larger than {size_max_bytes // MIB} MiB"
        raise PorticoError(ErrorCode.MEDIA_REJECTED, message)


def _size_max_bytes(gateway: Gateway, role: Role) -> int:
    if role in _IMAGE_ROLES:
        return gateway.limits.image_size_max_bytes
    return gateway.limits.video_size_max_bytes
