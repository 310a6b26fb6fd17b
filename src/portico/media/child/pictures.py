"""JPEG, PNG and WebP: header first, then limits, then pixels; runs in the child only."""

import io
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, WebPImagePlugin

from portico.media.child.refusal import Refusal, RefusedError
from portico.media.child.stripping import STRIP

COVER_PIXELS = 640
COVER_QUALITY = 85
AGAIN_QUALITY = 95  # for pictures that have to be turned upright
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
_ORIENTATION = 0x0112
_SIDEWAYS = frozenset({5, 6, 7, 8})
_UPRIGHT = 1

assert WebPImagePlugin.SUPPORTED  # imported by name: else every plug-in there is gets loaded
Image.MAX_IMAGE_PIXELS = None  # the limits below are stricter and count exactly


def inspect(request: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of a picture, decode it whole, and draw a cover if one is wanted."""
    limits = request["limits"]
    with Image.open(request["path"], formats=[FORMATS[request["media_type"]]]) as image:
        width, height = image.size
        check_dimensions(
            width, height, pixels_max=limits["pixels_max"], side_max=limits["side_max"]
        )
        frames = int(getattr(image, "n_frames", 1))
        if frames > limits["frames_max"]:
            raise RefusedError(Refusal.FRAMES)
        turned = orientation(image) in _SIDEWAYS
        image.draft("RGB", (COVER_PIXELS, COVER_PIXELS))  # JPEG decodes small, yet to the end
        image.load()
        if request["cover_to"]:
            draw_cover(image, request["cover_to"])
    if turned:
        width, height = height, width
    return {"width": width, "height": height, "frames": frames}


def check_dimensions(width: int, height: int, *, pixels_max: int, side_max: int) -> None:
    """Refuse what is too large to decode; the product is compared as integers (M2)."""
    if not (0 < width <= side_max and 0 < height <= side_max and width * height <= pixels_max):
        raise RefusedError(Refusal.DIMENSIONS)


def draw_cover(image: Image.Image, to: str) -> None:
    """Write a JPEG of at most 640 pixels a side, upright, on white where it was transparent."""
    if image.mode not in {"RGB", "L", "CMYK", "YCbCr"}:
        image = image.convert("RGBA")
    orient = image.getexif()
    image.thumbnail((COVER_PIXELS, COVER_PIXELS))
    upright = ImageOps.exif_transpose(image) if orient else image
    if upright.mode == "RGBA":
        paper = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(paper, upright)
    upright.convert("RGB").save(to, "JPEG", quality=COVER_QUALITY, exif=b"")


def orientation(image: Image.Image) -> int:
    """Return how the camera was held, as EXIF counts; 1 is upright."""
    return int(image.getexif().get(_ORIENTATION, _UPRIGHT))


def strip(path: str, media_type: str, *, to: str) -> None:
    """Write a picture without metadata and without bytes behind its end (M5).

    The pixels stay as they are, except where only the metadata said which way is up: such a
    picture is turned and encoded again.
    """
    with Image.open(path, formats=[FORMATS[media_type]]) as image:
        is_upright = orientation(image) == _UPRIGHT
        data = Path(path).read_bytes() if is_upright else encoded_upright(image, media_type)
    Path(to).write_bytes(STRIP[media_type](data))


def encoded_upright(image: Image.Image, media_type: str) -> bytes:
    """Return a picture turned as its metadata asks, encoded again."""
    turned = io.BytesIO()
    ImageOps.exif_transpose(image).save(turned, FORMATS[media_type], quality=AGAIN_QUALITY)
    return turned.getvalue()
