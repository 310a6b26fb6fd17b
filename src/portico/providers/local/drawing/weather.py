"""Lay rain, snow and lightning over a finished view."""

# ruff: noqa: PLR2004 - a picture is made of proportions

import math

import cv2
import numpy as np

from portico.providers.local.drawing.light import Light
from portico.providers.local.drawing.noise import stream
from portico.providers.local.drawing.pixels import RGB, Image, blurred, colour, sample, toward
from portico.providers.local.drawing.prompt import Spec

_TILE = 512


class Falling:
    """Rain or snow: three tiled sheets at three distances, scrolled at their own speed."""

    def __init__(self, spec: Spec, light: Light, width: int, height: int) -> None:
        self._snow = spec.weather == "snow"
        self._sheet = _snow_sheet(spec.seed) if self._snow else _rain_sheet(spec.seed)
        lit = colour(light.ambient) * 0.8 + colour(light.direct) * 0.5 + 0.12
        tone = np.clip(lit, 0, 0.95 if self._snow else 0.75).tolist()
        self._tone: RGB = (tone[0], tone[1], tone[2])
        side = max(width, height)
        self._x = (np.arange(width, dtype=np.float32) / side)[None, :]
        self._y = (np.arange(height, dtype=np.float32) / side)[:, None]

    def paint(self, picture: Image, time_s: float) -> None:
        """Lay all sheets over the picture, in place."""
        weight = np.zeros(picture.shape[:2], np.float32)
        for index, (scale, speed, share) in enumerate(self._layers()):
            sway = 0.02 * math.sin(time_s * 0.8 + index) if self._snow else -0.16 * time_s * speed
            u = (self._x + sway + 0.37 * index) * scale * _TILE + 0 * self._y
            v = (self._y - speed * time_s) * scale * _TILE + 0 * self._x
            weight += sample(self._sheet, u, v) * np.float32(share)
        np.clip(weight, 0, 0.85, out=weight)
        toward(picture, weight, self._tone)

    def _layers(self) -> tuple[tuple[float, float, float], ...]:
        if self._snow:
            return ((2.6, 0.10, 0.6), (1.6, 0.17, 0.8), (0.9, 0.28, 0.9))
        return ((2.4, 1.0, 0.20), (1.5, 1.5, 0.28), (0.8, 2.2, 0.34))


class Lightning:
    """Flashes of a storm: a few moments that brighten the sky."""

    def __init__(self, seed: int) -> None:
        self._moments = np.cumsum(stream(seed, "lightning").uniform(1.2, 3.4, 16))

    def paint(self, picture: Image, time_s: float) -> None:
        """Brighten the frame around each flash, in place."""
        since = time_s - self._moments
        recent = since[(since >= 0) & (since < 0.5)]
        if recent.size == 0:
            return
        age = float(recent.min())
        power = math.exp(-age * 9) * (0.55 + 0.45 * math.cos(age * 60))
        height = picture.shape[0]
        fade = np.linspace(1.0, 0.35, height, dtype=np.float32)[:, None, None]
        picture *= 1 + np.float32(1.6 * power) * fade
        picture += np.float32(0.07 * power) * fade * np.array([0.8, 0.85, 1.0], np.float32)


def _rain_sheet(seed: int) -> Image:
    draw = stream(seed, "rain")
    sheet = np.zeros((_TILE, _TILE), np.float32)
    for x, y, length, power in zip(
        draw.uniform(0, _TILE, 420), draw.uniform(0, _TILE, 420), draw.uniform(18, 52, 420),
        draw.uniform(0.3, 1.0, 420), strict=True,
    ):  # fmt: skip
        for dx, dy in ((0, 0), (-_TILE, 0), (0, -_TILE)):
            start = round((x + dx) * 16), round((y + dy) * 16)
            end = round((x + dx - length * 0.14) * 16), round((y + dy + length) * 16)
            cv2.line(sheet, start, end, float(power), 1, cv2.LINE_AA, 4)
    return blurred(sheet, 0.6)


def _snow_sheet(seed: int) -> Image:
    draw = stream(seed, "snow")
    sheet = np.zeros((_TILE, _TILE), np.float32)
    for x, y, radius in zip(
        draw.uniform(6, _TILE - 6, 260), draw.uniform(6, _TILE - 6, 260),
        draw.uniform(0.8, 2.4, 260), strict=True,
    ):  # fmt: skip
        cv2.circle(sheet, (round(x * 16), round(y * 16)), round(radius * 16), 1.0, -1,
                   cv2.LINE_AA, 4)  # fmt: skip
    return blurred(sheet, 0.9)
