"""Compose a city: hazy rows of towers beyond a bay that mirrors them."""

# ruff: noqa: PLR2004 - a picture is made of proportions

import math
from dataclasses import dataclass

import numpy as np

from portico.providers.local.drawing.camera_move import Pose
from portico.providers.local.drawing.frame import Plane
from portico.providers.local.drawing.light import Light, choose_light
from portico.providers.local.drawing.noise import stream
from portico.providers.local.drawing.pixels import Image, colour, overlay, stretched
from portico.providers.local.drawing.prompt import Spec
from portico.providers.local.drawing.sky import Sky
from portico.providers.local.drawing.subjects import Birds, Boat
from portico.providers.local.drawing.water import Water

_HALF_TURN = 1.25  # radians of skyline to either side
_CAMERA_M = 5.0


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of towers: how many, how tall (slope above the horizon), how hazy, how near."""

    count: int
    tall: float
    wide: float
    haze: float
    near: float


_ROWS = (
    _Row(80, 0.12, 0.035, 0.72, 0.35),
    _Row(60, 0.165, 0.042, 0.50, 0.5),
    _Row(44, 0.17, 0.052, 0.28, 0.75),
    _Row(40, 0.085, 0.062, 0.10, 1.0),
)


class City:
    """A skyline over water."""

    def __init__(self, spec: Spec, plane: Plane) -> None:
        self._plane = plane
        self._light = choose_light(spec)
        self._sky = Sky(plane, self._light, spec.seed)
        self._rows = [
            _row_layer(row, index, spec, plane, self._light) for index, row in enumerate(_ROWS)
        ]
        rough = {"storm": 0.12, "rain": 0.07}.get(spec.weather, 0.045)
        self._water = Water(
            plane, self._light, spec.seed, camera_m=_CAMERA_M, rough=rough, foam=0.0
        )
        self._boat = Boat(plane, self._light, spec.seed) if "boat" in spec.subjects else None
        self._birds = Birds(plane, self._light, spec.seed) if "birds" in spec.subjects else None
        self._glow = spec.time in {"night", "sunset"}

    def paint(self, pose: Pose, time_s: float) -> Image:
        """Return one frame."""
        plane = self._plane
        picture = self._sky.paint(pose, time_s)
        horizon = plane.horizon_row(pose)
        if self._glow:
            self._add_city_glow(picture, horizon)
        for row, layer in zip(_ROWS, self._rows, strict=True):
            self._lay_row(picture, pose, row, layer)
        camera_m = _CAMERA_M * (1 + 1.2 * pose.rise)
        self._water.camera_m = camera_m
        self._water.paint(picture, pose, time_s, east=pose.side * 20, north=pose.forward * 25)
        if self._boat is not None:
            self._boat.paint(picture, pose, time_s, camera_m=camera_m)
        if self._birds is not None:
            self._birds.paint(picture, pose, time_s)
        return picture

    def _lay_row(self, picture: Image, pose: Pose, row: _Row, layer: Image) -> None:
        plane = self._plane
        scale = 1 + 0.10 * pose.forward * row.near
        shift = (pose.yaw + 0.06 * pose.side * row.near) * plane.focal
        middle = layer.shape[1] / 2 + shift, layer.shape[0] - layer.shape[0] * 0.5
        seen = stretched(layer, scale, middle, (plane.width, math.ceil(layer.shape[0] * scale)))
        overlay(picture, seen, 0, round(plane.horizon_row(pose)) - seen.shape[0] + 1)

    def _add_city_glow(self, picture: Image, horizon: float) -> None:
        rows = np.arange(self._plane.height, dtype=np.float32)
        up = np.abs(horizon - rows) / self._plane.focal
        picture += (np.exp(-up * 9)[:, None, None] * colour((0.20, 0.115, 0.05))).astype(np.float32)


def _row_layer(row: _Row, index: int, spec: Spec, plane: Plane, light: Light) -> Image:
    """Return one row of towers as a premultiplied layer standing on its bottom edge."""
    draw = stream(spec.seed, f"towers {index}")
    focal = plane.focal
    width = round(2 * _HALF_TURN * focal)
    height = max(8, round(row.tall * 2.1 * focal))
    layer = np.zeros((height, width, 4), np.float32)
    places = np.sort(draw.uniform(-_HALF_TURN, _HALF_TURN, row.count))
    order = draw.permutation(row.count)
    sizes = draw.uniform(0.55, 1.35, (row.count, 2))
    kinds = draw.random((row.count, 4))
    for tower in order:
        centre = math.exp(-((places[tower] / 0.5) ** 2))
        tall = row.tall * (0.38 + 0.85 * centre * kinds[tower, 0] + 0.35 * kinds[tower, 1] ** 3)
        box = (
            round((places[tower] + _HALF_TURN - row.wide * sizes[tower, 0] / 2) * focal),
            max(3, round(row.wide * sizes[tower, 0] * focal)),
            min(height - 2, max(4, round(tall * sizes[tower, 1] * focal))),
        )
        _tower(layer, box, (row, spec, light), kinds[tower], stream(spec.seed, f"w{index}.{tower}"))
    return layer


def _tower(
    layer: Image, box: tuple[int, int, int], style: tuple[_Row, Spec, Light], kind: Image,
    draw: np.random.Generator,
) -> None:  # fmt: skip
    left, wide, tall = box
    row, spec, light = style
    face = _facade(wide, tall, style, float(kind[2]), draw)
    tiers = [(0.0, 1.0, 0.0)]
    if kind[3] > 0.55:
        tiers = [(0.0, 1.0, 0.26), (0.17, 0.83, 0.09), (0.32, 0.68, 0.0)]
    elif kind[3] > 0.35:
        tiers = [(0.0, 1.0, 0.12), (0.12, 0.7, 0.0)]
    for start, end, top in tiers:
        _place(layer, face, (left, round(wide * start), round(wide * end), round(tall * top)))
    if kind[3] > 0.72 and tall > 20:
        mast = max(1, round(wide * 0.05))
        x = left + wide // 2
        y1 = layer.shape[0] - tall
        y0 = max(0, y1 - round(tall * 0.16))
        tone = colour(light.ambient) * np.float32(0.5)
        tone = tone + (colour(light.horizon) - tone) * np.float32(row.haze)
        if 0 <= x < layer.shape[1] - mast:
            layer[y0:y1, x : x + mast, :3] = tone
            layer[y0:y1, x : x + mast, 3] = 1
            if spec.time == "night":
                layer[y0 : y0 + max(2, mast), x : x + mast + 1, :3] = (1.0, 0.12, 0.08)


def _place(layer: Image, face: Image, cut: tuple[int, int, int, int]) -> None:
    """Copy the columns of a facade, without its top rows, onto the row's ground line."""
    left, start, end, top = cut
    x0, x1 = max(0, left + start), min(layer.shape[1], left + end)
    if x0 >= x1:
        return
    part = face[top:, x0 - left : x1 - left]
    bottom = layer.shape[0]
    area = layer[bottom - part.shape[0] : bottom, x0:x1]
    area[..., :3] = part
    area[..., 3] = 1


