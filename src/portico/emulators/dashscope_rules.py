"""What DashScope's models take, after its pages: data, by names of models.

A page that is silent about a parameter means that it is refused here, except for what the
vendor's own client always adds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

VIDEO = "video-generation/video-synthesis"
FRAMES = "image2video/video-synthesis"
OLD_IMAGE = "text2image/image-synthesis"
WAN_IMAGE = "image-generation/generation"
QWEN_IMAGE = "multimodal-generation/generation"
ADDED = {"extend_prompt", "function", "is_async"}  # by the client, everywhere

SIZES_480 = {"832*480", "480*832", "624*624"}
SIZES_720 = {"1280*720", "720*1280", "960*960", "1088*832", "832*1088"}
SIZES_1080 = {"1920*1080", "1080*1920", "1440*1440", "1632*1248", "1248*1632"}
QWEN_SIZES = {
    "1664*928",
    "1472*1140",
    "1472*1104",  # the two copies of the page differ
    "1328*1328",
    "1140*1472",
    "1104*1472",
    "928*1664",
}
WAN_RATIOS = {"16:9", "9:16", "1:1", "4:3", "3:4"}
HORSE_RATIOS = WAN_RATIOS | {"4:5", "5:4", "9:21", "21:9"}
HIGH = {"720P", "1080P"}
ALL = {"480P", *HIGH}

Check = Callable[[Any], bool]


def one_of(*values: object) -> Check:
    """Accept these."""
    return lambda value: value in values and not isinstance(value, bool)


def whole(low: int, high: int) -> Check:
    """Accept whole numbers in a range, with both ends."""
    return lambda value: type(value) is int and low <= value <= high


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_size(value: Any) -> bool:
    sides = str(value).split("*")
    return len(sides) == 2 and all(side.isdigit() and int(side) >= 512 for side in sides)  # noqa: PLR2004 - width and height


def _is_any(value: Any) -> bool:
    del value
    return True


@dataclass(frozen=True)
class Rules:
    """What one model takes.

    Args:
        path: the only one it is asked at.
        inputs: fields of `input` that it has; a name that ends in `!` is required.
        parameters: fields of `parameters`, and what they may be.
        media: what items of `input.media` may be, and how few and how many; None: no such list.
        prompt_max: in characters.
        images: how few and how many pictures a message may hold.
    """

    path: str
    inputs: frozenset[str] = frozenset({"prompt!"})
    parameters: Mapping[str, Check] = field(default_factory=dict)
    media: Mapping[str, tuple[int, int]] | None = None
    prompt_max: int = 5_000
    images: tuple[int, int] = (0, 0)


_EVERY: dict[str, Check] = {"watermark": _is_bool, "seed": whole(0, 2**31 - 1)}
_WAN: dict[str, Check] = {
    **_EVERY,
    "prompt_extend": _is_bool,
    "shot_type": one_of("single", "multi"),
    "duration": whole(2, 15),
}
_WORDS = {"prompt!", "negative_prompt", "audio_url"}


def _t2v(sizes: set[str], **other: Check) -> Rules:
    parameters = _WAN | {"size": one_of(*sizes), "audio": _is_bool} | other
    return Rules(VIDEO, frozenset(_WORDS), parameters, prompt_max=1_500)


def _i2v(tiers: set[str], **other: Check) -> Rules:
    parameters = _WAN | {"resolution": one_of(*tiers), "audio": _is_bool} | other
    words = {"prompt", "negative_prompt", "audio_url", "template", "img_url!"}
    return Rules(VIDEO, frozenset(words), parameters, prompt_max=1_500)


def _r2v(**other: Check) -> Rules:
    parameters = _WAN | {"size": one_of(*SIZES_720, *SIZES_1080), "duration": whole(2, 10)} | other
    del parameters["prompt_extend"]
    return Rules(VIDEO, frozenset({"prompt!", "reference_urls!"}), parameters, prompt_max=1_500)


_WAN_2_7: dict[str, Check] = {
    **_EVERY,
    "prompt_extend": _is_bool,
    "resolution": one_of(*HIGH),
    "ratio": one_of(*WAN_RATIOS),
    "duration": whole(2, 15),
    "audio_setting": one_of("auto", "origin"),
}
_I2V_MEDIA = {
    "first_frame": (0, 1),
    "last_frame": (0, 1),
    "first_clip": (0, 1),
    "driving_audio": (0, 1),
}
_R2V_MEDIA = {"reference_image": (0, 9), "reference_video": (0, 9), "reference_voice": (0, 9)}
_EDIT_MEDIA = {"video": (1, 1), "reference_image": (0, 5)}
_ALL_MEDIA = dict.fromkeys(
    (
        "first_frame",
        "last_frame",
        "reference_image",
        "reference_video",
        "reference_voice",
        "reference_audio",
        "video",
        "first_clip",
        "driving_audio",
        "file",
        "link",
    ),
    (0, 9),
)
_OPEN = frozenset({"prompt", "media"})


def _horses(number: str, tiers: set[str]) -> dict[str, Rules]:
    """HappyHorse's four members; only two of them may be told a ratio."""
    every = _EVERY | {"resolution": one_of(*tiers)}
    timed = every | {"duration": whole(3, 15)}
    shaped = timed | {"ratio": one_of(*HORSE_RATIOS)}
    edited = every | {"audio_setting": one_of("auto", "origin")}
    both = frozenset({"prompt!", "media!"})
    return {
        f"happyhorse-{number}-t2v": Rules(VIDEO, frozenset({"prompt!"}), shaped),
        f"happyhorse-{number}-i2v": Rules(
            VIDEO, frozenset({"prompt", "media!"}), timed, {"first_frame": (1, 1)}
        ),
        f"happyhorse-{number}-r2v": Rules(VIDEO, both, shaped, {"reference_image": (1, 9)}),
        f"happyhorse-{number}-video-edit": Rules(VIDEO, both, edited, _EDIT_MEDIA),
    }


