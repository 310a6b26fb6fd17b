"""OpenAI: chat, pictures and videos as its own client library speaks them.

After the vendor's API reference and openai-python 3.5x. It owns `/v1/`, except what a dialect
asked before it owns there (`/v1/tasks` is Yuanjing's). Sora's shape serves every video model here.
"""

from portico.dialects.endpoint import Dialect, Rules
from portico.dialects.openai.errors import render_error
from portico.dialects.openai.routes import ROUTES
from portico.dialects.openai.videos import render_callback


def build(rules: Rules) -> Dialect:
    """Put the dialect together under an operator's rules.

    `rules.options`: `image_wait_s`, how long a picture may take before it is given up.
    """
    return Dialect(
        name="openai",
        owns=lambda path: path == "/v1" or path.startswith("/v1/"),
        routes=ROUTES,
        render_error=render_error,
        render_callback=render_callback,
        rules=rules,
    )
