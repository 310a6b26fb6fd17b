"""Compose deep space: nebula, stars, a lit turning planet, sometimes with rings."""

# ruff: noqa: PLR2004 - a picture is made of proportions

import math

import numpy as np

from portico.providers.local.drawing.camera_move import Pose
from portico.providers.local.drawing.frame import Plane
from portico.providers.local.drawing.noise import field, stream, unit
from portico.providers.local.drawing.pixels import (
    Image,
    Point,
    blurred,
    colour,
    merged,
    planes,
    sample,
    smoothstep,
    stretched,
)
from portico.providers.local.drawing.prompt import Spec

_MAP = 512
_MARGIN = 1.35  # the backdrop is this much larger than the frame

_NEBULAE = (
    ((0.55, 0.12, 0.38), (0.10, 0.22, 0.62), (0.95, 0.55, 0.30)),
    ((0.08, 0.36, 0.50), (0.30, 0.10, 0.50), (0.85, 0.75, 0.55)),
    ((0.62, 0.22, 0.12), (0.16, 0.14, 0.48), (1.00, 0.72, 0.38)),
)


class Space:
    """A planet before a nebula."""

    def __init__(self, spec: Spec, plane: Plane) -> None:
        self._plane = plane
        self._backdrop = _backdrop(spec, plane)
        self._planet = None if "no_planet" in spec.subjects else Planet(spec, plane)

    def paint(self, pose: Pose, time_s: float) -> Image:
        """Return one frame."""
        plane = self._plane
        height, width = self._backdrop.shape[:2]
        middle = (
            width / 2 + (pose.yaw + 0.06 * pose.side) * plane.focal * 0.9,
            height / 2 - (pose.pitch + 0.04 * pose.rise) * plane.focal * 0.9,
        )
        picture = stretched(
            self._backdrop, 1 + 0.05 * pose.forward, middle, (plane.width, plane.height)
        )
        if self._planet is not None:
            self._planet.paint(picture, pose, time_s)
        return picture


class Planet:
    """A lit sphere with an atmosphere; its map is looked up through cached positions."""

    def __init__(self, spec: Spec, plane: Plane) -> None:
        draw = stream(spec.seed, "planet")
        self._plane = plane
        self._radius = float(draw.uniform(0.20, 0.30))
        side = float(draw.choice((-1.0, 1.0)))
        self._place = side * float(draw.uniform(0.10, 0.24)), float(draw.uniform(-0.06, 0.05))
        light = np.array([-side * 0.72, 0.38, 0.45])
        self._sun = light / np.linalg.norm(light)
        style = _style(spec, draw)
        self._map = _planet_map(spec.seed, style)
        self._air = colour(_AIR[style])
        self._tilt = float(draw.uniform(-0.4, 0.4))
        ringed = "ringed" in spec.subjects or (style == "gas" and bool(draw.random() < 0.6))
        self._rings = _ring_tone(spec.seed) if ringed else None
        if self._rings is not None:
            self._radius *= 0.72

    def paint(self, picture: Image, pose: Pose, time_s: float) -> None:
        """Paint far half of the rings, sphere, near half of the rings."""
        plane = self._plane
        grow = 1 + 0.16 * pose.forward
        radius = self._radius * plane.focal * grow
        cx = plane.width / 2 + (self._place[0] - pose.yaw * 1.0 - 0.10 * pose.side) * plane.focal
        cy = plane.height / 2 + (-self._place[1] + pose.pitch + 0.10 * pose.rise) * plane.focal
        disc = _window(picture, (cx, cy), radius, 1.25)
        if self._rings is None:
            if disc is not None:
                self._sphere(*disc, radius, time_s)
            return
        wide = _window(picture, (cx, cy), radius, 2.5)
        if wide is None:
            return
        part, x, y = wide
        tone, cover = self._ring(x, y)
        behind = y * math.cos(self._tilt) + x * math.sin(self._tilt) > 0
        _lay(part, tone, cover * behind)
        if disc is not None:
            self._sphere(*disc, radius, time_s)
        _lay(part, tone, cover * ~behind)

    def _sphere(self, part: Image, x: Image, y: Image, radius: float, time_s: float) -> None:
        square = x * x + y * y
        z = np.sqrt(np.maximum(1 - square, 0))
        cos, sin = math.cos(self._tilt), math.sin(self._tilt)
        flat_x, flat_y = x * cos + y * sin, y * cos - x * sin
        longitude = np.arctan2(flat_x, np.maximum(z, 1e-3)) + np.float32(time_s * 0.025)
        latitude = np.arcsin(np.clip(flat_y, -1, 1))
        u = (longitude * np.float32(_MAP / math.pi)).astype(np.float32) % _MAP
        v = ((0.5 - latitude / np.float32(math.pi)) * (_MAP - 1)).astype(np.float32)
        ground = planes(sample(self._map, u, v))
        sun = self._sun.astype(np.float32)
        facing = x * sun[0] + y * sun[1] + z * sun[2]
        day = smoothstep(-0.12, 0.55, facing) * (0.35 + 0.75 * np.clip(facing, 0, 1))
        edge = 1 - z
        rim = edge * edge * edge * smoothstep(-0.3, 0.5, facing)
        disc = np.clip((1 - np.sqrt(square)) * radius + 0.5, 0, 1)
        outside = np.exp(-np.maximum(np.sqrt(square) - 1, 0) * 26) * (1 - disc)
        turned = facing / np.maximum(np.sqrt(square), 1e-3)
        halo = outside * smoothstep(-0.35, 0.7, turned) * np.float32(0.75)
        out = []
        for index, (under, tone) in enumerate(zip(planes(part), ground, strict=True)):
            air = np.float32(self._air[index])
            face = tone * (day + np.float32(0.012)) + rim * air * np.float32(0.8)
            out.append(under + (face - under) * disc + halo * air)
        part[:] = merged(out)

    def _ring(self, x: Image, y: Image) -> tuple[Image, Image]:
        """Return colour and cover of the ring plane, the planet's shadow in it."""
        cos, sin = math.cos(self._tilt), math.sin(self._tilt)
        flat_x, flat_y = x * cos + y * sin, (y * cos - x * sin) / np.float32(0.24)
        distance = np.hypot(flat_x, flat_y)
        tone = self._rings if self._rings is not None else np.zeros(2, np.float32)
        share = np.interp((distance - 1.25) / 1.15, np.linspace(0, 1, tone.size), tone, 0, 0)
        shade = np.where(
            (np.abs(flat_y - flat_x * 0.2) < 1) & (flat_x * self._sun[0] < 0), 0.2, 1.0
        )
        picture = share[..., None] * shade[..., None] * colour((0.86, 0.76, 0.62))
        return picture.astype(np.float32), np.minimum(share * 1.2, 0.9).astype(np.float32)


