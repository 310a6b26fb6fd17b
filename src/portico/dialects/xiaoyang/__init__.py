"""XiaoYang's dialect: `/api/v1/me`, `/modals`, `/tasks`; it owns what is left of `/api/v1/`."""

from portico.dialects.endpoint import Dialect, Rules
from portico.dialects.xiaoyang.errors import render_error
from portico.dialects.xiaoyang.routes import ROUTES
from portico.dialects.xiaoyang.translate import render_callback


def build(rules: Rules) -> Dialect:
    """Put the dialect together under an operator's rules; without any, no call is too fast."""
    return Dialect(
        name="xiaoyang",
        owns=lambda path: path == "/api/v1" or path.startswith("/api/v1/"),
        routes=ROUTES,
        render_error=render_error,
        render_callback=render_callback,
        rules=rules,
    )
