"""Write the body of a start: `model`, `input`, `parameters`, each generation in its own words."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, NoReturn
from unicodedata import east_asian_width

import msgspec

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ParamValue, Role
from portico.providers.base import Assignment
from portico.providers.dashscope.models import (
    DEFAULT_TIER,
    FAMILIES,
    FRAMING,
    PICTURES,
    SEEDS,
    SIZES,
    TIERS,
    VIDEOS,
    Generation,
    Pictures,
    of_name,
)
from portico.providers.inputs import hand_over, refuse_unsupported

ADAPTIVE = "adaptive"
PLAIN_RATIO = "16:9"  # what all of them make where no ratio is named
NEGATIVE_MAX = 500
_FRAMES = frozenset({Role.FIRST_FRAME, Role.LAST_FRAME})
_PIXELS_STEP = 16
_IN_INPUT = "negative_prompt"  # the one option that stands beside the prompt
_SHAPE = ("size", "resolution", "ratio")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, where, and whether a task or the result comes back."""

    path: str  # below `services/aigc/`
    body: Mapping[str, Any]
    is_task: bool = True


async def video(assignment: Assignment) -> Order:
    """Write the order for a video.

    Raises:
        PorticoError: UNSUPPORTED_OPTION for what its model lacks.
    """
    model = member(assignment)
    made = of_name(VIDEOS, model)
    words = Counter(made.can.roles.get(file.role, "") for file in assignment.inputs)
    is_framed = not FRAMING.isdisjoint(words)
    asking = _without_idle(assignment, made, is_framed=is_framed)
    refuse_unsupported(made.can, asking)
    _check_counts(asking, words, made)
    _check_words(asking, made.prompt_max, counts_wide_twice=made.counts_wide_twice)
    params = asking.job.params
    if made.durations and params.get("duration", made.durations[0]) not in made.durations:
        _refuse("duration")
    inputs, parameters = _options(made.can.params, params)
    inputs |= await _inputs(asking, made)
    parameters |= _shape(params, made, is_framed=is_framed)
    body = {"model": model, "input": inputs, "parameters": parameters}
    if asking.job.prompt:
        inputs["prompt"] = asking.job.prompt
    return Order(path=made.path, body=body)


async def picture(assignment: Assignment) -> Order:
    """Write the order for one picture.

    Raises:
        PorticoError: UNSUPPORTED_OPTION for what its model lacks.
    """
    made = of_name(PICTURES, assignment.model)
    asking = _without_idle(assignment, made, is_framed=False)
    refuse_unsupported(made.can, asking)
    files, prompt, params = asking.inputs, asking.job.prompt, asking.job.params
    low, high = made.counts
    if not low <= len(files) <= high:
        _refuse(files[0].role if files else Role.REFERENCE_IMAGE)
    _check_words(asking, made.prompt_max)
    inputs, parameters = _options(made.can.params, params)
    parameters["n"] = 1  # some make four unless told, and each is paid
    if (size := _picture_size(params, made)) is not None:
        parameters["size"] = size
    if made.interleaves:
        parameters["enable_interleave"] = not files
        parameters |= {} if files else {"max_images": 1}
    images = [{"image": await hand_over(made.can, file)} for file in files]
    message = {"role": "user", "content": [{"text": prompt}, *images]}
    words: dict[str, Any] = {"messages": [message]} if made.has_messages else {"prompt": prompt}
    body = {"model": assignment.model, "input": inputs | words, "parameters": parameters}
    return Order(path=made.path, body=body, is_task=made.is_task)


def member(assignment: Assignment) -> str:
    """Return the model: where a family is named, the member for the inputs that are given."""
    if assignment.model not in FAMILIES:
        return assignment.model
    from_words, from_frames, from_references = FAMILIES[assignment.model]
    roles = {file.role for file in assignment.inputs}
    if not roles or roles == {Role.REFERENCE_AUDIO}:
        return from_words
    return from_references if _FRAMES.isdisjoint(roles) else from_frames


def _without_idle(
    assignment: Assignment, made: Generation | Pictures, *, is_framed: bool
) -> Assignment:
    """Leave out what asks for nothing, or for what this model does anyway."""
    anyway: Mapping[str, ParamValue] = made.anyway if isinstance(made, Generation) else {}
    takes_adaptive = isinstance(made, Generation) and made.ratios is None

    def is_idle(name: str, value: ParamValue) -> bool:
        if name == "ratio":
            return is_framed or (value == ADAPTIVE and not takes_adaptive)
        return (name == "seed" and value == -1) or (name in anyway and anyway[name] == value)

    params = assignment.job.params.items()
    left = {name: value for name, value in params if not is_idle(name, value)}
    job = msgspec.structs.replace(assignment.job, params=left)
    return msgspec.structs.replace(assignment, job=job)


