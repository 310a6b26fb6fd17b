"""APIXO's dialect: `/api/v1/generateTask/{model}` and `/api/v1/statusTask/{model}`."""

from functools import partial

from portico.dialects.apixo.errors import insufficient_status, render_error
from portico.dialects.apixo.routes import ROUTES
from portico.dialects.apixo.translate import render_callback
from portico.dialects.endpoint import Dialect, Rules

_PATHS = ("/api/v1/generateTask", "/api/v1/statusTask")


def build(rules: Rules) -> Dialect:
    """Put the dialect together under an operator's rules.

    Options: `insufficient_status`, 400 or 402; `public_url`, where clients reach this server,
    for the links in callbacks.
    """
    public_url = str(rules.options.get("public_url", ""))
    return Dialect(
        name="apixo",
        owns=lambda path: path in _PATHS or path.startswith(tuple(f"{each}/" for each in _PATHS)),
        routes=ROUTES,
        render_error=partial(render_error, insufficient_status=insufficient_status(rules)),
        render_callback=partial(render_callback, public_url=public_url),
        rules=rules,
    )
