"""What the models of an aggregator call their inputs, as data.

An upstream that offers the models of many vendors passes each model's own inputs through, so every
family has names of its own: `image_url` or `image`, `duration` as a number or as "5". A provider of
such an upstream keeps a table of profiles; the first whose pattern fits a model counts.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from math import log
from typing import Any

import msgspec

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, Mode, ParamValue, Role
from portico.providers.base import Assignment, Capabilities
from portico.providers.http import read_url
from portico.providers.inputs import Upload, hand_over, refuse_unsupported

_RESULTS = ("video", "videos", "image", "images", "output", "url")  # in this order
_DEPTH_MAX = 4
_TIERS = ((500_000, "480p"), (1_000_000, "720p"), (2_200_000, "1080p"))  # pixels at most
_RATIOS = {"16:9": 16 / 9, "9:16": 9 / 16, "1:1": 1.0, "4:3": 4 / 3, "3:4": 3 / 4}
_SIZES = frozenset({"size", "ratio"})  # where a word may be a width and a height


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """How one family of models wants to be asked.

    Args:
        models: a pattern of their names at the upstream.
        kind: what they make.
        params: our name of a parameter -> theirs; a later one overrides an earlier one.
        roles: our role of an input -> their field for it.
        lists: those of their fields that hold a list of files, even for a single one.
        forms: our parameter -> how its value is written as text, such as `{}` or `{}s`.
        words: our parameter -> our value -> theirs; None: so by itself, and left out.
        of_frame: our parameters that a first frame decides, left out beside one.
        says: what is always said, unless a parameter says otherwise.
        size_mark: what joins width and height; empty: they go as an object with both.
        splits_size: whether a size is asked for as a resolution and a ratio.
        is_seeded: whether a seed may be added that nobody asked for.
    """

    models: str
    kind: Kind = Kind.VIDEO
    params: Mapping[str, str]
    roles: Mapping[Role, str] = {}
    lists: frozenset[str] = frozenset()
    forms: Mapping[str, str] = {}
    words: Mapping[str, Mapping[ParamValue, ParamValue | None]] = {}
    of_frame: frozenset[str] = frozenset()
    says: Mapping[str, ParamValue] = {}
    size_mark: str = ""
    splits_size: bool = False
    is_seeded: bool = False


Endings = Mapping[str, Mapping[Mode, str]]


def full_name(endings: Endings, assignment: Assignment) -> str:
    """Return the name that serves an assignment, where a family has one name for each mode.

    A name that says a mode already stays as it is. The mode is what the inputs say.

    Raises:
        PorticoError: UNSUPPORTED_OPTION for a mode that the family has no name for.
    """
    model = assignment.model
    for pattern, of in endings.items():
        if not fnmatchcase(model, pattern) or model.endswith(tuple(of.values())):
            continue
        mode = _mode(assignment)
        if mode not in of:
            message = f"The upstream has no {mode} mode of this model"
            raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param="mode")
        return model + of[mode]
    return model


def profile_of(profiles: Sequence[Profile], model: str, kind: Kind) -> Profile:
    """Return the first profile that fits a model; tables end with one for all others."""
    fitting = (each for each in profiles if each.kind is kind and fnmatchcase(model, each.models))
    found = next(fitting, None)
    if found is None:
        raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, f"The upstream does no {kind}")
    return found


async def read_input(
    profile: Profile, assignment: Assignment, can: Capabilities, *, upload: Upload | None = None
) -> dict[str, Any]:
    """Return the input of a model, in its family's words.

    Args:
        profile: of the family.
        assignment: what is asked.
        can: of the upstream whatever the model; its media count, and where they may go.
        upload: hands a file over beside the request.

    Raises:
        PorticoError: UNSUPPORTED_OPTION for what the family lacks, before any file is handed
            over; MEDIA_REJECTED for a file that cannot be handed over.
    """
    job = assignment.job
    roles = {file.role for file in assignment.inputs}
    params = {
        name: value
        for name, value in (_split(job.params) if profile.splits_size else job.params).items()
        if profile.words.get(name, {}).get(value, value) is not None
        and not (name in profile.of_frame and Role.FIRST_FRAME in roles)
    }
    asked = msgspec.structs.replace(assignment, job=msgspec.structs.replace(job, params=params))
    own = msgspec.structs.replace(
        can, kinds=frozenset({profile.kind}), params=profile.params, roles=profile.roles
    )
    refuse_unsupported(own, asked)
    body: dict[str, Any] = {"prompt": job.prompt} if job.prompt else {}
    body |= profile.says
    for ours, theirs in profile.params.items():
        if ours in params and params[ours] != "":
            body[theirs] = _value(profile, ours, params[ours])
    for file in assignment.inputs:
        _put(profile, body, profile.roles[file.role], await hand_over(own, file, upload=upload))
    return body


def result_urls(output: object, *, depth: int = 0) -> tuple[str, ...]:
    """Return the addresses in what a model made: a text, a list or an object, as models differ."""
    if depth > _DEPTH_MAX:
        return ()
    if isinstance(output, list):
        return tuple(url for each in output for url in result_urls(each, depth=depth + 1))
    if isinstance(output, dict):
        found = (result_urls(output.get(name), depth=depth + 1) for name in _RESULTS)
        return next((urls for urls in found if urls), ())
    return (url,) if (url := read_url(output)) else ()


def _split(params: Mapping[str, ParamValue]) -> Mapping[str, ParamValue]:
    """Return the parameters with the nearest resolution and ratio for a size, where one is near."""
    sides = _sides(params.get("size"))
    tier = next((name for most, name in _TIERS if sides and sides[0] * sides[1] <= most), None)
    if sides is None or tier is None:
        return params
    ratio = min(_RATIOS, key=lambda name: abs(log(sides[0] / sides[1] / _RATIOS[name])))
    return {**params, "resolution": tier, "ratio": ratio, "size": ""}


def _sides(size: object) -> tuple[int, int] | None:
    width, _, height = str(size).replace("*", "x").partition("x")
    is_size = width.isdigit() and height.isdigit() and int(width) and int(height)
    return (int(width), int(height)) if is_size else None


def _mode(assignment: Assignment) -> Mode:
    roles = {file.role for file in assignment.inputs}
    if not roles:
        return Mode.TEXT
    if assignment.job.kind is Kind.IMAGE:
        return Mode.IMAGE
    if Role.LAST_FRAME in roles:
        return Mode.FIRST_LAST
    return Mode.IMAGE if Role.FIRST_FRAME in roles else Mode.REFERENCE


def _value(profile: Profile, name: str, value: ParamValue) -> object:
    word = profile.words.get(name, {}).get(value, value)
    if name in profile.forms:
        return profile.forms[name].format(word)
    sides = _sides(word) if name in _SIZES else None
    if sides is None:
        return word
    if profile.size_mark:
        return f"{sides[0]}{profile.size_mark}{sides[1]}"
    return {"width": sides[0], "height": sides[1]}


def _put(profile: Profile, body: dict[str, Any], field: str, text: str) -> None:
    """Set a field to a file, or add it to a list of them.

    Raises:
        PorticoError: UNSUPPORTED_OPTION for a second file where the family takes one.
    """
    if field in profile.lists:
        body.setdefault(field, []).append(text)
    elif field in body:
        raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, f"The model takes one {field}")
    else:
        body[field] = text
