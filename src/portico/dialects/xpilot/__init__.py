"""xPilot: video, pictures and text in whole cents, after the vendor's page.

It serves the models, video, image and text paths under `/api/v1/`; other dialects own the rest.
"""

from portico.dialects.endpoint import Dialect, Rules
from portico.dialects.xpilot.errors import render_error
from portico.dialects.xpilot.routes import ROUTES
from portico.dialects.xpilot.translate import render_callback

_OWN = tuple(f"/api/v1/{noun}" for noun in ("models", "video", "image", "text"))


def build(rules: Rules) -> Dialect:
    """Put the dialect together under an operator's rules.

    `rules.options`: `image_wait_s`, how long a picture may take to be answered at once.
    """
    return Dialect(
        name="xpilot",
        owns=owns,
        routes=ROUTES,
        render_error=render_error,
        render_callback=render_callback,
        rules=rules,
    )


def owns(path: str) -> bool:
    """Whether a path is xPilot's."""
    return any(path == own or path.startswith(f"{own}/") for own in _OWN)
