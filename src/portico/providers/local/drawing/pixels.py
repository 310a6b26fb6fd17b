"""Give OpenCV's primitives exact types; every picture here is float32 RGB, 0 to 1."""

from collections.abc import Sequence
from typing import Any, TypeVar, cast

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.floating[Any]]  # float32 wherever speed matters
Bytes = npt.NDArray[np.uint8]
Pixels = TypeVar("Pixels", Image, Bytes)
RGB = tuple[float, float, float]
Point = tuple[float, float]

cv2.setNumThreads(1)


def sample(texture: Image, u: Image, v: Image, *, wrap: bool = True) -> Image:
    """Read a texture at float pixel positions, bilinear; wraps round or repeats its edge."""
    border = cv2.BORDER_WRAP if wrap else cv2.BORDER_REPLICATE
    at_u, at_v = np.asarray(u, np.float32), np.asarray(v, np.float32)
    if wrap:  # positions far outside would take OpenCV's slow way, pixel by pixel
        height, width = texture.shape[:2]
        at_u = at_u - np.floor(at_u * np.float32(1 / width)) * np.float32(width)
        at_v = at_v - np.floor(at_v * np.float32(1 / height)) * np.float32(height)
    return cast("Image", cv2.remap(texture, at_u, at_v, cv2.INTER_LINEAR, borderMode=border))


def scaled(picture: Image, width: int, height: int) -> Image:
    """Resize bilinearly."""
    return cast("Image", cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR))


def shrunk(picture: Image, width: int, height: int) -> Image:
    """Resize by area averaging; for making things smaller."""
    return cast("Image", cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))


def blurred(picture: Image, sigma: float) -> Image:
    """Blur with a Gaussian of `sigma` pixels."""
    return cast("Image", cv2.GaussianBlur(picture, (0, 0), sigma))


def mixed(first: Image, second: Image, weight: Image) -> Image:
    """Mix two pictures per pixel; weight 0 is all first, 1 all second."""
    back = np.subtract(1.0, weight, dtype=np.float32)
    return cast("Image", cv2.blendLinear(first, second, back, weight))


def smoothstep(low: float, high: float, value: Image) -> Image:
    """Return the usual soft threshold, 0 below `low`, 1 above `high`."""
    x = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(x * x * (3 - 2 * x), np.float32)


def planes(picture: Image) -> tuple[Image, ...]:
    """Split into contiguous channels: arithmetic on those is several times faster."""
    return cast("tuple[Image, ...]", cv2.split(picture))


def merged(channels: Sequence[Image]) -> Image:
    """Join channels again."""
    return cast("Image", cv2.merge(list(channels)))


def add_light(picture: Image, power: Image, rgb: RGB) -> None:
    """Add light of one colour, of a power per pixel, in place."""
    cv2.add(picture, cv2.merge([power * np.float32(part) for part in rgb]), dst=picture)


def toward(picture: Image, weight: Image, rgb: RGB) -> None:
    """Move every pixel toward one colour by its weight, in place."""
    keep = np.float32(1) - weight
    cv2.multiply(picture, cv2.merge([keep, keep, keep]), dst=picture)
    add_light(picture, weight, rgb)


def colour(rgb: RGB) -> Image:
    """Return a colour as a float32 triple."""
    return np.array(rgb, np.float32)


def blank(width: int, height: int, rgb: RGB = (0.0, 0.0, 0.0)) -> Image:
    """Return a picture of one colour."""
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = rgb
    return picture


def overlay(picture: Image, layer: Image, left: int, top: int) -> None:
    """Lay a premultiplied RGBA layer over a picture, in place, clipped at the edges."""
    height, width = picture.shape[:2]
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + layer.shape[1], width), min(top + layer.shape[0], height)
    if x0 >= x1 or y0 >= y1:
        return
    red, green, blue, alpha = planes(layer[y0 - top : y1 - top, x0 - left : x1 - left])
    keep = np.float32(1) - alpha
    under = picture[y0:y1, x0:x1]
    out = [old * keep + new for old, new in zip(planes(under), (red, green, blue), strict=True)]
    under[:] = merged(out)


def stretched(layer: Pixels, scale: float, middle: Point, size: tuple[int, int]) -> Pixels:
    """Return the part of a layer seen by a frame of `size` (width, height).

    `middle` is the layer's point, in its own pixels, that comes to the frame's middle.
    """
    width, height = size
    matrix = np.array(
        [[scale, 0, width / 2 - middle[0] * scale], [0, scale, height / 2 - middle[1] * scale]],
        np.float32,
    )
    return cast("Pixels", cv2.warpAffine(layer, matrix, size, flags=cv2.INTER_LINEAR))


def to_bytes(picture: Image) -> Bytes:
    """Convert to 8 bits, clipping above; values hardly below 0 become as hardly above."""
    return cast("Bytes", cv2.convertScaleAbs(picture, alpha=255.0))


def to_floats(picture: Bytes) -> Image:
    """Convert from 8 bits."""
    return picture.astype(np.float32) * np.float32(1 / 255)
