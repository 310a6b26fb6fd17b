"""Parameters: the canonical names, and how a raw value becomes a canonical one.

Lenient in, exact out: whatever converts without loss is accepted (`"5"`, `5.0`, `"720P"`,
`"1280*720"`, `"Y"`), anything else is refused with the parameter's name and the allowed values.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, NoReturn

from portico.catalogue.offerings import Param, ParamType
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ParamValue


class Canon(NamedTuple):
    """What every parameter of one name has in common."""

    type: ParamType
    unit: str | None
    description: str


CANON: Mapping[str, Canon] = {
    "negative_prompt": Canon(ParamType.STRING, None, "What the result should not show."),
    "duration": Canon(ParamType.INTEGER, "s", "Length of the video, in seconds."),
    "resolution": Canon(ParamType.RESOLUTION, None, "Lines of the picture, such as 720p."),
    "ratio": Canon(ParamType.RATIO, None, "Width to height; adaptive follows the input."),
    "size": Canon(ParamType.SIZE, "px", "Width x height, in pixels."),
    "seed": Canon(ParamType.INTEGER, None, "The same seed makes similar results."),
    "audio": Canon(ParamType.BOOLEAN, None, "Whether the video has sound."),
    "lock_camera": Canon(ParamType.BOOLEAN, None, "Whether the camera stands still."),
    "prompt_expansion": Canon(ParamType.BOOLEAN, None, "Whether a short prompt is filled out."),
    "off_peak": Canon(ParamType.BOOLEAN, None, "Whether it may wait for quiet hours, for less."),
    "motion_orientation": Canon(ParamType.CHOICE, None, "Whose ratio the result takes."),
    "wardrobe_part": Canon(ParamType.CHOICE, None, "Which garment is replaced."),
    "enhance": Canon(ParamType.BOOLEAN, None, "Whether the result is then enlarged to 2K."),
    "count": Canon(ParamType.INTEGER, None, "How many pictures to make."),
}

_BOOLEANS = {
    **dict.fromkeys(("true", "1", "y", "yes"), True),
    **dict.fromkeys(("false", "0", "n", "no"), False),
}
_WHOLE = re.compile(r"[+-]?\d{1,18}(\.0{0,18})?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?", re.ASCII)
_SIZE_MARKS = str.maketrans({"*": "x", "\u00d7": "x", " ": None})
_BLANKS = str.maketrans({" ": None})


def coerce(param: Param, raw: object) -> ParamValue:
    """Turn a raw value into the parameter's canonical one.

    Raises:
        PorticoError: INVALID_REQUEST, naming the parameter and what it allows.
    """
    value = read(param, raw)
    if value is None or not _is_allowed(param, value):
        _refuse(param)
    return value


def read(param: Param, raw: object) -> ParamValue | None:
    """Convert without loss to the parameter's type; None when that is not possible."""
    value = _READERS[param.type](raw)
    if param.aliases and isinstance(value, str):
        return param.aliases.get(value, value)
    return value


def has_no_effect(name: str, raw: object) -> bool:
    """Tell whether asking a model that lacks `name` for this value asks for nothing.

    "No sound" of a silent model, and "follow the input" of one that cannot do otherwise,
    are already granted.
    """
    canon = CANON.get(name)
    if canon is None:
        return False
    if canon.type is ParamType.BOOLEAN:
        return _boolean(raw) is False
    return raw == "" or (name == "ratio" and _ratio(raw) == "adaptive")


def allowance(param: Param) -> str:
    """Describe the allowed values in a few words, for messages and tables."""
    if param.values:
        return "one of " + ", ".join(map(str, param.values))
    word = _WORDS[param.type]
    if param.minimum is not None and param.maximum is not None:
        return f"{word} from {param.minimum} to {param.maximum}"
    if param.minimum is not None:
        return f"{word} of at least {param.minimum}"
    if param.maximum is not None:
        return f"{word} of at most {param.maximum}"
    if param.max_length is not None:
        return f"{word} of at most {param.max_length} characters"
    return word


def _is_allowed(param: Param, value: ParamValue) -> bool:
    if param.values:
        return value in param.values
    if isinstance(value, str):
        return param.max_length is None or len(value) <= param.max_length
    above = param.minimum is None or value >= param.minimum
    return above and (param.maximum is None or value <= param.maximum)


def _refuse(param: Param) -> NoReturn:
    message = f"{param.name} must be {allowance(param)}"
    raise PorticoError(ErrorCode.INVALID_REQUEST, message, param=param.name)


def _string(raw: object) -> str | None:
    return raw if isinstance(raw, str) else None


def read_integer(raw: object) -> int | None:
    """Read a whole number, also from `"5"` and `5.0`; None for anything else, booleans too."""
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int):
        return raw
    if isinstance(raw, float):
        return int(raw) if raw.is_integer() else None
    if isinstance(raw, str) and _WHOLE.fullmatch(text := raw.strip()):
        return int(text.partition(".")[0])
    return None


def read_number(raw: object) -> float | int | None:
    """Read a finite number, also from `"0.7"`; None for anything else, booleans too."""
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int):
        return raw
    if isinstance(raw, float):
        return raw if math.isfinite(raw) else None
    if isinstance(raw, str) and _DECIMAL.fullmatch(text := raw.strip()):
        return float(text)
    return None


def _boolean(raw: object) -> bool | None:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, int):
        return {0: False, 1: True}.get(raw)
    return _BOOLEANS.get(raw.strip().lower()) if isinstance(raw, str) else None


def _word(raw: object) -> str | None:
    return raw.strip().lower() if isinstance(raw, str) else None


def _ratio(raw: object) -> str | None:
    return raw.lower().translate(_BLANKS) if isinstance(raw, str) else None


def _size(raw: object) -> str | None:
    return raw.lower().translate(_SIZE_MARKS) if isinstance(raw, str) else None


_READERS: Mapping[ParamType, Callable[[object], ParamValue | None]] = {
    ParamType.STRING: _string,
    ParamType.INTEGER: read_integer,
    ParamType.NUMBER: read_number,
    ParamType.BOOLEAN: _boolean,
    ParamType.CHOICE: _word,
    ParamType.RATIO: _ratio,
    ParamType.SIZE: _size,
    ParamType.RESOLUTION: _word,
}

_WORDS: Mapping[ParamType, str] = {
    ParamType.STRING: "text",
    ParamType.INTEGER: "a whole number",
    ParamType.NUMBER: "a number",
    ParamType.BOOLEAN: "true or false",
    ParamType.CHOICE: "a word",
    ParamType.RATIO: "a ratio such as 16:9",
    ParamType.SIZE: "a size such as 1280x720",
    ParamType.RESOLUTION: "a resolution such as 720p",
}
