"""Compose a view over land: sky, ground, a lake where there is one, and what stands on it."""

# ruff: noqa: PLR2004 - a picture is made of proportions

from dataclasses import dataclass, replace

import numpy as np

from portico.providers.local.drawing import ground as grounds
from portico.providers.local.drawing.camera_move import Pose
from portico.providers.local.drawing.frame import Plane
from portico.providers.local.drawing.grass import Grass
from portico.providers.local.drawing.light import Light, choose_light
from portico.providers.local.drawing.noise import stream
from portico.providers.local.drawing.pixels import Image
from portico.providers.local.drawing.prompt import Spec
from portico.providers.local.drawing.sky import Sky
from portico.providers.local.drawing.subjects import Balloons, Birds, Boat
from portico.providers.local.drawing.terrain import Camera, Ground, Tracer
from portico.providers.local.drawing.water import Water


@dataclass(frozen=True, slots=True)
class _Stand:
    """How a camera stands over one kind of ground: metres above it, and how far moves carry it."""

    above_m: float
    travel_m: float
    skyline: float  # wanted mean slope of the skyline
    steps: int
    spread: float = 0.06
    crest: bool = False  # stand on high ground


_STANDS = {
    "mountains": _Stand(150.0, 260.0, 0.13, 400),
    "lake": _Stand(4.0, 34.0, 0.15, 400),
    "desert": _Stand(9.0, 40.0, 0.01, 430, 0.02, crest=True),
    "meadow": _Stand(3.2, 12.0, 0.035, 400, 0.03),
}


class Landscape:
    """Mountains, a lake among them, dunes or meadows."""

    def __init__(self, spec: Spec, plane: Plane) -> None:
        self._plane = plane
        self._light = _land_light(spec)
        self._stand = _STANDS[spec.scene]
        self._wet = spec.scene == "lake"
        self._ground = _ground(spec, self._light)
        self._place = find_place(self._ground, self._stand, spec.seed, wet=self._wet)
        self._sky = Sky(plane, self._light, spec.seed)
        self._tracer = Tracer(self._ground, plane, self._light, spec.seed, self._stand.steps)
        self._water = _lake(spec, plane, self._light) if self._wet else None
        self._boat = Boat(plane, self._light, spec.seed) if _has(spec, "boat", self._wet) else None
        self._birds = Birds(plane, self._light, spec.seed) if _has(spec, "birds") else None
        grassy = spec.scene == "meadow" and spec.weather != "snow"
        self._grass = Grass(spec, plane, self._light) if grassy else None
        balloon = _has(spec, "balloon")
        self._balloons = Balloons(plane, self._light, spec.seed) if balloon else None

    def paint(self, pose: Pose, time_s: float) -> Image:
        """Return one frame."""
        camera = self._camera(pose)
        picture = self._sky.paint(pose, time_s)
        if self._balloons is not None:
            self._balloons.paint(picture, pose, time_s)
        first, depth = self._tracer.paint(picture, camera, wet=self._wet)
        if self._water is not None:
            self._flood(picture, pose, time_s, camera, (first, depth))
        if self._boat is not None:
            self._boat.paint(picture, pose, time_s, camera_m=camera.height)
        if self._birds is not None:
            self._birds.paint(picture, pose, time_s)
        if self._grass is not None:
            self._grass.paint(picture, pose, time_s)
        return picture

    def _camera(self, pose: Pose) -> Camera:
        stand = self._stand
        east, north, height = self._place
        return Camera(
            east=east + pose.side * stand.travel_m * 0.6,
            north=north + pose.forward * stand.travel_m,
            height=height + pose.rise * stand.above_m * (0.9 if not self._wet else 3.0),
            yaw=pose.yaw,
            row=self._plane.horizon_row(pose),
        )

    def _flood(
        self, picture: Image, pose: Pose, time_s: float, camera: Camera, land: tuple[int, Image]
    ) -> None:
        """Paint the lake, then put back the land that stands in front of it."""
        if self._water is None:
            return
        first, depth = land
        last = first + depth.shape[0]
        dry = picture[first:last].copy()
        self._water.camera_m = camera.height
        self._water.paint(picture, pose, time_s, east=camera.east, north=camera.north)
        rows = np.arange(first, last, dtype=np.float32) + 0.5
        down = np.maximum((rows - camera.row) / self._plane.focal, 1e-6)[:, None]
        in_front = (np.minimum(depth, np.float32(1e9)) * down < camera.height * 0.9995) & (
            down > 1e-5
        )
        np.copyto(picture[first:last], dry, where=in_front[..., None])


