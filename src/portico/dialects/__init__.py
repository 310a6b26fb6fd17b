"""Dialects: the wire formats Portico answers, each a folder of routes, wire, translate, errors.

A dialect translates words and nothing else: it knows no price, no balance, no table. The path
alone decides which dialect a request belongs to, and so the shape of every answer to it.
"""

from collections.abc import Callable, Mapping

from portico.dialects import apixo, openai, portico, xiaoyang, xpilot, yuanjing
from portico.dialects.endpoint import Dialect, Rules

# the first that owns a path answers it; `portico` owns what is left
BUILDERS: Mapping[str, Callable[[Rules], Dialect]] = {
    "apixo": apixo.build,
    "xpilot": xpilot.build,
    "xiaoyang": xiaoyang.build,  # the rest of /api/v1/
    "yuanjing": yuanjing.build,
    "openai": openai.build,  # the rest of /v1/
    "portico": portico.build,
}