_IMAGE: dict[str, Check] = {**_EVERY, "prompt_extend": _is_bool, "n": whole(1, 6)}
_NEGATIVE: dict[str, Check] = {"negative_prompt": _is_text}
_QWEN = _IMAGE | _NEGATIVE | {"size": _is_size}
_QWEN_FIXED = _QWEN | {"size": one_of(*QWEN_SIZES), "n": whole(1, 1)}
_MESSAGES = frozenset({"messages!"})


def _is_wan_size(value: Any) -> bool:
    return value in {"1K", "2K"} or _is_size(value)


def _is_t2i_size(value: Any) -> bool:
    if not _is_size(value):
        return False
    width, height = map(int, value.split("*"))
    return 768**2 <= width * height <= 1440**2 and max(width, height) <= 4 * min(width, height)


_WAN_2_6_IMAGE: dict[str, Check] = _IMAGE | {
    "n": whole(1, 4),
    "size": _is_wan_size,
    "enable_interleave": _is_bool,
    "max_images": whole(1, 5),
}
_OLD_WORDS = frozenset({"prompt!", "negative_prompt"})
_OLD_T2I = Rules(OLD_IMAGE, _OLD_WORDS, _IMAGE | {"size": _is_size}, prompt_max=800)
_OLD_QWEN = Rules(OLD_IMAGE, _OLD_WORDS, _QWEN_FIXED, prompt_max=800)
# Patterns of names, most special first.
MODELS: dict[str, Rules] = {
    "wan2.6-t2v*": _t2v(SIZES_720 | SIZES_1080),
    "wan2.5-t2v-preview": _t2v(SIZES_480 | SIZES_720 | SIZES_1080, duration=one_of(5, 10)),
    "wan2.6-i2v*": _i2v(HIGH),
    "wan2.5-i2v-preview": _i2v(ALL, duration=one_of(5, 10)),
    "wan2.6-r2v-flash*": _r2v(audio=_is_bool),
    "wan2.6-r2v*": _r2v(),
    "wan2.2-kf2v-flash": Rules(
        FRAMES,
        frozenset({"prompt", "first_frame_url!", "last_frame_url!"}),
        _EVERY | {"resolution": one_of(*ALL), "prompt_extend": _is_bool},
    ),
    "wan2.7-t2v*": Rules(VIDEO, frozenset({"prompt!"}), _WAN_2_7),
    "wan2.7-i2v*": Rules(VIDEO, frozenset({"prompt", "media!"}), _WAN_2_7, _I2V_MEDIA),
    "wan2.7-r2v*": Rules(
        VIDEO,
        frozenset({"prompt!", "media!"}),
        _WAN_2_7 | {"duration": whole(2, 10)},
        _R2V_MEDIA,
    ),
    "wan2.7-videoedit*": Rules(
        VIDEO,
        frozenset({"prompt!", "media!"}),
        _WAN_2_7 | {"duration": whole(0, 10)},
        _EDIT_MEDIA,
    ),
    **_horses("1.0", HIGH),
    **_horses("1.1", ALL),
    "qwen-image-edit*": Rules(QWEN_IMAGE, _MESSAGES, _QWEN, images=(1, 3)),
    "qwen-image-2.0*": Rules(QWEN_IMAGE, _MESSAGES, _QWEN, images=(0, 3)),
    "qwen-image-max*": Rules(QWEN_IMAGE, _MESSAGES, _QWEN_FIXED, prompt_max=800),
    "qwen-image*": Rules(QWEN_IMAGE, _MESSAGES, _QWEN_FIXED, prompt_max=800),
    "wan2.6-image": Rules(WAN_IMAGE, _MESSAGES, _WAN_2_6_IMAGE, images=(0, 4)),
    "wan2.7-image*": Rules(
        WAN_IMAGE,
        _MESSAGES,
        _IMAGE | {"size": lambda value: value == "4K" or _is_wan_size(value)},
        images=(0, 9),
    ),
    "wan2.6-t2i": Rules(WAN_IMAGE, _MESSAGES, _IMAGE | _NEGATIVE | {"size": _is_t2i_size}),
    "wanx*-t2i*": _OLD_T2I,
    "wan2.[1-5]-t2i*": _OLD_T2I,
}
# Both are also asked for as tasks, in the old shape.
ALSO_OLD = {"qwen-image": _OLD_QWEN, "qwen-image-plus": _OLD_QWEN}
THEIR_NAMES = ("wan", "qwen", "happyhorse")
_ANYTHING: dict[str, Check] = dict.fromkeys(
    (*_WAN, *_WAN_2_7, *_WAN_2_6_IMAGE, "size", "audio", "negative_prompt"), _is_any
)


def rules_of(model: str, path: str) -> Rules | None:
    """Return what a model takes at a path; None for a model that they do not have there.

    Names that are not of their kinds are an account's own deployments, and take anything.
    """
    if path == OLD_IMAGE and model in ALSO_OLD:
        return ALSO_OLD[model]
    found = next((rules for name, rules in MODELS.items() if fnmatchcase(model, name)), None)
    if found is not None:
        is_wan_at_once = (found.path, path) == (WAN_IMAGE, QWEN_IMAGE)
        return found if found.path == path or is_wan_at_once else None
    if model.startswith("wan3"):
        open_ratio = _WAN_2_7 | {
            "resolution": one_of(*ALL),
            "ratio": one_of(*HORSE_RATIOS, "adaptive"),
            "duration": lambda value: value == -1 or whole(2, 15)(value),
        }
        return Rules(VIDEO, _OPEN, open_ratio, _ALL_MEDIA) if path == VIDEO else None
    if model.startswith(THEIR_NAMES):
        return None
    inputs = _OPEN if path in {VIDEO, FRAMES} else frozenset({"prompt", "messages"})
    return Rules(path, inputs, _ANYTHING, _ALL_MEDIA, images=(0, 9))
