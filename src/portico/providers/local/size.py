"""Choose the frame size of a job from its parameters.

Order: `size` ("1920x1080" or "1920*1080") wins and is only made even for videos; otherwise
`resolution` gives the area and `ratio` its shape. A resolution "720p" means the area of the
16:9 frame with 720 lines. 16:9 and 9:16 are exact ("480p" is 854x480, as most upstreams
write it); the other ratios use upstreams' usual sizes where they agree (`_USUAL`) and else
the multiples of 16 nearest to that area. "adaptive" is 16:9 without a picture and the
picture's own ratio with one. Images default to the area of 1024x1024.
"""

import math
import re

from portico.core.errors import ErrorCode, PorticoError

Size = tuple[int, int]

SIDE_MIN = 64
SIDE_MAX = 4096
AREA_MAX = 4096 * 2304

_SIZE = re.compile(r"(\d{2,5})\s*[x*×]\s*(\d{2,5})", re.IGNORECASE)
_RATIO = re.compile(r"(\d{1,4})\s*[:/]\s*(\d{1,4})")
_LINES = {"2k": 1440, "4k": 2160}
_IMAGE_SCALE = {"1k": 1, "2k": 2, "4k": 3}
_USUAL: dict[tuple[int, str], Size] = {
    (480, "1:1"): (640, 640),
    (720, "1:1"): (960, 960),
    (1080, "1:1"): (1440, 1440),
    (720, "4:3"): (1088, 832),
    (1080, "4:3"): (1632, 1248),
    (720, "3:4"): (832, 1088),
    (1080, "3:4"): (1248, 1632),
}


def video_size(size: str, resolution: str, ratio: str, *, picture: Size | None = None) -> Size:
    """Return width and height in pixels, both even.

    Raises:
        PorticoError: INVALID_REQUEST when a text cannot be read or the frame is out of bounds.
    """
    wanted = _explicit(size)
    if wanted is None:
        lines = _lines(resolution)
        shape = _shape(ratio, picture)
        wanted = _by_area(lines, shape, own=ratio in {"", "adaptive"} and picture is not None)
    return _bounded(_even(wanted[0]), _even(wanted[1]))


def image_size(size: str, resolution: str, ratio: str, *, picture: Size | None = None) -> Size:
    """Return width and height of a still in pixels.

    Raises:
        PorticoError: INVALID_REQUEST when a text cannot be read or the picture is out of bounds.
    """
    wanted = _explicit(size)
    if wanted is None:
        scale = _IMAGE_SCALE.get(resolution.strip().lower(), 0)
        if scale == 0 and _is_lines(resolution):
            return video_size("", resolution, ratio or "16:9", picture=picture)
        across, down = _shape(ratio, picture, default="1:1")
        side = 1024 * max(scale, 1)
        wanted = _multiple_of_16(side * side, across / down)
    return _bounded(*wanted)


def _explicit(text: str) -> Size | None:
    if not text or text.lower() in {"auto", "adaptive"}:
        return None
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "Not a frame size", param="size")
    return int(found[1]), int(found[2])


def _is_lines(text: str) -> bool:
    return bool(re.fullmatch(r"\d{3,4}p?", text.strip().lower()))


def _lines(text: str) -> int:
    name = text.strip().lower() or "720p"
    if name in _LINES:
        return _LINES[name]
    if not _is_lines(name):
        raise PorticoError(ErrorCode.INVALID_REQUEST, "Not a resolution", param="resolution")
    return int(name.rstrip("p"))


def _shape(ratio: str, picture: Size | None, default: str = "16:9") -> Size:
    if ratio.strip().lower() in {"", "adaptive", "auto", "keep_ratio"}:
        if picture is not None:
            return picture
        ratio = default
    found = _RATIO.fullmatch(ratio.strip())
    if found is None or int(found[1]) == 0 or int(found[2]) == 0:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "Not a ratio", param="ratio")
    return int(found[1]), int(found[2])


def _by_area(lines: int, shape: Size, *, own: bool) -> Size:
    across, down = shape
    if across * 9 == down * 16:
        return _even(lines * 16 / 9), lines
    if across * 16 == down * 9:
        return lines, _even(lines * 16 / 9)
    usual = _USUAL.get((lines, f"{across}:{down}"))
    if usual is not None:
        return usual
    area = lines * lines * 16 / 9
    if own:  # a picture's own ratio is kept as exactly as even numbers allow
        width = _even(math.sqrt(area * across / down))
        return width, _even(width * down / across)
    return _multiple_of_16(area, across / down)


def _multiple_of_16(area: float, ratio: float) -> Size:
    width = max(1, round(math.sqrt(area * ratio) / 16)) * 16
    height = max(1, round(math.sqrt(area / ratio) / 16)) * 16
    return width, height


def _even(length: float) -> int:
    return max(2, 2 * round(length / 2))


def _bounded(width: int, height: int) -> Size:
    inside = min(width, height) >= SIDE_MIN and max(width, height) <= SIDE_MAX
    if not inside or width * height > AREA_MAX:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "The frame size is out of bounds")
    return width, height
