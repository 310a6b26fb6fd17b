"""Draw the small things a scene may hold: a boat, birds, balloons."""

# ruff: noqa: PLR2004 - a picture is made of proportions

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
    Point,
    blurred,
    colour,
    overlay,
    sample,
    shrunk,
    to_floats,
)

_OVER = 4  # sprites are drawn this many times larger and averaged down


class Boat:
    """A small sailing boat that rocks on the water, with its broken reflection."""

    def __init__(self, plane: Plane, light: Light, seed: int) -> None:
        draw = stream(seed, "boat")
        self._plane = plane
        self._side = float(draw.uniform(-0.24, 0.24))
        self._distance_m = float(draw.uniform(52, 70))
        self._phase = float(draw.uniform(0, 6.28))
        height = max(12, round(plane.focal * 11.0 / self._distance_m))
        self._sprite = _boat_picture(height, light, flip=bool(draw.random() < 0.5))

    def paint(self, picture: Image, pose: Pose, time_s: float, *, camera_m: float) -> None:
        """Lay the reflection, then the boat, over the water."""
        plane = self._plane
        distance = self._distance_m * (1 - 0.30 * pose.forward)
        grow = self._distance_m / distance
        roll = 2.2 * math.sin(time_s * 1.3 + self._phase) + math.sin(time_s * 2.1)
        heave = 0.10 * math.sin(time_s * 1.1 + self._phase)
        sprite = _turned(self._sprite, roll, grow)
        x = (self._side + 0.004 * time_s - pose.yaw) * plane.focal + plane.width / 2
        y = plane.horizon_row(pose) + (camera_m - heave) * plane.focal / distance
        left = round(x - sprite.shape[1] / 2)
        top = round(y - sprite.shape[0] * 0.955)
        overlay(picture, _reflected(sprite, time_s), left, round(y) - 1)
        overlay(picture, sprite, left, top)


class Birds:
    """A loose flock that flaps across the sky."""

    def __init__(self, plane: Plane, light: Light, seed: int) -> None:
        draw = stream(seed, "birds")
        count = int(draw.integers(6, 12))
        self._plane = plane
        self._start = np.column_stack(
            [
                draw.normal(0, 0.16, count),
                draw.normal(0, 0.045, count),
                draw.uniform(0.6, 1.4, count),
            ]
        )
        self._phase = draw.uniform(0, 6.28, count)
        self._origin = float(draw.uniform(-0.35, -0.05)), float(draw.uniform(0.16, 0.24))
        dark = (colour(light.cloud_shade) * 0.22).tolist()
        self._tone: RGB = (dark[0], dark[1], dark[2])

    def paint(self, picture: Image, pose: Pose, time_s: float) -> None:
        """Draw every bird as two curved wings."""
        plane = self._plane
        horizon = plane.horizon_row(pose)
        for (dx, dy, size), phase in zip(self._start, self._phase, strict=True):
            x = (self._origin[0] + dx + 0.030 * time_s - pose.yaw) * plane.focal + plane.width / 2
            y = horizon - (self._origin[1] + dy + 0.006 * math.sin(time_s + phase)) * plane.focal
            span = plane.focal * 0.0135 * size
            lift = math.sin(time_s * (6.0 + size) + phase) * 0.55 + 0.12
            _bird(picture, (x, y), span, lift, self._tone)


