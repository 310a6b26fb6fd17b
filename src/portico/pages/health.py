"""Health for whoever watches: alive, ready, metrics."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Gauge,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response

from portico import __version__, ledger, tasks
from portico.core.errors import PorticoError
from portico.engines import QUEUES
from portico.flows.gateway import Gateway
from portico.pages.page import json_answer

CHECK_WITHIN_S = 5.0
STORAGE_CHECKED_EVERY_S = 10.0
_log = structlog.get_logger("portico.health")
SEVERAL = "PROMETHEUS_MULTIPROC_DIR"  # set where several processes answer on one port
_open_tasks = Gauge(
    "portico_open_tasks", "Tasks that are planned or worked on here.", multiprocess_mode="livesum"
)
_waiting = Gauge(
    "portico_tasks_waiting",
    "Tasks that wait for any process to take them.",
    ["queue"],
    multiprocess_mode="mostrecent",
)
_version = Gauge(
    "portico_version_info", "The version that runs.", ["version"], multiprocess_mode="livemax"
)


class Health:
    """Answers about this process; looking is cheap and may be done every second."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._storage_checked_at = float("-inf")
        self._storage_works = False
        _version.labels(__version__).set(1)

    async def alive(self, _: Request) -> Response:
        """Answer 200 as long as the process answers at all."""
        return json_answer({"status": "ok", "version": __version__})

    async def ready(self, _: Request) -> Response:
        """Answer 200 when database and storage can be used, else 503 with what cannot."""
        if self._gateway.runner.is_leaving:
            return json_answer({"status": "not ready", "failing": ["stopping"]}, status=503)
        failing = []
        if not await _works("database", self._read_database()):
            failing.append("database")
        if not await self._is_storage_working():
            failing.append("storage")
        if failing:
            return json_answer({"status": "not ready", "failing": failing}, status=503)
        return json_answer({"status": "ready"})

    async def metrics(self, _: Request) -> Response:
        """Answer with every metric, in Prometheus' text form; summed over all on this port."""
        _open_tasks.set(getattr(self._gateway.engine, "waiting", 0))
        with contextlib.suppress(PorticoError):  # the database is away, and the rest is not
            for queue in sorted(QUEUES):
                _waiting.labels(queue).set(await self._count_waiting(queue))
        return Response(generate_latest(_registry()), media_type=CONTENT_TYPE_LATEST)

    async def _count_waiting(self, queue: str) -> int:
        return await self._gateway.store.read(lambda tx: tasks.count_waiting(tx, queue))

    async def _read_database(self) -> None:
        await self._gateway.store.read(lambda tx: ledger.balance(tx, ""))

    async def _is_storage_working(self) -> bool:
        """Have the storage write something small; what came of it counts for ten seconds."""
        now = self._gateway.clock.monotonic()
        if now - self._storage_checked_at >= STORAGE_CHECKED_EVERY_S:
            self._storage_checked_at = now
            self._storage_works = await _works("storage", self._gateway.storage.check())
        return self._storage_works


def _registry() -> CollectorRegistry:
    if SEVERAL not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


async def _works(what: str, check: Awaitable[None]) -> bool:
    with contextlib.suppress(Exception):  # any failure at all means "not ready"
        async with asyncio.timeout(CHECK_WITHIN_S):
            await check
        return True
    _log.warning("not_ready", check=what)
    return False
