"""Open a stored result: for its owner by task, or for the bearer of a signed link."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from portico import tasks
from portico.core.clock import SECOND_MS
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import AssetId, TaskId
from portico.core.views import Caller, TaskState
from portico.flows.gateway import Gateway
from portico.media import service as media
from portico.media.model import Asset
from portico.media.ranges import UNSATISFIABLE, ByteRange, parse_range
from portico.store import Tx

__all__ = [
    "UNSATISFIABLE",
    "ByteRange",
    "OpenFile",
    "by_link",
    "copy_out",
    "own_file",
    "parse_range",
    "result_of",
]

LINK_S = 3_600  # long enough to begin a download, and to go on after a pause


class OpenFile(msgspec.Struct, frozen=True):
    """A stored file, ready to be read in any range."""

    gateway: Gateway
    asset: Asset

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """Return the bytes from `start` up to and without `end`, in pieces of constant size.

        Raises:
            PorticoError: RESULT_EXPIRED when the file has just gone, OVERLOADED.
        """
        return await self.gateway.storage.open_range(self.asset.storage_key, start, end)

    async def link(self, method: str) -> str | None:
        """Return a short-lived link to the file at its storage itself, where there are such links.

        Raises:
            PorticoError: OVERLOADED.
        """
        left_s = (self.asset.expires_at - self.gateway.clock.now()) // SECOND_MS
        within_s = max(1, min(LINK_S, left_s))
        return await self.gateway.storage.link(
            self.asset.storage_key, method=method, within_s=within_s
        )


async def result_of(gateway: Gateway, caller: Caller, task_id: TaskId | None) -> OpenFile:
    """Open the result of one of the caller's own tasks.

    Raises:
        PorticoError: TASK_NOT_FOUND, RESULT_NOT_READY (also for a failed task), RESULT_EXPIRED.
    """

    def look(tx: Tx) -> Asset:
        found = tasks.find(tx, task_id, caller.account_id) if task_id is not None else None
        if found is None:
            raise PorticoError(ErrorCode.TASK_NOT_FOUND, "Task not found")
        if found.state is not TaskState.SUCCEEDED:
            raise PorticoError(ErrorCode.RESULT_NOT_READY, "Task not finished")
        kept = [asset for asset in media.of_task(tx, found.id) if asset.role == "output"]
        return _usable(gateway, kept[0] if kept else None)

    return OpenFile(gateway, await gateway.store.read(look))


async def own_file(gateway: Gateway, caller: Caller, asset_id: AssetId) -> OpenFile:
    """Open one of the caller's own files, such as a cover or the second of several results.

    Raises:
        PorticoError: RESULT_EXPIRED when it has gone, or is not the caller's.
    """
    found = await gateway.store.read(lambda tx: media.find(tx, asset_id, caller.account_id))
    return OpenFile(gateway, _usable(gateway, found))


async def by_link(gateway: Gateway, asset_id: AssetId | None) -> OpenFile:
    """Open the file a verified link names.

    Raises:
        PorticoError: RESULT_EXPIRED when the link or the file has gone, or never was.
    """
    found = None
    if asset_id is not None:
        wanted = asset_id
        found = await gateway.store.read(lambda tx: media.find_any(tx, wanted))
    return OpenFile(gateway, _usable(gateway, found))


async def copy_out(gateway: Gateway, asset: Asset, target: Path) -> None:
    """Write a stored file to this machine's disk, where a provider can read it."""
    pieces = await gateway.storage.open_range(asset.storage_key, 0, asset.size_bytes)
    with target.open("wb") as file:
        async for piece in pieces:
            await asyncio.to_thread(file.write, piece)


def _usable(gateway: Gateway, asset: Asset | None) -> Asset:
    if asset is None or asset.deleted_at or asset.expires_at <= gateway.clock.now():
        raise PorticoError(ErrorCode.RESULT_EXPIRED, "The result has expired")
    return asset
