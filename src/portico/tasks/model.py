"""Values of tasks and attempts. Times are UTC milliseconds, amounts microcredits."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from portico.core.clock import Instant
from portico.core.errors import ErrorCode
from portico.core.ids import AccountId, KeyId, TaskId
from portico.core.jobs import Kind, MediaJob, Mode
from portico.core.money import Credits
from portico.core.views import FINAL_STATES, TaskState


class NewTask(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What is known of a task when it is accepted."""

    id: TaskId
    account_id: AccountId
    key_id: KeyId
    dialect: str
    offered_name: str
    kind: Kind
    mode: Mode
    model: str
    offering: str
    state: TaskState
    job: str  # JSON; for text without the messages
    quote: str  # JSON, the evidence for the charge
    price: Credits
    created_at: Instant
    deadline_at: Instant
    callback_url: str | None = None
    queue: str = ""  # what kind of runner it needs; a text is written where it was asked for
    runner: str | None = None  # whose it is; nobody's while it waits to be taken


class Task(NewTask, frozen=True, kw_only=True, array_like=True):
    """One task as its row stands; made from a row's values in the order of the fields."""

    hold_state: str
    stage: int
    charged: Credits
    failure_code: ErrorCode | None
    failure_message: str | None
    usage: str  # JSON
    started_at: Instant | None
    finished_at: Instant | None
    expires_at: Instant | None

    @property
    def is_final(self) -> bool:
        """Whether the task has ended and will never change again."""
        return self.state in FINAL_STATES

    def media_job(self) -> MediaJob:
        """Read back the job of a picture or video task."""
        return _media_decoder.decode(self.job)


class AttemptState(StrEnum):
    """What became of one try at one route."""

    SUBMITTING = "submitting"  # the upstream may or may not know of it
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class RouteTaken(msgspec.Struct, frozen=True):
    """Where an attempt goes: a provider, our credential there, its word for the model."""

    provider: str
    credential: str
    upstream_model: str


class Attempt(msgspec.Struct, frozen=True):
    """One try of a task at one route; `id` is the submit key handed to the provider."""

    id: str
    task_id: TaskId
    number: int
    stage: int
    provider: str
    credential: str  # its name; the task stays with it
    upstream_model: str
    upstream_id: str | None
    state: AttemptState
    started_at: Instant
    failure_code: ErrorCode | None = None
    cost: Credits | None = None  # what the upstream takes for it; None: not known

    @property
    def route(self) -> RouteTaken:
        """Where it went."""
        return RouteTaken(self.provider, self.credential, self.upstream_model)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How a task ended."""

    state: TaskState
    charged: Credits = 0
    failure_code: ErrorCode | None = None
    failure_message: str | None = None
    usage: Mapping[str, object] = {}
    expires_at: Instant | None = None


class Replay(msgspec.Struct, frozen=True):
    """What an idempotency key was used for before."""

    fingerprint: str
    task_id: TaskId
    balance_after: Credits
    answer: str | None  # JSON, for text


_media_decoder = msgspec.json.Decoder(MediaJob)
