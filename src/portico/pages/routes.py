"""Paths of the pages."""

from collections.abc import Iterable

from starlette.types import ASGIApp

from portico.flows.gateway import Gateway
from portico.pages.files import documents, favicon, robots, static_files
from portico.pages.health import Health
from portico.pages.page import Page
from portico.pages.start import NamedDialect, StartPage

HEALTH_PATHS = ("/healthz", "/readyz", "/metrics")


def page_routes(gateway: Gateway, dialects: Iterable[NamedDialect]) -> dict[str, ASGIApp]:
    """Return an application for every path that a page answers."""
    static = static_files()
    docs = documents()
    health = Health(gateway)
    start = StartPage(
        public_url=gateway.public_url,
        dialects=[each.name for each in dialects],
        static={each.name: each.path for each in static},
        docs=[each.path for each in docs],
    )
    answers = {
        "/": start.answer,
        "/healthz": health.alive,
        "/readyz": health.ready,
        "/metrics": health.metrics,
        "/robots.txt": robots().answer,
        "/favicon.ico": favicon(static).answer,
        **{each.path.partition("?")[0]: each.answer for each in (*static, *docs)},
    }
    return {path: Page(answer) for path, answer in answers.items()}
