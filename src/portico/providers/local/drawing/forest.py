"""Compose a conifer forest: rows of trees with mist between them, and slanting light."""

# ruff: noqa: PLR2004 - a picture is made of proportions

import math

import numpy as np

from portico.providers.local.drawing.camera_move import Pose
from portico.providers.local.drawing.frame import Plane
from portico.providers.local.drawing.light import Light, choose_light
from portico.providers.local.drawing.noise import field, stream
from portico.providers.local.drawing.pixels import (
    Bytes,
    Image,
    add_light,
    blurred,
    colour,
    overlay,
    sample,
    scaled,
    shrunk,
    stretched,
    to_bytes,
    to_floats,
    toward,
)
from portico.providers.local.drawing.prompt import Spec
from portico.providers.local.drawing.sky import Sky
from portico.providers.local.drawing.subjects import Birds

_SPAN = 1.15  # radians of forest to either side
_DEPTHS = (0.10, 0.16, 0.26, 0.42, 0.68, 1.0)  # nearness of each row
_MISTY = (1, 2, 3)  # rows of trees behind which mist drifts
_COUNTS = (120, 84, 56, 36, 20, 9)
_TREE_HEIGHT = 384


class Forest:
    """Conifers on a rolling floor, paler with distance."""

    def __init__(self, spec: Spec, plane: Plane) -> None:
        self._plane = plane
        self._light = choose_light(spec)
        self._snow = spec.weather == "snow"
        self._sky = Sky(plane, self._light, spec.seed)
        self._air = _air(self._light, spec)
        trees = [_tree(spec.seed, index, self._light, snow=self._snow) for index in range(7)]
        self._rows = [
            _cropped(_row_layer(index, trees, spec, plane, self._light, self._air), plane, index)
            for index in range(len(_DEPTHS))
        ]
        self._mist = field(spec.seed, "mist", 256, slope=1.8, low=1, stretch=3.0)
        self._rays = _rays(spec, self._light)
        self._birds = Birds(plane, self._light, spec.seed) if "birds" in spec.subjects else None
        self._foggy = 1.0 if spec.weather in {"fog", "rain"} else 0.5
        self._last: tuple[Pose, list[tuple[Image, int]]] | None = None

    def paint(self, pose: Pose, time_s: float) -> Image:
        """Return one frame."""
        picture = self._sky.paint(pose, time_s)
        if self._birds is not None:
            self._birds.paint(picture, pose, time_s)
        for index, (layer, top) in enumerate(self._seen(pose)):
            overlay(picture, layer, 0, top)
            if index in _MISTY:
                self._add_mist(picture, pose, index, time_s)
        if self._rays is not None:
            self._add_rays(picture, self._rays, pose, time_s)
        return picture

    def _seen(self, pose: Pose) -> list[tuple[Image, int]]:
        """Return the rows as this pose sees them; kept while the camera stands still."""
        if self._last is not None and self._last[0] == pose:
            return self._last[1]
        self._last = None
        rows = [self._row_seen(pose, index) for index in range(len(_DEPTHS))]
        self._last = pose, rows
        return rows

    def _row_seen(self, pose: Pose, index: int) -> tuple[Image, int]:
        """Return the part of one row that nearer floors leave to be seen, and its top."""
        plane, near = self._plane, _DEPTHS[index]
        layer, above = self._rows[index]
        scale = 1 / (1 - 0.30 * pose.forward * near)
        x = layer.shape[1] / 2 + (pose.yaw + 0.10 * pose.side * near) * plane.focal
        y = plane.height / 2 - (pose.pitch + 0.05 * pose.rise * (1 - near)) * plane.focal
        top = max(0, math.floor((above - y) * scale + plane.height / 2))
        last = (above + layer.shape[0] - y) * scale + plane.height / 2
        count = max(1, min(plane.height, math.ceil(last)) - top)
        middle = (top + count / 2 - plane.height / 2) / scale + y - above
        return to_floats(stretched(layer, scale, (x, middle), (plane.width, count))), top

    def _add_rays(self, picture: Image, rays: Image, pose: Pose, time_s: float) -> None:
        plane = self._plane
        wide, high = max(2, plane.width // 4), max(2, plane.height // 4)
        u = np.linspace(0, rays.shape[1] - 1, wide, dtype=np.float32) + pose.yaw * 200
        v = np.linspace(0, rays.shape[0] - 1, high, dtype=np.float32)
        grid_u, grid_v = np.meshgrid(u, v)
        breath = np.float32(0.85 + 0.15 * math.sin(time_s * 0.7))
        beams = scaled(sample(rays, grid_u, grid_v, wrap=False), plane.width, plane.height)
        add_light(picture, beams * breath, self._light.sun)

    def _add_mist(self, picture: Image, pose: Pose, index: int, time_s: float) -> None:
        """Lay drifting mist low between two rows of trees."""
        plane, near = self._plane, _DEPTHS[index]
        wide, high = max(2, plane.width // 8), max(2, plane.height // 8)
        x = (np.arange(wide, dtype=np.float32) / wide - 0.5) * plane.width / plane.focal
        u = (x + pose.yaw) * 120 / (near + 0.5) + time_s * 2.2 * (near + 0.3) + index * 77
        v = np.linspace(0, 60, high, dtype=np.float32)[:, None] + index * 31
        grid = np.broadcast_to(u[None, :], (high, wide)).astype(np.float32)
        cloud = sample(self._mist, grid, (v + 0 * grid).astype(np.float32))
        floor = _floor_row(plane, near) + math.tan(pose.pitch) * plane.focal
        rows = (np.arange(high, dtype=np.float32) + 0.5) * 8
        low = np.exp(-np.square((rows - floor) / (plane.focal * 0.14)))[:, None]
        weight = np.clip(0.42 + 0.22 * cloud, 0, 1) * low * (1 - near) * self._foggy
        toward(picture, scaled(weight.astype(np.float32), plane.width, plane.height), self._air)


def _air(light: Light, spec: Spec) -> tuple[float, float, float]:
    if spec.time == "night":
        return (0.075, 0.11, 0.18)
    mixed = colour(light.horizon) * 0.85 + colour(light.ambient) * 0.1
    red, green, blue = (float(part) for part in np.clip(mixed, 0, 0.92))
    return red, green, blue


def _floor_row(plane: Plane, near: float) -> float:
    """Return the row of the forest floor under the trees of one row."""
    return plane.height * plane.horizon + plane.focal * (0.02 + 0.30 * math.pow(near, 1.5))


def _row_layer(
    index: int, trees: list[Image], spec: Spec, plane: Plane, light: Light,
    air: tuple[float, float, float],
) -> Image:  # fmt: skip
    """Return one row of trees and its floor as a premultiplied layer."""
    draw = stream(spec.seed, f"trees {index}")
    near = _DEPTHS[index]
    width = round(2 * _SPAN * plane.focal)
    layer = np.zeros((plane.height, width, 4), np.float32)
    veil = math.exp(-near * 3.2 / min(light.haze, 2.5) ** 0.4) * 0.93
    _lay_floor(layer, index, spec, plane, light, (veil, air))
    count = _COUNTS[index]
    places = draw.uniform(-_SPAN, _SPAN, count)
    if index == len(_DEPTHS) - 1:  # the nearest stand aside, so that the view stays open
        places = np.sign(places) * (0.26 + np.abs(places) * 0.75)
    kinds = draw.integers(0, len(trees), count)
    sizes = draw.uniform(0.7, 1.25, count)
    line = _floor_line(index, spec, width, plane)
    for place, kind, size in zip(places, kinds, sizes, strict=True):
        tall = max(6, round(plane.focal * (0.17 + 0.62 * near) * size))
        picture = trees[kind]
        wide = max(3, round(picture.shape[1] * tall / picture.shape[0]))
        small = shrunk(picture, wide, tall) if tall < _TREE_HEIGHT else scaled(picture, wide, tall)
        hazy = small.copy()
        hazy[..., :3] = small[..., :3] * (1 - veil) + colour(air) * veil * small[..., 3:]
        x = round((place + _SPAN) * plane.focal)
        foot = line[min(max(x, 0), width - 1)] + 0.01 * plane.focal * near
        _lay_tree(layer, hazy, x - wide // 2, round(foot) - tall)
    return layer


def _cropped(layer: Image, plane: Plane, index: int) -> tuple[Bytes, int]:
    """Return the rows of a layer that can be seen, as bytes for memory, and their first."""
    first = int(np.flatnonzero(layer[..., 3].any(axis=1))[0])
    last = layer.shape[0]
    if index + 1 < len(_DEPTHS):
        last = min(last, math.ceil(_floor_row(plane, _DEPTHS[index + 1]) + 0.12 * plane.focal))
    return to_bytes(np.ascontiguousarray(layer[first:last])), first


def _lay_tree(layer: Image, tree: Image, left: int, top: int) -> None:
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + tree.shape[1], layer.shape[1]), min(top + tree.shape[0], layer.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    part = tree[y0 - top : y1 - top, x0 - left : x1 - left]
    under = layer[y0:y1, x0:x1]
    under *= 1 - part[..., 3:]
    under += part


def _floor_line(index: int, spec: Spec, width: int, plane: Plane) -> Image:
    x = np.linspace(-_SPAN, _SPAN, width)
    draw = stream(spec.seed, f"floor {index}")
    near = _DEPTHS[index]
    line = sum(np.sin(x * k + draw.uniform(0, 6.28)) / k for k in (3.0, 5.3, 9.1, 17.0))
    rough = np.asarray(line, np.float32) * plane.focal * (0.02 + 0.03 * near)
    return np.asarray(_floor_row(plane, near) + rough, np.float32)


def _lay_floor(
    layer: Image, index: int, spec: Spec, plane: Plane, light: Light,
    veiled: tuple[float, tuple[float, float, float]],
) -> None:  # fmt: skip
    veil, air = veiled
    height, width = layer.shape[:2]
    line = _floor_line(index, spec, width, plane)
    rows = np.arange(height, dtype=np.float32)[:, None]
    cover = np.clip(rows - line[None, :] + 0.5, 0, 1)
    near = _DEPTHS[index]
    grain = field(spec.seed, f"moss {index}", 256, slope=0.8, low=2)
    scale = 256 / plane.focal / (0.25 + 0.5 * near)
    u = np.broadcast_to(np.arange(width, dtype=np.float32)[None, :] * scale, cover.shape)
    v = np.broadcast_to(rows * scale * 2.6, cover.shape)
    patch = sample(grain, u.astype(np.float32), v.astype(np.float32))
    moss = colour((0.74, 0.77, 0.82)) if spec.weather == "snow" else colour((0.13, 0.15, 0.055))
    lift = 1 + 0.22 * patch
    tone = moss * (colour(light.ambient) * 0.8 + colour(light.direct) * 0.45) * lift[..., None]
    tone = tone * (1 - veil) + colour(air) * veil
    layer[..., :3] = np.clip(tone, 0, 1) * cover[..., None]
    layer[..., 3] = cover


def _tree(seed: int, index: int, light: Light, *, snow: bool) -> Image:
    """Return one conifer as a premultiplied layer, lit from the sun's side."""
    draw = stream(seed, f"conifer {index}")
    high, wide = _TREE_HEIGHT, 190
    y = np.arange(high, dtype=np.float32) / high
    tiers = float(draw.uniform(12, 18))
    slim = float(draw.uniform(0.50, 0.85))
    phase = (y**0.9 * tiers) % 1.0
    body = np.clip((y - 0.015) / 0.90, 0, 1) ** 0.85
    body = np.where(y > 0.92, 0, body)
    noise = draw.standard_normal((2, high)).astype(np.float32)
    kernel = np.ones(3, np.float32) / 3
    ragged = np.stack([np.convolve(n, kernel, mode="same") for n in noise]) * 0.16
    reach = body * slim * wide * 0.5 * (0.50 + 0.50 * phase)
    left, right = reach * (1 + ragged[0]), reach * (1 + ragged[1])
    x = np.arange(wide, dtype=np.float32)[None, :] - wide / 2
    cover = np.clip(np.minimum(x + left[:, None], right[:, None] - x) + 0.5, 0, 1)
    speck = draw.standard_normal((high, wide)).astype(np.float32)
    holes = blurred(speck, 1.3)
    cover *= np.clip(
        1.15 - np.maximum(holes * 2.2 - 0.35 + np.abs(x) / (reach[:, None] + 1) * 0.5, 0), 0, 1
    )
    trunk = (np.abs(x) < wide * 0.018) & (y[:, None] > 0.1)
    side = 1.0 if light.sun_side > 0 else -1.0
    bright = 0.48 + 0.34 * np.clip(side * x / (reach[:, None] + 4), -1, 1) + 0.16 * phase[:, None]
    bright = np.clip(bright + blurred(speck, 0.8) * 0.22, 0.12, 1.2)
    green = colour((0.085, 0.16, 0.065)) * (1 + 0.2 * float(draw.uniform(-1, 1)))
    lamp = colour(light.ambient) * 0.9 + colour(light.direct) * bright[..., None] * 0.95
    tone = green * lamp
    if snow:
        white = np.clip(phase[:, None] * 0.9 - 0.45 + holes * 2.4, 0, 0.9)[..., None]
        tone = tone + (colour((0.85, 0.88, 0.93)) * (colour(light.ambient) + 0.4) - tone) * white
    bark = colour((0.13, 0.09, 0.065)) * lamp
    tone = np.where((trunk & (cover < 0.5))[..., None], bark, tone)
    alpha = np.maximum(cover, trunk)[..., None]
    return np.ascontiguousarray(np.dstack([np.clip(tone, 0, 1) * alpha, alpha]), np.float32)


def _rays(spec: Spec, light: Light) -> Image | None:
    """Return slanting beams of light, a quarter of a thousand pixels wide; None without sun."""
    if light.disc <= 0 or light.is_moon:
        return None
    wide, high = 256, 144
    x = np.arange(wide, dtype=np.float32)[None, :] / wide - 0.5
    y = np.arange(high, dtype=np.float32)[:, None] / high
    angle = np.arctan2(x - light.sun_side * 0.9, y + 0.35)
    draw = stream(spec.seed, "rays")
    beams = sum(
        np.sin(angle * k + draw.uniform(0, 6.28)) / k**0.4 for k in (17.0, 29.0, 47.0, 83.0)
    )
    strength = {"dawn": 0.34, "sunset": 0.30}.get(spec.time, 0.22)
    fade = np.exp(-np.square(y - 0.25) * 4) * np.exp(-np.square(angle) * 0.9)
    return np.asarray(np.clip(np.asarray(beams), 0, 2) * fade * strength, np.float32)