def _facade(
    wide: int, tall: int, style: tuple[_Row, Spec, Light], hue: float, draw: np.random.Generator
) -> Image:
    """Return a tower's picture: two faces, windows in a grid, haze at its foot."""
    row, spec, light = style
    walls = ((0.42, 0.40, 0.38), (0.30, 0.34, 0.40), (0.48, 0.38, 0.31), (0.22, 0.27, 0.33))
    wall = colour(walls[int(hue * 3.99)])
    turn = 1.0 if light.sun_side > 0 else 0.0
    edge = float(draw.uniform(0.55, 0.8))
    x = np.linspace(0, 1, wide, dtype=np.float32)[None, :]
    sunny = np.where(x < edge, 1 - turn * 0.75, 0.25 + turn * 0.75)
    base = wall * (colour(light.ambient) + colour(light.direct) * sunny[..., None] * 0.62)
    face = np.repeat(base, tall, axis=0).astype(np.float32)
    _add_windows(face, (spec, light), edge, draw)
    y = np.linspace(1, 0, tall, dtype=np.float32)[:, None, None]
    veil = np.clip(row.haze * min(light.haze, 1.35) * (0.62 + 0.38 * (1 - y)), 0, 0.93)
    air = colour(light.horizon)
    if spec.time == "night":
        air = air * 0.6 + colour((0.05, 0.035, 0.02))
        veil = veil * 0.75
    return np.asarray(face + (air - face) * veil, np.float32)


def _add_windows(
    face: Image, scene: tuple[Spec, Light], edge: float, draw: np.random.Generator
) -> None:
    spec, light = scene
    tall, wide = face.shape[:2]
    across, down = int(draw.integers(5, 10)), max(4, int(26 * tall / max(wide * 2.2, 8)))
    share = {"night": 0.42, "sunset": 0.22, "dawn": 0.07}.get(spec.time, 0.0)
    lamp = draw.random((down, across)) < share * float(draw.uniform(0.5, 1.4))
    warm = draw.uniform(0.55, 1.0, (down, across))
    cool = bool(draw.random() < 0.3)
    u = np.linspace(0, across, wide, endpoint=False)
    v = np.linspace(0, down, tall, endpoint=False)
    pane = ((u % 1 > 0.22) & (u % 1 < 0.86))[None, :] & ((v % 1 > 0.25) & (v % 1 < 0.80))[:, None]
    cols, rows = u.astype(np.int64)[None, :], v.astype(np.int64)[:, None]
    shine = lamp[rows, cols] & pane
    glass = colour(light.middle) * 0.42 + colour(light.ambient) * 0.12
    bright = np.where(np.linspace(0, 1, wide) < edge, 1.0, 0.75)[None, :, None]
    strength = 0.55 if spec.time != "night" else 0.25
    face[:] = np.where(pane[..., None], face + (glass * bright - face) * strength, face)
    tone = colour((0.80, 0.90, 1.0)) if cool else colour((1.0, 0.76, 0.42))
    light_up = (warm[rows, cols] * shine)[..., None] * tone
    face[:] = np.where(shine[..., None], light_up, face)
