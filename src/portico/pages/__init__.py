"""Pages without an account: the start page, health, metrics, documentation, static files.

Everything here answers GET and HEAD only, needs no key, and tells nothing that an account owns.
"""

from portico.pages.routes import HEALTH_PATHS, page_routes

__all__ = ["HEALTH_PATHS", "page_routes"]
