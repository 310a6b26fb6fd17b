"""Portico's own dialect: everything the vendors' formats lack. It also owns unclaimed paths."""

from portico.dialects.endpoint import Dialect, Rules
from portico.dialects.portico.errors import render_error
from portico.dialects.portico.routes import ROUTES
from portico.dialects.portico.translate import render_callback


def build(rules: Rules) -> Dialect:
    """Put the dialect together under an operator's rules."""
    return Dialect(
        name="portico",
        owns=lambda path: path.startswith(("/portico/", "/files/")),
        routes=ROUTES,
        render_error=render_error,
        render_callback=render_callback,
        rules=rules,
    )
