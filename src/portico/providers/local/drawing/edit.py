"""Change a picture's mood by the words of a prompt: tone and colour only, never its content."""

from collections.abc import Callable

import numpy as np

from portico.providers.local.drawing import words
from portico.providers.local.drawing.pixels import Bytes, Image, blurred, to_bytes, to_floats
from portico.providers.local.drawing.prompt import find


def edited(picture: Bytes, prompt: str) -> tuple[Bytes, tuple[str, ...]]:
    """Return the picture in the mood of the prompt, and the moods that were understood."""
    looks = find(prompt, words.LOOKS)
    out = to_floats(picture)
    for look in looks:
        out = _LOOKS[look](out)
    return to_bytes(np.clip(out, 0, 1)), looks


def _grey(picture: Image) -> Image:
    return (picture @ np.array([0.3, 0.59, 0.11], np.float32))[..., None]


def _warm(picture: Image) -> Image:
    return picture * np.array([1.10, 1.01, 0.84], np.float32) + np.float32(0.012)


def _cold(picture: Image) -> Image:
    return picture * np.array([0.84, 0.98, 1.12], np.float32)


def _mono(picture: Image) -> Image:
    return np.repeat(_grey(picture), 3, axis=2)


def _sepia(picture: Image) -> Image:
    return _grey(picture) * np.array([1.07, 0.88, 0.68], np.float32) + np.float32(0.02)


def _vivid(picture: Image) -> Image:
    grey = _grey(picture)
    return grey + (picture - grey) * np.float32(1.45)


def _soft(picture: Image) -> Image:
    glow = blurred(picture, max(1.0, picture.shape[1] / 90))
    return 1 - (1 - picture * np.float32(0.86)) * (1 - glow * np.float32(0.34))


def _dark(picture: Image) -> Image:
    return np.power(np.clip(picture, 0, 1), np.float32(1.45)) * np.array(
        [0.86, 0.92, 1.02], np.float32
    )


def _bright(picture: Image) -> Image:
    return np.power(np.clip(picture, 0, 1), np.float32(0.72))


_LOOKS: dict[str, Callable[[Image], Image]] = {
    "warm": _warm,
    "cold": _cold,
    "mono": _mono,
    "sepia": _sepia,
    "vivid": _vivid,
    "soft": _soft,
    "dark": _dark,
    "bright": _bright,
}
