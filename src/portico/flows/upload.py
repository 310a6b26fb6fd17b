"""Take a file from a customer: spool it, see what it is, store it, record it for its account.

It lies there without a task until a submit names it; one that nobody names is swept (see `sweep`).
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from portico.core.ids import AssetId
from portico.core.views import Caller
from portico.flows.gateway import Gateway
from portico.media import service as media
from portico.media.model import AssetRole, NewAsset
from portico.media.storage import storage_key
from portico.media.uploads import Upload, UploadLimits, spool, spool_base64

_LIMITS = UploadLimits()


async def upload(
    gateway: Gateway,
    caller: Caller,
    given: AsyncIterator[bytes] | str,
    *,
    limits: UploadLimits = _LIMITS,
    param: str | None = None,
) -> AssetId:
    """Store one file, given in pieces or as base64, and return the id a job's input can name.

    Raises:
        PorticoError: MEDIA_REJECTED for what is no picture, video or sound, PAYLOAD_TOO_LARGE,
            OVERLOADED; all of them with `param`.
    """
    asset_id = gateway.ids.opaque_id("ast")
    folder = gateway.work_folder / asset_id
    await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
    try:
        spooled = await _spooled(given, folder / "upload", limits=limits, param=param)
        key = storage_key(asset_id, spooled.media_type)
        await gateway.storage.put_file(spooled.path, key)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    now = gateway.clock.now()
    asset = NewAsset(
        id=asset_id,
        account_id=caller.account_id,
        task_id=None,
        role=AssetRole.INPUT,
        media_type=spooled.media_type,
        size_bytes=spooled.size_bytes,
        storage_key=key,
        created_at=now,
        expires_at=now + gateway.limits.result_kept_ms,
    )
    await gateway.store.write(lambda tx: media.record(tx, asset), lane=asset_id)
    return asset_id


async def _spooled(
    given: AsyncIterator[bytes] | str, to: Path, *, limits: UploadLimits, param: str | None
) -> Upload:
    if isinstance(given, str):
        return await spool_base64(given, to, limits=limits, param=param)
    return await spool(given, to, limits=limits, param=param)