class Balloons:
    """Hot-air balloons that drift up slowly."""

    def __init__(self, plane: Plane, light: Light, seed: int) -> None:
        draw = stream(seed, "balloons")
        self._plane = plane
        self._list = []
        for index in range(3):
            size = max(10, round(plane.focal * (0.17, 0.085, 0.055)[index]))
            hue = float(draw.random())
            place = float(draw.uniform(-0.4, 0.4)), float((0.17, 0.26, 0.12)[index])
            self._list.append((_balloon_picture(size, hue, light), place))

    def paint(self, picture: Image, pose: Pose, time_s: float) -> None:
        """Lay every balloon over the sky."""
        plane = self._plane
        for index, (sprite, (side, up)) in enumerate(self._list):
            drift = 0.004 * time_s * (1 + index * 0.3)
            x = (side + drift - pose.yaw) * plane.focal + plane.width / 2
            y = plane.horizon_row(pose) - (up + drift * 0.7) * plane.focal
            moved = _shifted(sprite, x - math.floor(x), y - math.floor(y))
            overlay(picture, moved, math.floor(x) - sprite.shape[1] // 2,
                    math.floor(y) - sprite.shape[0] // 2)  # fmt: skip


def premultiplied(rgba: Bytes, width: int, height: int) -> Image:
    """Return a drawn 8-bit RGBA canvas as a premultiplied float layer of the given size."""
    layer = rgba.astype(np.float32) / np.float32(255)
    layer[..., :3] *= layer[..., 3:]
    return shrunk(layer, width, height)


def _boat_picture(height: int, light: Light, *, flip: bool) -> Image:
    h = height * _OVER
    w = round(h * 0.86)
    canvas = np.zeros((h, w, 4), np.uint8)
    bright = colour(light.ambient) + colour(light.direct) * np.float32(0.7)
    sail = np.clip(bright * np.array([1.0, 0.97, 0.9], np.float32), 0, 1)
    _polygon(canvas, [(0.50, 0.03), (0.515, 0.80), (0.90, 0.775)], sail)
    _polygon(canvas, [(0.485, 0.09), (0.475, 0.80), (0.16, 0.80)], sail * 0.80)
    _polygon(canvas, [(0.50, 0.03), (0.515, 0.80), (0.60, 0.79)], sail * 0.88)
    _polygon(canvas, [(0.488, 0.02), (0.505, 0.02), (0.505, 0.88), (0.488, 0.88)], sail * 0.35)
    hull = [(0.10, 0.855), (0.93, 0.835), (0.83, 0.965), (0.20, 0.965)]
    _polygon(canvas, hull, bright * np.array([0.30, 0.16, 0.11], np.float32) + 0.01)
    _polygon(canvas, [(0.10, 0.855), (0.93, 0.835), (0.925, 0.858), (0.115, 0.878)], sail * 0.8)
    _polygon(canvas, [(0.34, 0.83), (0.60, 0.82), (0.64, 0.86), (0.32, 0.87)], sail * 0.45)
    drawn = premultiplied(canvas, max(2, w // _OVER), height)
    return np.ascontiguousarray(drawn[:, ::-1]) if flip else drawn


def _polygon(canvas: Bytes, points: list[tuple[float, float]], tone: Image) -> None:
    size = np.array([canvas.shape[1], canvas.shape[0]])
    rgb = np.clip(tone, 0, 1) * 255
    corners = (np.array(points) * size).round().astype(np.int32)
    cv2.fillPoly(canvas, [corners], (float(rgb[0]), float(rgb[1]), float(rgb[2]), 255.0))


def _turned(sprite: Image, degrees: float, scale: float) -> Image:
    """Return a sprite turned about its keel and enlarged."""
    h, w = sprite.shape[:2]
    wide, high = math.ceil(w * scale) + 8, math.ceil(h * scale) + 4
    turn = cv2.getRotationMatrix2D((w / 2, h * 0.95), degrees, scale)
    turn[0, 2] += wide / 2 - w / 2
    turn[1, 2] += high * 0.955 - h * 0.95
    out = cv2.warpAffine(sprite, turn, (wide, high), flags=cv2.INTER_LINEAR)
    return np.asarray(out, np.float32)


def _shifted(sprite: Image, dx: float, dy: float) -> Image:
    h, w = sprite.shape[:2]
    move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    return np.asarray(cv2.warpAffine(sprite, move, (w + 1, h + 1)), np.float32)


def _reflected(sprite: Image, time_s: float) -> Image:
    """Return the mirror image, broken into wobbling strips and fading away."""
    flipped = np.ascontiguousarray(sprite[::-1])
    h, w = flipped.shape[:2]
    rows = np.arange(h, dtype=np.float32)
    wave = np.sin(rows * (34.0 / h) + time_s * 3.1) + 0.7 * np.sin(rows * (77.0 / h) - time_s * 4.3)
    u = np.arange(w, dtype=np.float32)[None, :] + (wave * (0.006 * h) * (0.3 + rows / h))[:, None]
    v = np.broadcast_to(rows[:, None] * np.float32(1.15), (h, w))
    out = sample(flipped, u.astype(np.float32), v.astype(np.float32), wrap=False)
    fade = (0.55 * (1 - rows / h) ** 1.3).astype(np.float32)
    return blurred(out * fade[:, None, None], max(0.6, h * 0.006))


def _bird(picture: Image, at: Point, span: float, lift: float, tone: RGB) -> None:
    """Draw two bent wings, smooth at any size; a bird partly outside the frame is left out."""
    high, wide = math.ceil(span * 1.2) + 3, math.ceil(span) + 3
    left, top = math.floor(at[0]) - wide, math.floor(at[1]) - high
    if left < 0 or top < 0:
        return
    part = picture[top : top + 2 * high, left : left + 2 * wide]
    if part.shape[:2] != (2 * high, 2 * wide):
        return
    bend = np.array([-1.0, -0.55, 0.0, 0.55, 1.0])
    rise = np.array([lift, lift * 0.75 + 0.18, 0.0, lift * 0.75 + 0.18, lift])
    points = np.column_stack([at[0] - left + bend * span, at[1] - top - rise * span]) * _OVER
    mask = np.zeros((2 * high * _OVER, 2 * wide * _OVER), np.uint8)
    fixed = [(points * 16).round().astype(np.int32)]
    thick = max(2, round(span * 0.11 * _OVER))
    cv2.polylines(mask, fixed, False, 255.0, thick, cv2.LINE_AA, 4)  # noqa: FBT003 - OpenCV's
    weight = shrunk(to_floats(mask), 2 * wide, 2 * high)[..., None]
    part += (colour(tone) - part) * weight


def _balloon_picture(size: int, hue: float, light: Light) -> Image:
    side = size * 2
    ys, xs = np.mgrid[0:side, 0:side].astype(np.float32) / side
    cx, cy, radius = 0.5, 0.36, 0.32
    taper = np.where(ys > cy, np.clip(1 - (np.maximum(ys - cy, 0) / 0.46) ** 1.6, 0, 1) ** 0.6, 1)
    dx = (xs - cx) / (radius * np.maximum(taper, 0.02))
    dy = np.where(ys > cy, 0, (ys - cy) / radius)
    inside = dx * dx + dy * dy
    body = np.clip((1 - inside) * side * 0.12, 0, 1) * (ys < cy + 0.40)
    angle = np.arcsin(np.clip(dx, -1, 1))
    stripe = (np.floor(angle * 3.82 + 20) % 2)[..., None]
    first, second = _hue(hue), _hue(hue + 0.12)
    rgb = first * stripe + second * (1 - stripe)
    toward = 1.0 if light.sun_side > 0 else -1.0
    shade = np.clip(0.55 + 0.45 * (toward * np.clip(dx, -1, 1) * 0.7 - dy * 0.4), 0.2, 1)
    tone = colour(light.ambient) + colour(light.direct) * shade[..., None]
    basket = (abs(xs - cx) < 0.04) & (ys > 0.86) & (ys < 0.93)
    ropes = (abs(abs(xs - cx) - 0.035) < 0.004) & (ys > 0.74) & (ys < 0.87)
    alpha = np.maximum(body, (basket | ropes).astype(np.float32))
    rgb = np.where((basket | ropes)[..., None], np.array([0.30, 0.20, 0.12]), rgb) * tone
    out = np.dstack([np.clip(rgb, 0, 1) * alpha[..., None], alpha]).astype(np.float32)
    return shrunk(np.ascontiguousarray(out), size, size)


def _hue(turn: float) -> Image:
    """Return a clear, warm-leaning colour for a hue of 0 to 1."""
    phase = 2 * math.pi * (turn + np.array([0.0, 0.36, 0.66]))
    return (0.52 + 0.42 * np.cos(phase)).astype(np.float32)
