"""Shoot a scene: choose it, render frame after frame, finish each to 8 bits."""

import math
from collections.abc import Callable, Iterator
from typing import Protocol

import cv2
import numpy as np

from portico.providers.local.drawing.camera_move import Pose, pose
from portico.providers.local.drawing.city import City
from portico.providers.local.drawing.forest import Forest
from portico.providers.local.drawing.frame import Plane
from portico.providers.local.drawing.landscape import Landscape
from portico.providers.local.drawing.light import choose_light
from portico.providers.local.drawing.pixels import (
    Bytes,
    Image,
    blurred,
    scaled,
    shrunk,
    to_bytes,
    to_floats,
)
from portico.providers.local.drawing.prompt import Spec
from portico.providers.local.drawing.seascape import Seascape
from portico.providers.local.drawing.space import Space
from portico.providers.local.drawing.weather import Falling, Lightning

_FRAME_PIXELS_MAX = 1_250_000  # what one frame may cost: 1440p is rendered like 1080p
_STILL_PIXELS_MAX = 2_400_000
_STILL_S = 1.0  # the moment at which a still is taken


class Scene(Protocol):
    """What every kind of scene can do."""

    def paint(self, pose: Pose, time_s: float) -> Image:
        """Return one frame of the scene."""


def shoot(
    spec: Spec, width: int, height: int, *, frames: int, fps: int, scale: float
) -> Iterator[Bytes]:
    """Yield `frames` RGB frames of exactly `width` x `height`.

    They are rendered at `scale` of that size, or smaller where that would be too many pixels.
    """
    scale = min(scale, math.sqrt(_FRAME_PIXELS_MAX / (width * height)))
    inner = _inner(width, scale), _inner(height, scale)
    scene = choose_scene(spec, *inner)
    finish = Finish(spec, *inner)
    seconds = frames / fps
    for index in range(frames):
        moment = index / max(1, frames - 1)
        at = pose(spec.camera, moment, seconds=seconds, seed=spec.seed)
        picture = scene.paint(at, index / fps)
        yield sized(finish.apply(picture, index / fps), width, height)


def shoot_still(spec: Spec, width: int, height: int) -> Bytes:
    """Return one picture of a spec, rendered at its full size up to a bound and enlarged beyond."""
    scale = min(1.0, math.sqrt(_STILL_PIXELS_MAX / (width * height)))
    inner = _inner(width, scale), _inner(height, scale)
    scene = choose_scene(spec, *inner)
    picture = scene.paint(pose(spec.camera, 0.5, seconds=5, seed=spec.seed), _STILL_S)
    return sized(Finish(spec, *inner).apply(picture, _STILL_S), width, height)


def choose_scene(spec: Spec, width: int, height: int) -> Scene:
    """Return the scene of a spec for a frame size."""
    build, horizon = _SCENES[spec.scene]
    return build(spec, Plane(width, height, horizon))


_SCENES: dict[str, tuple[Callable[[Spec, Plane], Scene], float]] = {
    "sea": (Seascape, 0.56),
    "city": (City, 0.60),
    "forest": (Forest, 0.56),
    "space": (Space, 0.50),
    "mountains": (Landscape, 0.50),
    "lake": (Landscape, 0.52),
    "desert": (Landscape, 0.46),
    "meadow": (Landscape, 0.48),
}


class Finish:
    """What happens to every frame after painting: weather, bloom, vignette, dither, 8 bits."""

    def __init__(self, spec: Spec, width: int, height: int) -> None:
        falling = spec.weather in {"rain", "storm", "snow"} and spec.scene != "space"
        light = choose_light(spec)
        self._falling = Falling(spec, light, width, height) if falling else None
        self._lightning = Lightning(spec.seed) if spec.weather == "storm" else None
        self._vignette = _vignette(width, height)
        noise = np.random.default_rng(7).random((height, width, 3), dtype=np.float32)
        self._dither = (noise - np.float32(0.5)) / np.float32(255) * np.float32(1.6)
        self._bloom_from = 0.62 if spec.time == "night" else 0.80

    def apply(self, picture: Image, time_s: float) -> Bytes:
        """Return the finished 8-bit RGB frame."""
        if self._lightning is not None:
            self._lightning.paint(picture, time_s)
        if self._falling is not None:
            self._falling.paint(picture, time_s)
        self._add_bloom(picture)
        cv2.multiply(picture, self._vignette, dst=picture)
        cv2.add(picture, self._dither, dst=picture)
        return to_bytes(picture)

    def fall_over(self, frame: Bytes, time_s: float) -> Bytes:
        """Return a finished frame with only the falling weather laid over it."""
        picture = to_floats(frame)
        if self._falling is not None:
            self._falling.paint(picture, time_s)
        return to_bytes(picture)

    def _add_bloom(self, picture: Image) -> None:
        height, width = picture.shape[:2]
        small = shrunk(picture, max(2, width // 8), max(2, height // 8))
        bright = np.clip(small - np.float32(self._bloom_from), 0, 1.5)
        if float(bright.max()) <= 0:
            return
        glow = blurred(bright, max(1.0, width / 8 * 0.03))
        picture += scaled(glow, width, height) * np.float32(0.55)


def sized(frame: Bytes, width: int, height: int) -> Bytes:
    """Return a frame at its exact size."""
    if frame.shape[1] == width and frame.shape[0] == height:
        return frame
    out = cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(out, np.uint8)


def _inner(length: int, scale: float) -> int:
    return max(16, round(length * scale / 2) * 2)


def _vignette(width: int, height: int) -> Image:
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    fall = np.clip(x * x * 0.6 + y * y * 0.6, 0, 1.2) ** 1.5
    return np.repeat((1 - 0.13 * fall)[..., None], 3, axis=2).astype(np.float32)
