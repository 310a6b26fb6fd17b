"""The composition root: the only place that names concrete classes and wires them together."""

import asyncio
import os
import re
import secrets
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import structlog
from starlette.routing import BaseRoute, Router
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from portico import catalogue, moderation
from portico.catalogue import Catalogue
from portico.core import faults
from portico.core.clock import DAY_MS, Clock, SystemClock
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import IdSource
from portico.credentials import Seal
from portico.dialects import BUILDERS
from portico.dialects.endpoint import Dialect, Endpoint, NotFound, Rules, owner, stamped
from portico.engines import QUEUES, EmbeddedEngine, Runner, Workplace
from portico.flows import claim, pauses
from portico.flows.administer import Desk
from portico.flows.balances import run_balances
from portico.flows.connect import Connections
from portico.flows.connected import Connected, Providers
from portico.flows.gateway import Gateway, Limits
from portico.flows.notify import run_deliveries
from portico.flows.retention import run_retention
from portico.flows.routing import unknown_providers
from portico.flows.run import step
from portico.flows.signals import run_hearing, run_telling
from portico.flows.sweep import run_checks, run_sweeps
from portico.hooks import Hooks
from portico.media.inspection import Inspector
from portico.media.links import Links
from portico.media.storage import open_storage
from portico.outbound import Door, UpstreamClient
from portico.pages import HEALTH_PATHS, page_routes
from portico.providers.base import Credential
from portico.providers.local.provider import LocalProvider
from portico.providers.local.text import LocalText
from portico.providers.registry import BUILDERS as PROVIDERS
from portico.providers.simulator import Simulator, parse_script
from portico.rates import open_rates
from portico.settings import Settings, host_pairs
from portico.store import open_store
from portico.store.open import is_postgres, migrate

_log = structlog.get_logger("portico")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PATH_LENGTH_MAX = 2_048
BUILT_IN = (LocalProvider.name, Simulator.name)
_SLASHES_IN_NAMES = "/v1/models/"
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_/-]+")


