"""Compose the sea: sky, far islands, water, boat, birds."""

# ruff: noqa: PLR2004 - a picture is made of proportions

import math

import numpy as np

from portico.providers.local.drawing.camera_move import Pose
from portico.providers.local.drawing.frame import Plane
from portico.providers.local.drawing.light import Light, choose_light
from portico.providers.local.drawing.noise import stream
from portico.providers.local.drawing.pixels import Image, colour
from portico.providers.local.drawing.prompt import Spec
from portico.providers.local.drawing.sky import Sky
from portico.providers.local.drawing.subjects import Balloons, Birds, Boat
from portico.providers.local.drawing.water import Water


class Seascape:
    """The open sea under a sky."""

    def __init__(self, spec: Spec, plane: Plane) -> None:
        draw = stream(spec.seed, "seascape")
        self._plane = plane
        self._light: Light = choose_light(spec)
        self._camera_m = float(draw.uniform(2.6, 4.2))
        self._sky = Sky(plane, self._light, spec.seed)
        rough, foam = {"storm": (0.19, 1.1), "rain": (0.12, 0.25)}.get(spec.weather, (0.085, 0.0))
        if "waves" in spec.subjects:
            rough, foam = max(rough, 0.17), max(foam, 0.6)
        if spec.weather == "fog":
            rough = 0.05
        self._water = Water(
            plane, self._light, spec.seed, camera_m=self._camera_m, rough=rough, foam=foam
        )
        self._islands = _island_line(spec.seed) if _wants_island(spec, draw) else None
        self._boat = Boat(plane, self._light, spec.seed) if "boat" in spec.subjects else None
        self._birds = Birds(plane, self._light, spec.seed) if "birds" in spec.subjects else None
        balloon = "balloon" in spec.subjects
        self._balloons = Balloons(plane, self._light, spec.seed) if balloon else None

    def paint(self, pose: Pose, time_s: float) -> Image:
        """Return one frame."""
        picture = self._sky.paint(pose, time_s, side=pose.side)
        if self._islands is not None:
            self._paint_islands(picture, pose, self._islands)
        if self._balloons is not None:
            self._balloons.paint(picture, pose, time_s)
        camera_m = self._camera_m + 4.0 * pose.rise
        self._water.camera_m = camera_m
        self._water.paint(picture, pose, time_s, east=pose.side * 9, north=pose.forward * 16)
        if self._boat is not None:
            self._boat.paint(picture, pose, time_s, camera_m=camera_m)
        if self._birds is not None:
            self._birds.paint(picture, pose, time_s)
        return picture

    def _paint_islands(self, picture: Image, pose: Pose, line: Image) -> None:
        """Paint two hazy ridges on the horizon, the nearer one darker."""
        plane, light = self._plane, self._light
        row = plane.horizon_row(pose)
        air = colour(light.horizon)
        for index, (tone, veil) in enumerate(((0.55, 0.62), (0.30, 0.38))):
            angle = (plane.across + pose.yaw + 1.6) / 3.2 * (line.shape[1] - 1)
            up = np.interp(angle, np.arange(line.shape[1]), line[index])
            top = row - np.maximum(up, 0) * plane.focal
            last = min(plane.height, math.ceil(row))
            first = max(0, math.floor(float(top.min())))
            if first >= last:
                continue
            rows = np.arange(first, last, dtype=np.float32)[:, None] + 0.5
            weight = np.clip(rows - top[None, :] + 0.5, 0, 1) * (up > 0)[None, :]
            rock = colour(light.ambient) * tone * np.array([0.75, 0.85, 0.9], np.float32)
            near = rock + (air - rock) * np.float32(veil * min(1.0, 0.6 + 0.3 * light.haze))
            part = picture[first:last]
            part += (near - part) * weight[..., None].astype(np.float32)


def _wants_island(spec: Spec, draw: np.random.Generator) -> bool:
    lucky = bool(draw.random() < 0.45)
    return "no_island" not in spec.subjects and ("island" in spec.subjects or lucky)


def _island_line(seed: int) -> Image:
    """Return two ridge lines over 3.2 radians, as slopes above the horizon."""
    draw = stream(seed, "islands")
    x = np.linspace(-1.6, 1.6, 1600)
    lines = []
    for index in range(2):
        rough = sum(
            np.sin(x * k + draw.uniform(0, 6.28)) / k**0.85 for k in (5, 9, 17, 31, 57, 103, 190)
        )
        centre = float(draw.choice((-1, 1)) * draw.uniform(0.22, 0.5)) * (1 - 0.35 * index)
        bump = np.exp(-(((x - centre) / (0.30 - 0.12 * index)) ** 2))
        lines.append((0.052 - 0.014 * index) * (bump * (1 + 1.1 * rough) - 0.14))
    return np.asarray(lines, np.float32)
