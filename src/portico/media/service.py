"""What can be done with assets; each takes an open transaction first and may safely run twice."""

from collections.abc import Sequence

import msgspec

from portico.core.clock import Instant
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import AccountId, AssetId, TaskId
from portico.core.jobs import MediaInput, Role
from portico.media import queries
from portico.media.model import Asset, AssetRole, NewAsset
from portico.store import Row, Tx


def record(tx: Tx, asset: NewAsset) -> None:
    """Write down a file that lies whole in the storage; a second call changes nothing."""
    if tx.one(queries.BY_ID, asset_id=asset.id) is None:
        tx.execute(queries.INSERT, **msgspec.structs.asdict(asset))


def find(tx: Tx, asset_id: AssetId, account_id: AccountId) -> Asset | None:
    """Return an account's own asset; a foreign one is as unknown as one that never was."""
    row = tx.one(queries.OF_ACCOUNT, asset_id=asset_id, owner=account_id)
    return _asset(row) if row else None


def find_any(tx: Tx, asset_id: AssetId) -> Asset | None:
    """Return an asset for the holder of a signed link, which names it; never for anyone else."""
    row = tx.one(queries.BY_ID, asset_id=asset_id)
    return _asset(row) if row else None


def of_task(tx: Tx, task_id: TaskId) -> list[Asset]:
    """Return the assets of a task in the order they were recorded, deleted ones too."""
    return [_asset(row) for row in tx.rows(queries.OF_TASK, of_task=task_id)]


def attach_inputs(
    tx: Tx, inputs: Sequence[MediaInput], *, account_id: AccountId, task_id: TaskId
) -> None:
    """Give uploaded files to a task in their roles; inputs still named by URL are passed over.

    Raises:
        PorticoError: INVALID_REQUEST when one is unknown, foreign, gone, or another task's.
    """
    for asked in inputs:
        if asked.asset_id is None:
            continue
        values = {"asset_id": asked.asset_id, "owner": account_id, "to_task": task_id}
        if not tx.execute(queries.ATTACH, **values, as_role=asked.role.value):
            raise PorticoError(ErrorCode.INVALID_REQUEST, "No such uploaded file", param=asked.role)


def due_for_expiry(
    tx: Tx, *, now: Instant, orphans_before: Instant = 0, limit: int = 100
) -> list[Asset]:
    """Return assets still stored whose time is up, or that no task took before a moment."""
    rows = tx.rows(queries.DUE_FOR_EXPIRY, now=now, orphans_before=orphans_before, limit=limit)
    return [_asset(row) for row in rows]


def mark_deleted(tx: Tx, asset_ids: Sequence[AssetId], *, now: Instant) -> int:
    """Note that files are gone; returns for how many that was news.

    Call it after the files are removed: nobody is given a link to an expired asset any more,
    and a crash in between only repeats the removal.
    """
    return sum(tx.execute(queries.MARK_DELETED, asset_id=one, now=now) for one in asset_ids)


def is_any_stored(tx: Tx, task_id: TaskId) -> bool:
    """Whether a file of a task, input or output, has not been swept yet."""
    return tx.one(queries.STORED_OF_TASK, of_task=task_id) is not None


def remove(tx: Tx, task_id: TaskId) -> None:
    """Drop the records of a task's files, which must be gone; safe to repeat."""
    tx.execute(queries.REMOVE_OF_TASK, of_task=task_id)


def unrecorded(tx: Tx, keys: Sequence[str]) -> list[str]:
    """Return those keys that no asset has: files whose record was never written."""
    return [key for key in keys if tx.one(queries.BY_KEY, key=key) is None]


def _asset(row: Row) -> Asset:
    role = row["input_role"]
    return Asset(
        id=row["id"],
        account_id=row["account_id"],
        task_id=row["task_id"],
        role=AssetRole(row["role"]),
        input_role=Role(role) if role else None,
        media_type=row["media_type"],
        size_bytes=row["size_bytes"],
        width=row["width"],
        height=row["height"],
        duration_ms=row["duration_ms"],
        storage_key=row["storage_key"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        deleted_at=row["deleted_at"],
    )