class App:
    """The ASGI application. Between `start` and `stop` it owns everything it wired."""

    def __init__(
        self, settings: Settings, *, clock: Clock | None = None, only_health: bool = False
    ) -> None:
        self.settings = settings
        self._only_health = only_health  # for a process that runs tasks and answers nobody else
        self._clock = clock or SystemClock()
        self._ids = IdSource(self._clock)
        self.dialects = build_dialects(settings)
        self.gateway: Gateway | None = None
        self.is_leaving = False
        self._engine: EmbeddedEngine | None = None
        self._workplace: Workplace | None = None
        self._connections: Connections | None = None
        self._loops: list[asyncio.Task[None]] = []
        self._exact: dict[str, ASGIApp] = {}  # paths without parameters, found in one look-up
        self._parents: dict[str, tuple[str, ASGIApp]] = {}  # paths with one, at their end
        self._router: ASGIApp = NotFound(self.dialects)

    async def start(self) -> None:
        """Open the database, wire the parts, take up what a former process left open."""
        faults.arm_from_environment()
        await asyncio.to_thread(migrate, self.settings.database)
        gateway = self.gateway = await self._wire()
        self._connections = Connections(
            gateway,
            seal=Seal(gateway.server_secret),
            build=provider_builder(self.settings, self._clock),
        )
        await self._connections.look()
        self._add_routes(gateway)
        assert self._engine is not None
        assert self._workplace is not None
        await pauses.load(gateway)
        self._engine.start()
        taken = await claim.join(gateway, dead=self._workplace.dead)
        self._loops = [
            *(self._among_others(gateway) if gateway.store.is_shared else ()),
            self._keep(self._connections.run(), "portico-credentials"),
            self._keep(run_deliveries(gateway), "portico-deliveries"),
            self._keep(run_sweeps(gateway), "portico-sweeps"),
            self._keep(run_retention(gateway), "portico-retention"),
            self._keep(run_checks(gateway), "portico-checks"),
            self._keep(run_balances(gateway), "portico-balances"),
        ]
        _log.info("ready", open_tasks=taken)

    def leave(self) -> None:
        """Say that this process ends: it is not ready any more, and takes no more tasks."""
        self.is_leaving = True
        if self.gateway is not None:
            self.gateway.runner.is_leaving = True

    async def stop(self) -> None:
        """Finish what is under way, within the time allowed, and let go of everything."""
        gateway, engine = self.gateway, self._engine
        if gateway is None or engine is None:
            return
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await gateway.live.end_streams(within_s=self.settings.stop_within_s / 4)
        await engine.stop(within_s=self.settings.stop_within_s / 4)
        await self._leave(gateway)
        if self._connections is not None:
            await self._connections.close()
        for each in gateway.providers.all():
            if each.tasks is not None:
                await each.tasks.close()
        await gateway.door.close()
        await gateway.rates.close()
        await gateway.storage.close()
        await gateway.store.close()
        if self._workplace is not None:
            await asyncio.to_thread(self._workplace.close)
        self.gateway = None

    async def _leave(self, gateway: Gateway) -> None:
        """Hand this process's tasks to the others; while the database is away they find them."""
        try:
            await claim.leave(gateway)
        except PorticoError as error:
            _log.warning("left_without_a_word", code=error.code)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; lifespan messages start and stop the application."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = _request_id(scope, self._ids)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        path = scope["path"]
        stamping = stamped(send, request_id)
        if not is_plain_path(scope):
            error = PorticoError(ErrorCode.PATH_NOT_FOUND, "Not found")
            await owner(self.dialects, path).render_error(error)(scope, receive, stamping)
            return
        await self._find(scope, path)(scope, receive, stamping)

    def _find(self, scope: Scope, path: str) -> ASGIApp:
        """Return what answers a path: by two look-ups, and by matching only for the rest."""
        if found := self._exact.get(path):
            return found
        parent, _, last = path.rpartition("/")
        if last and (child := self._parents.get(parent)):
            name, found = child
            scope["path_params"] = {name: last}
            return found
        return self._router

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except Exception as error:  # noqa: BLE001 - edge of the process
            _log.error("start_failed", exc_info=error)
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _wire(self) -> Gateway:
        settings, clock = self.settings, self._clock
        folder = settings.folder
        secret = await asyncio.to_thread(server_secret, settings)
        store = await open_store(settings.database)
        runner = Runner(self._ids.opaque_id("run"), task_queues(settings))
        self._workplace = await asyncio.to_thread(
            Workplace, folder / "work", runner.id if store.is_shared else ""
        )
        self._engine = EmbeddedEngine(lambda task_id: step(self._wired, task_id), clock=clock)
        return Gateway(
            store=store,
            clock=clock,
            ids=self._ids,
            catalogue=load_catalogue(settings),
            blocklist=moderation.load(_folder(settings.blocklist)),
            storage=open_storage(settings.storage, links=settings.storage_links),
            inspector=Inspector(),
            links=Links([secret]),
            door=Door(host_pairs(settings.private_hosts), clock=clock),
            providers=build_providers(settings, clock),
            rates=open_rates(settings.limits_url),
            engine=self._engine,
            runner=runner,
            work_folder=self._workplace.path,
            server_secret=secret,
            public_url=settings.shown_url,
            limits=build_limits(settings),
            render_callback={each.name: each.render_callback for each in self.dialects},
        )

    @property
    def _wired(self) -> Gateway:
        assert self.gateway is not None
        return self.gateway

    def _add_routes(self, gateway: Gateway) -> None:
        self._exact |= page_routes(gateway, self.dialects)
        if self._only_health:
            self._exact = {path: self._exact[path] for path in HEALTH_PATHS}
            return
        self._parents["/hooks"] = ("token", Hooks(gateway))
        routes: list[BaseRoute] = []
        for dialect in self.dialects:
            for route in dialect.routes:
                endpoint = Endpoint(gateway, dialect, route)
                parent, _, last = route.path.rpartition("/")
                if "{" not in route.path:
                    self._exact[route.path] = endpoint
                elif "{" in parent or ":" in last:
                    routes.append(StarletteRoute(route.path, endpoint))
                else:
                    self._parents[parent] = (last.strip("{}"), endpoint)
        self._router = Router(routes, default=NotFound(self.dialects), redirect_slashes=False)

    def _among_others(self, gateway: Gateway) -> list[asyncio.Task[None]]:
        return [
            self._keep(claim.run_beats(gateway), "portico-beats"),
            self._keep(claim.run_taking(gateway), "portico-taking"),
            self._keep(run_hearing(gateway), "portico-hearing"),
            self._keep(run_telling(gateway), "portico-telling"),
            self._keep(pauses.run_learning(gateway), "portico-pauses"),
        ]

    def _keep(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        return asyncio.create_task(work, name=name)


def is_plain_path(scope: Scope) -> bool:
    """Whether a path can be routed as it stands: no dot segments, encoded slashes or NUL (R3)."""
    raw = scope.get("raw_path") or b""
    path = scope["path"]
    if len(path) <= _PATH_LENGTH_MAX and b"%" not in raw and _PLAIN_PATH.fullmatch(path):
        return True  # nearly all
    if path.startswith(_SLASHES_IN_NAMES):  # OpenAI's client writes a model's slash as %2F
        raw = raw.replace(b"%2F", b"/")
    if len(path) > _PATH_LENGTH_MAX or b"%2f" in raw.lower() or b"%5c" in raw.lower():
        return False
    if "/." in path and not {".", ".."}.isdisjoint(path.split("/")):
        return False
    return "\0" not in path and "\\" not in path


def build_dialects(settings: Settings) -> tuple[Dialect, ...]:
    """Put every dialect together under the operator's rules."""
    rules = {
        "xpilot": Rules(
            submits_per_minute=settings.xpilot_submits_per_minute or None,
            reads_per_minute=settings.xpilot_reads_per_minute or None,
        ),
        "apixo": Rules(
            submits_per_minute=settings.apixo_requests_per_minute or None,
            reads_per_minute=settings.apixo_requests_per_minute or None,
            open_tasks_max=settings.apixo_open_tasks_max or None,
            options={
                "insufficient_status": settings.apixo_insufficient_status,
                "public_url": settings.shown_url,
            },
        ),
        "xiaoyang": Rules(
            submits_per_minute=settings.xiaoyang_requests_per_minute or None,
            reads_per_minute=settings.xiaoyang_requests_per_minute or None,
        ),
        "yuanjing": Rules(
            submits_per_minute=settings.yuanjing_requests_per_minute or None,
            reads_per_minute=settings.yuanjing_requests_per_minute or None,
            options={"created_upper": settings.yuanjing_created_upper},
        ),
    }
    return tuple(build(rules.get(name, Rules())) for name, build in BUILDERS.items())


def task_queues(settings: Settings) -> frozenset[str]:
    """Return the queues from which this process takes tasks.

    Raises:
        ValueError: for a queue that does not exist, or tasks that nobody would take.
    """
    wanted = settings.queue_names
    if wanted - QUEUES:
        message = f"PORTICO_QUEUES may name {', '.join(sorted(QUEUES))}; not {settings.queues!r}"
        raise ValueError(message)
    if wanted != QUEUES and not is_postgres(settings.database):
        message = "PORTICO_QUEUES can leave some out only where other processes take them: Postgres"
        raise ValueError(message)
    return wanted


def build_limits(settings: Settings) -> Limits:
    """Take what flows need from the settings."""
    return Limits(
        result_kept_ms=settings.result_days * DAY_MS,
        task_kept_ms=settings.task_days * DAY_MS or None,
        provider_attempts_max=settings.task_attempts_max,
        renders_max=2 * (settings.render_processes or os.cpu_count() or 1),
        is_reachable=bool(settings.public_url),
        only_provider=Simulator.name if settings.simulate else None,
    )


def build_providers(settings: Settings, clock: Clock) -> Providers:
    """Wire every provider this installation has."""
    simulator = Simulator(parse_script(settings.simulate or "1"), clock=clock)
    local = LocalProvider(children_max=settings.render_processes or None)
    return Providers(
        Connected(each.name, each.name, tasks=each, chat=chat, is_built_in=True)
        for each, chat in ((local, LocalText()), (simulator, simulator))
    )


def provider_builder(settings: Settings, clock: Clock) -> Callable[[str, Credential], Any]:
    """Return what makes the provider of a credential, by the provider's name.

    It raises ValueError for an unknown provider, and for a base URL that cannot be used.
    """
    private_hosts = host_pairs(settings.private_hosts)

    def build(name: str, credential: Credential) -> Any:
        if name not in PROVIDERS:
            known = ", ".join(sorted(PROVIDERS))
            message = f"there is no provider {name!r}: it is one of {known}"
            raise ValueError(message)
        upstream = UpstreamClient(credential.base_url, private_hosts=private_hosts, clock=clock)
        return PROVIDERS[name](credential, upstream)

    return build


def load_catalogue(settings: Settings) -> Catalogue:
    """Read the catalogue, the operator's own files included.

    Raises:
        ValueError: naming what is wrong with it, also a route to a provider that does not exist.
    """
    found = catalogue.load(_folder(settings.catalogue))
    for problem in unknown_providers(found, {*BUILT_IN, *PROVIDERS}):
        raise ValueError(problem)
    return found


async def open_desk(settings: Settings) -> Desk:
    """Open what an operator's commands need; the caller closes `desk.store`."""
    faults.arm_from_environment()
    await asyncio.to_thread(migrate, settings.database)
    clock = SystemClock()
    return Desk(store=await open_store(settings.database), clock=clock, ids=IdSource(clock))


def server_secret(settings: Settings) -> bytes:
    """Return the installation's secret, made on first use, in a file only its owner can read."""
    if settings.secret_key:
        return settings.secret_key.encode()
    path = settings.folder / "secret.key"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_bytes()
    secret = secrets.token_hex(32).encode()
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    return secret


def _folder(text: str) -> Path | None:
    return Path(text) if text else None


def _request_id(scope: Scope, ids: IdSource) -> str:
    """Return the caller's own X-Request-Id when it is a plain one, else a fresh id."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text: str = value.decode("latin-1")
            if _REQUEST_ID.fullmatch(text):
                return text
    return f"{ids.random_bits(64):016x}"