def _check_counts(assignment: Assignment, words: Counter[str], made: Generation) -> None:
    for word, (low, high) in made.counts.items():
        if not low <= words[word] <= high:
            _refuse(next(role for role, name in made.can.roles.items() if name == word))
    if words.total() > made.files_max:
        _refuse(assignment.inputs[-1].role)
    videos = [file for file in assignment.inputs if file.media_type.startswith("video/")]
    if len(videos) > made.videos_max:
        _refuse(videos[-1].role)


def _check_words(
    assignment: Assignment, prompt_max: int, *, counts_wide_twice: bool = False
) -> None:
    """Refuse words that would be cut off there without a word."""
    prompt = assignment.job.prompt
    wide = sum(east_asian_width(letter) in "WF" for letter in prompt) if counts_wide_twice else 0
    if len(prompt) + wide > prompt_max:
        _refuse("prompt")
    if len(str(assignment.job.params.get(_IN_INPUT, ""))) > NEGATIVE_MAX:
        _refuse(_IN_INPUT)


def _options(
    words: Mapping[str, str], params: Mapping[str, ParamValue]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what stands in `input` and in `parameters`, without shape, words and files."""
    if params.get("seed", 0) not in SEEDS:
        _refuse("seed")
    asked = {
        words[name]: value
        for name, value in params.items()
        if name in words and name not in _SHAPE and value != ""
    }
    inputs = {_IN_INPUT: asked.pop(_IN_INPUT)} if _IN_INPUT in asked else {}
    return inputs, asked | {"watermark": False}  # on unless told, for some


async def _inputs(assignment: Assignment, made: Generation) -> dict[str, Any]:
    given = [
        (made.can.roles[file.role], await hand_over(made.can, file)) for file in assignment.inputs
    ]
    if made.as_media:
        media = [{"type": word, "url": url} for word, url in given]
        return {"media": media} if media else {}
    fields: dict[str, Any] = {}
    for word, url in given:
        if word.endswith("s"):
            fields.setdefault(word, []).append(url)
        else:
            fields[word] = url
    return fields


def _shape(
    params: Mapping[str, ParamValue], made: Generation, *, is_framed: bool
) -> dict[str, Any]:
    """Return `size`, or `resolution` and perhaps `ratio`."""
    tier, ratio = _tier_and_ratio(params)
    tier = _raised(tier, made)
    if made.can.params["resolution"] == "size":
        size = SIZES.get((tier, ratio or PLAIN_RATIO))
        if size is None:
            _refuse("ratio")
        return {"size": size}
    shape: dict[str, Any] = {"resolution": tier}
    if ratio and not is_framed:
        if made.ratios is not None and ratio not in made.ratios:
            _refuse("ratio")
        shape["ratio"] = ratio
    return shape


def _tier_and_ratio(params: Mapping[str, ParamValue]) -> tuple[str, str | None]:
    if "size" in params:
        size = str(params["size"]).replace("x", "*")
        for known, name in SIZES.items():
            if name == size:
                return known
        _refuse("size")
    ratio = params.get("ratio")
    tier = str(params.get("resolution", DEFAULT_TIER)).upper()
    return tier, None if ratio is None else str(ratio)


def _raised(tier: str, made: Generation) -> str:
    """Return a tier that the model makes: the lowest where less is asked."""
    if tier not in TIERS or TIERS.index(tier) > TIERS.index(made.tiers[-1]):
        _refuse("resolution")
    return tier if tier in made.tiers else made.tiers[0]


def _picture_size(params: Mapping[str, ParamValue], made: Pictures) -> str | None:
    """Return width and height; None where nothing is asked, so that an input's shape holds."""
    if "size" in params:
        size = str(params["size"]).replace("x", "*")
        if made.sizes and size not in made.sizes.values():
            _refuse("size")
        return size
    ratio = params.get("ratio")
    if ratio is None and "resolution" not in params:
        return None
    if made.sizes:
        if ratio not in made.sizes:
            _refuse("ratio")
        return made.sizes[str(ratio)]
    tier = str(params.get("resolution", next(iter(made.sides)))).lower()
    if tier not in made.sides:
        _refuse("resolution")
    return _pixels(str(ratio or "1:1"), made.sides[tier])


def _pixels(ratio: str, side: int) -> str:
    """Return the size of a ratio that has as many pixels as a square of that side."""
    width, _, height = ratio.partition(":")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        _refuse("ratio")
    stretch = math.sqrt(int(width) / int(height))
    sides = (side * stretch, side / stretch)
    return "*".join(str(round(each / _PIXELS_STEP) * _PIXELS_STEP) for each in sides)


def _refuse(param: str) -> NoReturn:
    message = f"This model does not take this {param}"
    raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param=param)
