"""Health for whoever watches: alive, ready, metrics."""

import asyncio
import contextlib
from collections.abc import Awaitable

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from portico import __version__, ledger
from portico.flows.gateway import Gateway
from portico.pages.page import json_answer

CHECK_WITHIN_S = 5.0
STORAGE_CHECKED_EVERY_S = 10.0
_log = structlog.get_logger("portico.health")
_open_tasks = Gauge("portico_open_tasks", "Tasks this process plans or works on.")
_version = Gauge("portico_version_info", "The version that runs.", ["version"])


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
        failing = []
        if not await _works("database", self._read_database()):
            failing.append("database")
        if not await self._is_storage_working():
            failing.append("storage")
        if failing:
            return json_answer({"status": "not ready", "failing": failing}, status=503)
        return json_answer({"status": "ready"})

    async def metrics(self, _: Request) -> Response:
        """Answer with every metric, in Prometheus' text form."""
        _open_tasks.set(getattr(self._gateway.engine, "waiting", 0))
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def _read_database(self) -> None:
        await self._gateway.store.read(lambda tx: ledger.balance(tx, ""))

    async def _is_storage_working(self) -> bool:
        """Have the storage write something small; what came of it counts for ten seconds."""
        now = self._gateway.clock.monotonic()
        if now - self._storage_checked_at >= STORAGE_CHECKED_EVERY_S:
            self._storage_checked_at = now
            self._storage_works = await _works("storage", self._gateway.storage.check())
        return self._storage_works


async def _works(what: str, check: Awaitable[None]) -> bool:
    with contextlib.suppress(Exception):  # any failure at all means "not ready"
        async with asyncio.timeout(CHECK_WITHIN_S):
            await check
        return True
    _log.warning("not_ready", check=what)
    return False