_AIR: dict[str, tuple[float, float, float]] = {
    "earth": (0.35, 0.62, 1.0),
    "mars": (0.95, 0.55, 0.35),
    "gas": (0.95, 0.80, 0.60),
    "ice": (0.55, 0.85, 0.95),
}


def _style(spec: Spec, draw: np.random.Generator) -> str:
    free = str(draw.choice(("earth", "mars", "gas", "ice")))
    named = [name for name in ("earth", "mars") if name in spec.subjects]
    if named:
        return named[0]
    return "gas" if "ringed" in spec.subjects else free


def _planet_map(seed: int, style: str) -> Image:
    """Return a planet's colours over longitude (periodic) and latitude."""
    rough = field(seed, "planet map", _MAP, slope=1.75, low=2, high=220)
    if style == "gas":
        bands = np.arange(_MAP, dtype=np.float32)[:, None] / _MAP
        phase = bands * 46 + rough * 0.55
        tone = 0.5 + 0.28 * np.sin(phase) + 0.14 * np.sin(phase * 2.3 + 1) + 0.05 * rough
        return _ramp(tone, ((0.45, 0.28, 0.18), (0.78, 0.58, 0.40), (0.95, 0.88, 0.74)))
    if style == "mars":
        tone = unit(rough) * 1.3 - 0.15
        return _ramp(tone, ((0.25, 0.10, 0.06), (0.62, 0.27, 0.13), (0.85, 0.55, 0.34)))
    if style == "ice":
        return _ramp(unit(rough), ((0.10, 0.28, 0.42), (0.42, 0.68, 0.80), (0.92, 0.97, 1.0)))
    land = smoothstep(0.15, 0.35, rough)[..., None]
    green = _ramp(unit(field(seed, "green", _MAP, slope=1.4, low=3)),
                  ((0.08, 0.20, 0.06), (0.28, 0.30, 0.12), (0.55, 0.46, 0.28)))  # fmt: skip
    picture = colour((0.02, 0.09, 0.24)) * (1 - land) + green * land
    clouds = smoothstep(0.35, 1.7, field(seed, "planet clouds", _MAP, slope=1.5, low=3))[..., None]
    poles = smoothstep(0.40, 0.47, np.abs(np.linspace(-0.5, 0.5, _MAP, dtype=np.float32)))
    picture = picture * (1 - clouds * 0.9) + 0.95 * clouds * 0.9
    return np.asarray(picture + (0.93 - picture) * poles[:, None, None], np.float32)


