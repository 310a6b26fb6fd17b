"""Yuanjing: OpenAI-like chat and video by JSON, form or multipart, after the vendor's page."""

from portico.dialects.endpoint import Dialect, Rules
from portico.dialects.yuanjing.errors import render_error
from portico.dialects.yuanjing.routes import ROUTES
from portico.dialects.yuanjing.translate import render_callback


def build(rules: Rules) -> Dialect:
    """Put the dialect together under an operator's rules.

    `rules.options`: `created_upper`, whether a submit is answered with CREATED instead of the
    page's `created`.
    """
    return Dialect(
        name="yuanjing",
        owns=owns,
        routes=ROUTES,
        render_error=render_error,
        render_callback=render_callback,
        rules=rules,
    )


def owns(path: str) -> bool:
    """Whether a path is Yuanjing's; `/v1/tasks` is a later edition's short form."""
    return path in {"/llmage", "/idfile", "/v1/tasks"} or path.startswith("/llmage/")
