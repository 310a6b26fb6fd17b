"""What each generation of DashScope's models takes, and in which words: data, by names.

Sources: the pages "Wan" and "HappyHorse" of the video API, "Wan image", "Qwen-Image". Where a page
is silent about an option, the model does not have it.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

import msgspec

from portico.core.jobs import Kind, ParamValue, Role
from portico.providers.base import Capabilities, HandOver

CHECK_AFTER_S = 15.0  # their advice
SEEDS = range(2**31)
TIERS = ("480P", "720P", "1080P")  # in capitals: some models refuse small letters
DEFAULT_TIER = "720P"  # theirs is 1080P, at nearly twice the price
SIZES = {
    ("480P", "16:9"): "832*480",
    ("480P", "9:16"): "480*832",
    ("480P", "1:1"): "624*624",
    ("720P", "16:9"): "1280*720",
    ("720P", "9:16"): "720*1280",
    ("720P", "1:1"): "960*960",
    ("720P", "4:3"): "1088*832",
    ("720P", "3:4"): "832*1088",
    ("1080P", "16:9"): "1920*1080",
    ("1080P", "9:16"): "1080*1920",
    ("1080P", "1:1"): "1440*1440",
    ("1080P", "4:3"): "1632*1248",
    ("1080P", "3:4"): "1248*1632",
}
# Their words for inputs beside which the shape of a video is the input's own.
FRAMING = frozenset({"img_url", "first_frame", "first_frame_url", "first_clip", "video"})
_MEDIA = {
    "image": (HandOver.PASS, HandOver.DATA, HandOver.LINK),
    "video": (HandOver.PASS, HandOver.LINK),
    "audio": (HandOver.PASS, HandOver.LINK),
}
_DATA_BYTES_MAX = 10 * 10**6
_SHAPED = {"duration": "duration", "seed": "seed"}
_SIZED = {"size": "size", "resolution": "size", "ratio": "size"}
_TIERED = {"size": "resolution", "resolution": "resolution", "ratio": "ratio"}
_WORDED = {"negative_prompt": "negative_prompt", "prompt_expansion": "prompt_extend"}


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """How one generation of models that make videos is asked.

    Args:
        can: what it takes, in its words.
        path: of a start, below `services/aigc/`.
        as_media: whether inputs are items of one list; else each word is a field.
        counts: their word for an input -> how few and how many of it.
        files_max: how many inputs in all.
        videos_max: how many of them may be videos.
        tiers: resolutions, lowest first.
        ratios: what `ratio` may be; None: anything.
        durations: in seconds; empty: anything.
        anyway: what it does whether it is asked or not, and cannot be told.
        prompt_max: in characters.
        counts_wide_twice: whether one of Chinese, Japanese or Korean counts as two of them.
    """

    can: Capabilities
    path: str = "video-generation/video-synthesis"
    as_media: bool = True
    counts: Mapping[str, tuple[int, int]] = {}
    files_max: int = 9
    videos_max: int = 9
    tiers: Sequence[str] = TIERS[1:]
    ratios: frozenset[str] | None = frozenset({"16:9", "9:16", "1:1", "4:3", "3:4"})
    durations: Sequence[int] = range(2, 16)
    anyway: Mapping[str, ParamValue] = {}
    prompt_max: int = 5_000
    counts_wide_twice: bool = False


class Pictures(msgspec.Struct, frozen=True, kw_only=True):
    """How one generation of models that make pictures is asked.

    Args:
        can: what it takes.
        path: of a start, below `services/aigc/`.
        is_task: whether it is asked for a task; else it answers with the picture.
        has_messages: whether words and inputs are a message; else the words are a field.
        counts: how few and how many pictures it can be given.
        sizes: ratio -> size, where it makes these only.
        sides: tier -> the side of a square in pixels, where any size is made; first the default.
        interleaves: whether it has to be told that there is no picture to change.
        prompt_max: in characters.
    """

    can: Capabilities
    path: str = "multimodal-generation/generation"
    is_task: bool = False
    has_messages: bool = True
    counts: tuple[int, int] = (0, 0)
    sizes: Mapping[str, str] = {}
    sides: Mapping[str, int] = {}
    interleaves: bool = False
    prompt_max: int = 2_000


def _video(params: Mapping[str, str], roles: Mapping[Role, str]) -> Capabilities:
    return Capabilities(
        kinds=frozenset({Kind.VIDEO}),
        params=params,
        roles=roles,
        media=_MEDIA,
        data_bytes_max=_DATA_BYTES_MAX,
        check_after_s=CHECK_AFTER_S,
    )


def _image(*params: str, takes_files: bool) -> Capabilities:
    named = {"size": "size", "resolution": "size", "ratio": "size", "seed": "seed", **_WORDED}
    files = (Role.REFERENCE_IMAGE, Role.FIRST_FRAME, Role.SOURCE_IMAGE) if takes_files else ()
    return Capabilities(
        kinds=frozenset({Kind.IMAGE}),
        params={name: named[name] for name in params or named},
        roles=dict.fromkeys(files, "image"),
        media={"image": _MEDIA["image"]},
        data_bytes_max=_DATA_BYTES_MAX,
        check_after_s=CHECK_AFTER_S,
    )


# --- Wan 2.2 to 2.6: a field for each input ---------------------------------------------------

_SOUND = {"audio": "audio"}
_FRAME = {Role.FIRST_FRAME: "img_url", Role.REFERENCE_AUDIO: "audio_url"}
_CAST = {Role.REFERENCE_IMAGE: "reference_urls", Role.REFERENCE_VIDEO: "reference_urls"}
_WAN_T2V = Generation(
    can=_video(_SHAPED | _SIZED | _WORDED | _SOUND, {Role.REFERENCE_AUDIO: "audio_url"}),
    as_media=False,
    counts={"audio_url": (0, 1)},
    prompt_max=1_500,
)
_WAN_I2V = Generation(
    can=_video(_SHAPED | _TIERED | _WORDED | _SOUND, _FRAME),
    as_media=False,
    counts={"img_url": (1, 1), "audio_url": (0, 1)},
    prompt_max=1_500,
)
_WAN_R2V = Generation(
    can=_video(_SHAPED | _SIZED, _CAST),
    as_media=False,
    counts={"reference_urls": (1, 5)},
    files_max=5,
    videos_max=3,
    durations=range(2, 11),
    anyway={"audio": True},
    prompt_max=1_500,
)
_WAN_R2V_FLASH = msgspec.structs.replace(
    _WAN_R2V, can=_video(_SHAPED | _SIZED | _SOUND, _CAST), anyway={}
)
_OF_2_5 = {"tiers": TIERS, "durations": (5, 10)}
_KF2V = Generation(
    can=_video(
        {"seed": "seed", "prompt_expansion": "prompt_extend", **_TIERED},
        {Role.FIRST_FRAME: "first_frame_url", Role.LAST_FRAME: "last_frame_url"},
    ),
    path="image2video/video-synthesis",
    as_media=False,
    counts={"first_frame_url": (1, 1), "last_frame_url": (1, 1)},
    tiers=TIERS,
    anyway={"duration": 5},
)

# --- Wan 2.7 and 3.0, HappyHorse: one list of inputs ------------------------------------------

_EXPANDS = {"prompt_expansion": "prompt_extend"}
_SOUNDS = {"audio": True}
_WAN_2_7_T2V = Generation(can=_video(_SHAPED | _TIERED | _EXPANDS, {}), anyway=_SOUNDS)
_WAN_2_7_I2V = msgspec.structs.replace(
    _WAN_2_7_T2V,
    can=_video(
        _SHAPED | _TIERED | _EXPANDS,
        {
            Role.FIRST_FRAME: "first_frame",
            Role.LAST_FRAME: "last_frame",
            Role.REFERENCE_VIDEO: "first_clip",
            Role.REFERENCE_AUDIO: "driving_audio",
        },
    ),
    counts={
        "first_frame": (0, 1),
        "last_frame": (0, 1),
        "first_clip": (0, 1),
        "driving_audio": (0, 1),
    },
)
_WAN_2_7_R2V = msgspec.structs.replace(
    _WAN_2_7_T2V,
    can=_video(
        _SHAPED | _TIERED | _EXPANDS,
        {
            Role.REFERENCE_IMAGE: "reference_image",
            Role.REFERENCE_VIDEO: "reference_video",
            Role.REFERENCE_AUDIO: "reference_voice",
        },
    ),
    durations=range(2, 11),
)
_EDITED = {
    Role.REFERENCE_VIDEO: "video",
    Role.SOURCE_VIDEO: "video",
    Role.REFERENCE_IMAGE: "reference_image",
}
_EDIT_COUNTS = {"video": (1, 1), "reference_image": (0, 5)}
_WAN_2_7_EDIT = msgspec.structs.replace(
    _WAN_2_7_R2V, can=_video(_SHAPED | _TIERED | _EXPANDS, _EDITED), counts=_EDIT_COUNTS
)
_WAN_3 = Generation(
    can=_video(
        _SHAPED | _TIERED | _EXPANDS,
        {
            Role.FIRST_FRAME: "first_frame",
            Role.LAST_FRAME: "last_frame",
            Role.REFERENCE_IMAGE: "reference_image",
            Role.REFERENCE_VIDEO: "reference_video",
            Role.REFERENCE_AUDIO: "reference_audio",
        },
    ),
    counts={"first_frame": (0, 1), "last_frame": (0, 1)},
    tiers=TIERS,
    ratios=None,
    durations=(),
    anyway=_SOUNDS,
)
_HORSE_RATIOS = frozenset({"16:9", "9:16", "1:1", "4:3", "3:4", "4:5", "5:4", "9:21", "21:9"})
_HORSE = Generation(
    can=_video(_SHAPED | _TIERED, {}),
    ratios=_HORSE_RATIOS,
    durations=range(3, 16),
    counts_wide_twice=True,
)
_HORSE_I2V = msgspec.structs.replace(
    _HORSE,
    can=_video(_SHAPED | _TIERED, {Role.FIRST_FRAME: "first_frame"}),
    counts={"first_frame": (1, 1)},
)
_HORSE_R2V = msgspec.structs.replace(
    _HORSE,
    can=_video(_SHAPED | _TIERED, {Role.REFERENCE_IMAGE: "reference_image"}),
    counts={"reference_image": (1, 9)},
)
_HORSE_EDIT = msgspec.structs.replace(
    _HORSE, can=_video({"seed": "seed", **_TIERED}, _EDITED), counts=_EDIT_COUNTS
)

# Patterns of names, most special first. The last one takes what is newer than this table.
VIDEOS: Mapping[str, Generation] = {
    "*kf2v*": _KF2V,
    "wan2.5-t2v*": msgspec.structs.replace(_WAN_T2V, **_OF_2_5),
    "wan2.5-i2v*": msgspec.structs.replace(_WAN_I2V, **_OF_2_5),
    "wan2.6-t2v*": _WAN_T2V,
    "wan2.6-i2v*": _WAN_I2V,
    "wan2.6-r2v-flash*": _WAN_R2V_FLASH,
    "wan2.6-r2v*": _WAN_R2V,
    "wan2.7-t2v*": _WAN_2_7_T2V,
    "wan2.7-i2v*": _WAN_2_7_I2V,
    "wan2.7-r2v*": _WAN_2_7_R2V,
    "wan2.7-videoedit*": _WAN_2_7_EDIT,
    "happyhorse-1.0-t2v*": _HORSE,
    "happyhorse-1.0-i2v*": _HORSE_I2V,
    "happyhorse-1.0-r2v*": _HORSE_R2V,
    "happyhorse-*-video-edit*": _HORSE_EDIT,
    "happyhorse-*-t2v*": msgspec.structs.replace(_HORSE, tiers=TIERS),
    "happyhorse-*-i2v*": msgspec.structs.replace(_HORSE_I2V, tiers=TIERS),
    "happyhorse-*-r2v*": msgspec.structs.replace(_HORSE_R2V, tiers=TIERS),
    "*": _WAN_3,
}
# A family -> its members: from words alone, from frames, from references.
FAMILIES = {
    "wan2.5": ("wan2.5-t2v-preview", "wan2.5-i2v-preview", "wan2.5-i2v-preview"),
    "wan2.6": ("wan2.6-t2v", "wan2.6-i2v", "wan2.6-r2v"),
    "wan2.7": ("wan2.7-t2v", "wan2.7-i2v", "wan2.7-r2v"),
    "happyhorse-1.0": ("happyhorse-1.0-t2v", "happyhorse-1.0-i2v", "happyhorse-1.0-r2v"),
    "happyhorse-1.1": ("happyhorse-1.1-t2v", "happyhorse-1.1-i2v", "happyhorse-1.1-r2v"),
}

# --- pictures ---------------------------------------------------------------------------------

_QWEN_SIZES = {
    "1:1": "1328*1328",
    "16:9": "1664*928",
    "9:16": "928*1664",
    "4:3": "1472*1140",
    "3:4": "1140*1472",
}
_WAN_IMAGES = "image-generation/generation"
_SIDES = {"1k": 1_280, "2k": 2_048}
_SMALL = {"1k": 1_280}  # at most 1440 by 1440, or 2048 for the longer side
_WAN_OPTIONS = ("size", "resolution", "ratio", "seed", "prompt_expansion")
_WAN_2_7_IMAGE = Pictures(
    can=_image(*_WAN_OPTIONS, takes_files=True),
    path=_WAN_IMAGES,
    is_task=True,
    counts=(0, 9),
    sides={**_SIDES, "4k": 4_096},
)
_OLD_T2I = Pictures(
    can=_image(takes_files=False),
    path="text2image/image-synthesis",
    is_task=True,
    has_messages=False,
    sides={"1k": 1_024},
    prompt_max=800,
)
# Patterns of names again; the last but one takes newer models of Wan, the last all others.
PICTURES: Mapping[str, Pictures] = {
    "qwen-image-edit*": Pictures(can=_image(takes_files=True), counts=(1, 3), sides=_SMALL),
    "qwen-image-2*": Pictures(can=_image(takes_files=True), counts=(0, 3), sides=_SIDES),
    "qwen-image*": Pictures(
        can=_image(
            "size", "ratio", "seed", "negative_prompt", "prompt_expansion", takes_files=False
        ),
        sizes=_QWEN_SIZES,
        prompt_max=800,
    ),
    "wanx*": _OLD_T2I,
    "wan2.[1-5]-t2i*": _OLD_T2I,
    "wan2.6-t2i*": Pictures(
        can=_image(takes_files=False), path=_WAN_IMAGES, is_task=True, sides=_SMALL
    ),
    "wan2.6-image*": Pictures(
        can=_image(*_WAN_OPTIONS, takes_files=True),
        path=_WAN_IMAGES,
        is_task=True,
        counts=(0, 4),
        sides=_SIDES,
        interleaves=True,
    ),
    "wan*": _WAN_2_7_IMAGE,
    "*": Pictures(can=_image(takes_files=True), counts=(0, 9), sides=_SIDES),
}
# What is possible at all, for those that choose a route.
VIDEO = msgspec.structs.replace(_WAN_3.can, params={**_WAN_I2V.can.params, **_WAN_T2V.can.params})
IMAGE = PICTURES["*"].can

_Known = TypeVar("_Known")


def of_name(table: Mapping[str, _Known], model: str) -> _Known:
    """Return what a table, which ends in `*`, says of a model."""
    return next(known for name, known in table.items() if fnmatchcase(model, name))