def _ramp(tone: Image, stops: tuple[tuple[float, float, float], ...]) -> Image:
    at = np.clip(tone, 0, 1)
    grid = np.linspace(0, 1, len(stops))
    channels = [
        np.interp(at, grid, [stop[i] for stop in stops]).astype(np.float32) for i in range(3)
    ]
    return merged(channels)


def _ring_tone(seed: int) -> Image:
    noise = stream(seed, "rings").standard_normal(256)
    soft = np.convolve(noise, np.ones(9) / 9, mode="same")
    tone = np.clip(0.55 + 0.55 * soft, 0.05, 0.9)
    tone[150:163] *= 0.08
    tone *= np.clip(np.minimum(np.arange(256) / 12, (255 - np.arange(256)) / 20), 0, 1)
    return tone.astype(np.float32)


def _window(
    picture: Image, centre: Point, radius: float, reach: float
) -> tuple[Image, Image, Image] | None:
    """Return the part of a picture within `reach` radii, and its places in radii, up positive."""
    height, width = picture.shape[:2]
    (cx, cy), far = centre, radius * reach
    x0, x1 = max(0, int(cx - far)), min(width, int(cx + far) + 1)
    y0, y1 = max(0, int(cy - far)), min(height, int(cy + far) + 1)
    if x0 >= x1 or y0 >= y1:
        return None
    x = ((np.arange(x0, x1, dtype=np.float32) + 0.5 - np.float32(cx)) / radius)[None, :]
    y = ((np.float32(cy) - np.arange(y0, y1, dtype=np.float32) - 0.5) / radius)[:, None]
    return picture[y0:y1, x0:x1], x, y


def _lay(part: Image, tone: Image, cover: Image) -> None:
    part *= 1 - cover[..., None]
    part += tone * (cover > 0)[..., None]


def _backdrop(spec: Spec, plane: Plane) -> Image:
    """Return nebula and stars, larger than the frame."""
    width, height = round(plane.width * _MARGIN), round(plane.height * _MARGIN)
    x = ((np.arange(width, dtype=np.float32) - width / 2) / plane.focal)[None, :]
    y = ((np.arange(height, dtype=np.float32) - height / 2) / plane.focal)[:, None]
    u, v = x * 150 + 256 + 0 * y, y * 150 + 256 + 0 * x
    warp_a = sample(field(spec.seed, "nebula a", _MAP, slope=1.9, low=1), u, v)
    warp_b = sample(field(spec.seed, "nebula b", _MAP, slope=1.9, low=1), u, v)
    cloud = field(spec.seed, "nebula", _MAP, slope=1.7, low=1)
    main = sample(cloud, u + warp_a * 22, v + warp_b * 22)
    second = sample(cloud, u * 0.7 - warp_b * 30 + 100, v * 0.7 + warp_a * 30 + 200)
    first_rgb, second_rgb, core_rgb = _NEBULAE[
        int(stream(spec.seed, "hue").integers(len(_NEBULAE)))
    ]
    dense = smoothstep(-1.0, 2.0, main)
    faint = smoothstep(-1.0, 2.0, second)
    dust = smoothstep(0.2, 1.6, sample(cloud, u * 1.6 + warp_a * 40, v * 1.6 + warp_b * 40))
    core = smoothstep(1.2, 3.2, main + 0.5 * second)
    picture = (
        dense[..., None] * colour(first_rgb) * 0.60 + faint[..., None] * colour(second_rgb) * 0.45
    )
    picture += core[..., None] * colour(core_rgb) * 0.55
    picture *= 1 - 0.62 * dust[..., None]
    picture += colour((0.006, 0.008, 0.018))
    _add_stars(picture, spec.seed, plane.focal)
    return np.ascontiguousarray(picture, np.float32)


def _add_stars(picture: Image, seed: int, focal: float) -> None:
    draw = stream(seed, "space stars")
    count = 2600
    x = draw.uniform(-1.2, 1.2, count) * focal + picture.shape[1] / 2
    y = draw.uniform(-1.2, 1.2, count) * focal + picture.shape[0] / 2
    power = 0.10 + 1.6 * draw.random(count) ** 9
    warm = draw.uniform(0, 1, count)
    keep = (x >= 0) & (y >= 0) & (x < picture.shape[1]) & (y < picture.shape[0])
    layer = np.zeros_like(picture)
    tint = np.stack([0.85 + 0.15 * warm, 0.9 + 0 * warm, 1.05 - 0.25 * warm], axis=1)
    rows, cols = y[keep].astype(np.int64), x[keep].astype(np.int64)
    np.add.at(layer, (rows, cols), (power[keep, None] * tint[keep]).astype(np.float32))
    size = max(0.5, focal / 1500)
    picture += blurred(layer, size) * np.float32(5.2 * size * size + 0.9)
    picture += blurred(np.maximum(layer - 0.9, 0), size * 5) * np.float32(26 * size)
