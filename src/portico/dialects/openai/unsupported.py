"""Refuse by name what would change price or content and cannot be honoured.

A field that is absent, null, or asks for what happens anyway is no reason to refuse; fields that
are not listed here, and that no translator reads, are ignored.
"""

from collections.abc import Mapping

from portico.core.errors import ErrorCode, PorticoError

# field -> the values that ask for nothing special
Harmless = Mapping[str, tuple[object, ...]]

_OFF = (False, "false")
_ONE = (1, "1")

CHAT: Harmless = {
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "audio": (),
    "modalities": (["text"],),
    "logprobs": _OFF,
    "top_logprobs": (0,),
    "service_tier": ("auto", "default"),
    "web_search_options": (),
}
IMAGES: Harmless = {
    "stream": _OFF,
    "partial_images": (0, "0"),
    "quality": ("auto", "standard"),
    "style": ("vivid",),
    "background": ("auto", "opaque"),
    "output_format": ("png",),
    "output_compression": (100, "100"),
    "mask": (),
    "input_fidelity": ("low",),
}
VIDEOS: Harmless = {"n": _ONE, "characters": ([],)}


def refuse(given: Mapping[str, object], harmless: Harmless) -> None:
    """Refuse the first field that asks for what is not done here.

    Raises:
        PorticoError: UNSUPPORTED_OPTION naming the field.
    """
    for name, values in harmless.items():
        value = given.get(name)
        if value is None or value in ("", *values):
            continue
        allowed = " or ".join(str(each).lower() for each in values if each != [])
        message = f"{name} is not supported" + (f", only {allowed}" if allowed else "")
        raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param=name)
