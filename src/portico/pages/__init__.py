"""Pages without an account: the start page, health, metrics, documentation, static files.

Everything here answers GET and HEAD only, needs no key, and tells nothing that an account owns.
"""

from portico.pages.routes import page_routes

__all__ = ["page_routes"]
