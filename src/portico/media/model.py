"""Values of assets. Times are UTC milliseconds."""

from enum import StrEnum

import msgspec

from portico.core.clock import Instant
from portico.core.ids import AccountId, AssetId, TaskId
from portico.core.jobs import Role


class AssetRole(StrEnum):
    """What an asset is to its task."""

    INPUT = "input"
    OUTPUT = "output"
    COVER = "cover"
    STAGE = "stage"  # only feeds the task's next stage


class NewAsset(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file when it lies in the storage, whole and durable."""

    id: AssetId
    account_id: AccountId
    task_id: TaskId | None  # None: uploaded before its task
    role: AssetRole
    input_role: Role | None = None  # for inputs of a task
    media_type: str
    size_bytes: int
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    storage_key: str
    created_at: Instant
    expires_at: Instant


class Asset(NewAsset, frozen=True, kw_only=True):
    """One asset as its row stands."""

    deleted_at: Instant | None = None

    @property
    def is_stored(self) -> bool:
        """Whether the file is still there."""
        return self.deleted_at is None