def find_place(
    ground: Ground, stand: _Stand, seed: int, *, wet: bool
) -> tuple[float, float, float]:
    """Return where the camera stands (east, north, height), chosen for an open, shapely view.

    Looks at some hundred random places, always northward: near ground must stay below the view,
    the far skyline should have the wanted height and be uneven, and a lake must lie in front.
    """
    draw = stream(seed, "place")
    spots = draw.uniform(0, ground.period_m, (160, 2))
    if stand.crest:
        spots = np.array(sorted(spots.tolist(), key=lambda spot: -ground.height_at(*spot))[:50])
    depths = np.geomspace(8.0, ground.far_m * 0.85, 72).astype(np.float32)[:, None]
    across = np.linspace(-0.55, 0.55, 23, dtype=np.float32)[None, :]
    best: tuple[float, tuple[float, float, float]] | None = None
    for east, north in spots:
        floor = max(ground.height_at(east, north), 0.0 if wet else -1e9)
        height = floor + stand.above_m
        seen = ground.seen_from(float(east), float(north), depths, across)
        score = _score(seen, (depths, height), stand, wet=wet)
        if best is None or score > best[0]:
            best = score, (float(east), float(north), height)
    if best is None:
        return 0.0, 0.0, stand.above_m
    return best[1]


def _score(seen: Image, view: tuple[Image, float], stand: _Stand, *, wet: bool) -> float:
    depths, height = view
    slopes = (seen - np.float32(height)) / depths
    near = depths[:, 0] < stand.travel_m * 4 + 30
    skyline = slopes[~near].max(axis=0)
    score = (
        -abs(float(skyline.mean()) - stand.skyline) * 9
        - abs(float(skyline.std()) - stand.spread) * 9
    )
    blocked = float(slopes[near].max())
    score -= max(0.0, blocked + 0.02) * 60
    if wet:
        front = (depths[:, 0] < 900) & (depths[:, 0] > 8)
        score -= 5 * float((seen[front] > -0.5).mean())
    return score


def _land_light(spec: Spec) -> Light:
    """Return the light with the sun where land shows its shape: aside, not behind it."""
    light = choose_light(spec)
    side = 1.0 if light.sun_side > 0 else -1.0
    vary = float(stream(spec.seed, "land light").uniform(0.85, 1.15))
    turn = _SUN_SIDES[spec.scene].get(spec.time, 0.28)
    lift = {"sunset": 1.75, "dawn": 1.3, "night": 1.35}.get(spec.time, 1.12)
    red, green, blue = light.ambient
    ambient = (red * lift, green * lift, blue * lift)
    if spec.time == "night" and "moon" in spec.subjects:
        turn = 0.3
    low = spec.time == "day" and spec.scene in {"desert", "meadow"}
    height = min(light.sun_height, 0.36) if low else light.sun_height
    return replace(light, sun_side=side * turn * vary, ambient=ambient, sun_height=height)


# How far off the view the sun stands, in radians: aside where relief is to show, in view where
# the sky and what mirrors it are the picture.
_SUN_SIDES: dict[str, dict[str, float]] = {
    "mountains": {"day": 1.9, "night": 1.25, "sunset": 0.62, "dawn": 0.62},
    "lake": {"day": 1.9, "night": 0.24},
    "desert": {"day": 1.35, "night": 0.30, "sunset": 0.42, "dawn": 0.5},
    "meadow": {"day": 1.6, "night": 0.30},
}


def _ground(spec: Spec, light: Light) -> Ground:
    if spec.scene == "desert":
        return grounds.dunes(spec, light)
    if spec.scene == "meadow":
        return grounds.meadow(spec, light)
    return grounds.mountains(spec, light, wet=spec.scene == "lake")


def _lake(spec: Spec, plane: Plane, light: Light) -> Water:
    rough = {"storm": 0.10, "rain": 0.06}.get(spec.weather, 0.022)
    return Water(plane, light, spec.seed, camera_m=4.0, rough=rough, foam=0.0)


def _has(spec: Spec, name: str, allowed: bool = True) -> bool:  # noqa: FBT001, FBT002
    return allowed and name in spec.subjects
