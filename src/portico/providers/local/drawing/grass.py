"""Draw the blades and flowers right before the camera, swaying in the wind."""

import math

import cv2
import numpy as np

from portico.providers.local.drawing.camera_move import Pose
from portico.providers.local.drawing.frame import Plane
from portico.providers.local.drawing.light import Light
from portico.providers.local.drawing.noise import stream
from portico.providers.local.drawing.pixels import (
    RGB,
    Bytes,
    Image,
    colour,
    overlay,
    planes,
    sample,
)
from portico.providers.local.drawing.prompt import Spec
from portico.providers.local.drawing.subjects import premultiplied

_SPAN = 2.3  # radians a strip covers
_OVER = 3
_STRIPS = ((0.060, 1500, 0.9, 0.35), (0.105, 900, 1.3, 0.62), (0.185, 420, 2.0, 1.0))
_PETALS = ((0.90, 0.16, 0.12), (0.95, 0.80, 0.20), (0.93, 0.93, 0.96), (0.62, 0.36, 0.85))


class Grass:
    """Three strips of grass, the nearest tallest; with flowers where the prompt asks for them."""

    def __init__(self, spec: Spec, plane: Plane, light: Light) -> None:
        self._plane = plane
        self._strips = [_strip(index, spec, plane.focal, light) for index in range(len(_STRIPS))]
        self._windy = 2.4 if spec.weather in {"storm", "rain"} else 1.0

    def paint(self, picture: Image, pose: Pose, time_s: float) -> None:
        """Lay the strips along the lower edge, far to near, each bent by the wind."""
        plane = self._plane
        for strip, (_, _, _, near) in zip(self._strips, _STRIPS, strict=True):
            grow = 1 + 0.35 * pose.forward * near
            high = strip.shape[0]
            foot = plane.height + high * (0.30 - 0.62 * (1 - near)) - plane.focal * 0.02
            foot += plane.focal * (math.tan(pose.pitch) + 0.22 * pose.rise * near)
            top = round(foot - high)
            if top >= plane.height:
                continue
            x = (np.arange(plane.width, dtype=np.float32) - plane.width / 2) / grow
            x += (pose.yaw + 0.25 * pose.side * near) * plane.focal + strip.shape[1] / 2
            rows = np.arange(high, dtype=np.float32)
            bend = np.square(1 - rows / high)[:, None] * plane.focal * 0.011 * near * self._windy
            gust = np.sin(x / plane.focal * 9 + time_s * 1.7) + 0.5 * np.sin(
                x / plane.focal * 31 - time_s * 2.9
            )
            u = x[None, :] + bend * gust[None, :]
            v = np.broadcast_to(rows[:, None], u.shape)
            overlay(picture, sample(strip, u, v, wrap=False), 0, top)


def _strip(index: int, spec: Spec, focal: float, light: Light) -> Image:
    share, count, thick, near = _STRIPS[index]
    high, wide = max(6, round(share * focal)), round(_SPAN * focal)
    canvas = np.zeros((high * _OVER, wide * _OVER, 4), np.uint8)
    draw = stream(spec.seed, f"grass {index}")
    lamp = colour(light.ambient) + colour(light.direct) * np.float32(0.5)
    values = draw.random((count, 6))
    order = np.argsort(-values[:, 1])  # tall ones behind
    for row in values[order]:
        _blade(canvas, row, thick * focal / 900, lamp)
    if "flowers" in spec.subjects:
        for row in draw.random((count // 7, 6)):
            _flower(canvas, row, focal * 0.0045 * (0.35 + near), lamp)
    layer = premultiplied(canvas, wide, high)
    fade = np.clip((high - np.arange(high, dtype=np.float32)) / (high * 0.28), 0, 1)
    red, green, blue, alpha = planes(layer)
    soft = fade[:, None]
    return np.ascontiguousarray(np.dstack([red * soft, green * soft, blue * soft, alpha * soft]))


def _blade(canvas: Bytes, row: Image, thick: float, lamp: Image) -> None:
    high, wide = canvas.shape[:2]
    foot = float(row[0]) * wide
    tall = high * (0.35 + 0.62 * float(row[1]) ** 1.5)
    lean = (float(row[2]) - 0.5) * tall * 0.7
    half = thick * _OVER * (0.5 + 0.5 * float(row[3]))
    points = np.array(
        [
            (foot - half, high),
            (foot + lean * 0.3 - half * 0.7, high - tall * 0.55),
            (foot + lean, high - tall),
            (foot + lean * 0.3 + half * 0.7, high - tall * 0.55),
            (foot + half, high),
        ]
    )
    green = np.array([0.20 + 0.20 * row[4], 0.30 + 0.12 * row[5], 0.06], np.float32)
    _fill(canvas, points, green * lamp * np.float32(0.75 + 0.5 * row[3]))


def _flower(canvas: Bytes, row: Image, size: float, lamp: Image) -> None:
    high, wide = canvas.shape[:2]
    x, y = float(row[0]) * wide, high * (0.06 + 0.55 * float(row[1]))
    radius = max(1.2, size * _OVER * (0.6 + 0.6 * float(row[2])))
    _fill(canvas, np.array([(x - 1, y), (x + 1, y), (x + 2, high), (x, high)]),
          colour((0.16, 0.26, 0.07)) * lamp)  # fmt: skip
    petal = colour(_PETALS[int(float(row[3]) * 3.99)]) * np.clip(lamp * 1.15, 0, 1)
    centre = round(x * 16), round(y * 16)
    axes = round(radius * 16), round(radius * 0.72 * 16)
    cv2.ellipse(canvas, centre, axes, 0, 0, 360, _paint(petal), -1, cv2.LINE_AA, 4)
    inner = round(radius * 5), round(radius * 4)
    cv2.ellipse(canvas, centre, inner, 0, 0, 360, _paint(petal * 0.45), -1, cv2.LINE_AA, 4)


def _fill(canvas: Bytes, points: Image, tone: Image) -> None:
    fixed = (points * 16).round().astype(np.int32)
    cv2.fillPoly(canvas, [fixed], _paint(tone), cv2.LINE_AA, 4)


def _paint(tone: Image) -> tuple[float, float, float, float]:
    rgb: RGB = tuple(np.clip(tone * 255, 0, 255).tolist())
    return (*rgb, 255.0)
