"""Views: what flows hand to dialects. Read-only, dialect-free."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from portico.core.clock import Instant
from portico.core.errors import ErrorCode
from portico.core.ids import AccountId, AssetId, KeyId, TaskId
from portico.core.jobs import Kind, Mode, ParamValue
from portico.core.money import Credits


class TaskState(StrEnum):
    """The life of a task; the last four are final and never change."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    RUNNING = "running"
    STORING = "storing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


FINAL_STATES = frozenset(
    {TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED, TaskState.EXPIRED}
)


class Caller(msgspec.Struct, frozen=True):
    """Who is asking: an authenticated API key and its account, with the key's own limits."""

    account_id: AccountId
    key_id: KeyId
    email: str
    status: str
    requests_per_minute: int | None = None  # the key's own limit; None: the dialect's default
    open_tasks_max: int | None = None
    credits_max: Credits | None = None  # what this key may spend in all, microcredits


class AssetView(msgspec.Struct, frozen=True):
    """One stored file of a task."""

    id: AssetId
    role: str  # "output", "cover", "input"
    media_type: str
    size_bytes: int
    width: int | None
    height: int | None
    duration_ms: int | None
    url_path: str  # signed, relative: "/files/…"
    expires_at: Instant


class TaskView(msgspec.Struct, frozen=True, kw_only=True):
    """One task as its owner may see it."""

    id: TaskId
    account_id: AccountId
    dialect: str
    kind: Kind
    mode: Mode
    model: str  # catalogue model id
    offering: str
    offered_name: str  # the name the client asked for, in its own dialect
    state: TaskState
    params: Mapping[str, ParamValue]
    price: Credits
    charged: Credits
    progress: float | None
    failure_code: ErrorCode | None
    failure_message: str | None
    usage: Mapping[str, object]
    upstream_started: bool  # False only while the upstream is known to keep it in its queue
    provider_label: str  # shown word for who makes it, from the catalogue; never our route
    created_at: Instant
    finished_at: Instant | None
    expires_at: Instant | None  # when the result goes
    outputs: tuple[AssetView, ...] = ()
    cover: AssetView | None = None

    @property
    def is_final(self) -> bool:
        """Whether the task has ended and will never change again."""
        return self.state in FINAL_STATES
