"""The gateway: a frozen record of all wired parts, and the limits flows work under."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from portico.catalogue import Catalogue
from portico.core.clock import DAY_MS, Clock
from portico.core.ids import IdSource, TaskId
from portico.core.views import TaskView
from portico.engines import Runner
from portico.flows.connected import Providers
from portico.flows.live import LiveTasks
from portico.media.inspection import Inspector
from portico.media.links import Links
from portico.media.storage import Storage
from portico.moderation import Blocklist
from portico.outbound import Door
from portico.rates import Rates
from portico.routes import RouteState
from portico.store import Store


class Engine(Protocol):
    """When this process looks at which of its tasks."""

    def wake(self, task_id: TaskId, *, after_s: float = 0.0) -> None:
        """Look at a task after a while; safe to repeat."""

    def nudge(self, task_id: TaskId) -> None:
        """Look at a task now, if it is one of those it looks at."""

    def forget_all(self) -> None:
        """Look at no task any more; safe to repeat."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What flows allow; the operator's settings, without their names in the environment."""

    result_kept_ms: int = 15 * DAY_MS
    task_kept_ms: int | None = 90 * DAY_MS  # after its end; None: for ever
    image_size_max_bytes: int = 10 * 2**20
    video_size_max_bytes: int = 200 * 2**20
    provider_attempts_max: int = 4
    chat_deadline_s: float = 600.0
    renders_max: int = 4  # that one of several processes has at once, waiting ones included
    idempotency_kept_ms: int = DAY_MS
    is_reachable: bool = False  # upstreams can fetch what our links name
    only_provider: str | None = None  # every model goes to this one, such as the simulator


@dataclass(frozen=True, slots=True)
class Gateway:
    """All wired parts; made once by the composition root."""

    store: Store
    clock: Clock
    ids: IdSource
    catalogue: Catalogue
    blocklist: Blocklist
    storage: Storage
    inspector: Inspector
    links: Links
    door: Door
    providers: Providers
    rates: Rates
    engine: Engine
    work_folder: Path
    server_secret: bytes
    public_url: str
    limits: Limits = field(default_factory=Limits)
    live: LiveTasks = field(default_factory=LiveTasks)
    runner: Runner = field(default_factory=Runner)
    routes: RouteState = field(default_factory=RouteState)
    # dialect name -> the body of its callback for a finished task; filled by the composition root
    render_callback: Mapping[str, Callable[[TaskView], bytes]] = field(default_factory=dict)
