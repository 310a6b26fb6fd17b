"""Trace a height map column by column and paint it with depth, detail and air."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from portico.providers.local.drawing.frame import Plane
from portico.providers.local.drawing.light import Light
from portico.providers.local.drawing.noise import field
from portico.providers.local.drawing.pixels import Image, blurred, colour, merged, planes, sample


@dataclass(frozen=True, slots=True)
class Camera:
    """Where the camera stands, in metres, and which way it looks, in radians."""

    east: float
    north: float
    height: float
    yaw: float
    row: float  # of the horizon, in pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A periodic, square piece of ground: heights in metres and its lit colour."""

    heights: Image
    tint: Image
    period_m: float
    detail_m: float  # period of the fine texture
    detail: float  # its strength
    near_m: float
    far_m: float
    fog_m: float  # distance at which two thirds are air

    @property
    def cells_per_m(self) -> float:
        """Map cells a metre."""
        return float(self.heights.shape[0]) / self.period_m

    def height_at(self, east: float, north: float) -> float:
        """Return the ground's height at one place."""
        u = np.array([[east * self.cells_per_m]], np.float32)
        v = np.array([[north * self.cells_per_m]], np.float32)
        return float(sample(self.heights, u, v)[0, 0])

    def seen_from(self, east: float, north: float, depths: Image, across: Image) -> Image:
        """Return the heights at some depths and sides of a place, looking north."""
        cells = np.float32(self.cells_per_m)
        u = (np.float32(east) + depths * across) * cells
        v = np.broadcast_to((np.float32(north) + depths) * cells, u.shape)
        return sample(self.heights, u.astype(np.float32), v.astype(np.float32))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one camera sees of the ground: from row `first` on, in contiguous channels."""

    camera: Camera
    first: int
    depth: Image
    cover: Image
    tone: list[Image]
    edges: "_Edges"


@dataclass(frozen=True, slots=True)
class _Edges:
    """Crests of near ground before far ground: the pixel above each, and shares of near ground."""

    rows: npt.NDArray[np.intp]
    cols: npt.NDArray[np.intp]
    above: Image
    below: Image

    def soften(self, part: Image) -> None:
        """Mix the two pixels at each crest by how much of them the near ground covers."""
        inside = self.rows + 1 < part.shape[0]
        rows, cols = self.rows[inside], self.cols[inside]
        far, near = part[rows, cols], part[rows + 1, cols]
        part[rows, cols] = far + (near - far) * self.above[inside, None]
        part[rows + 1, cols] = far + (near - far) * self.below[inside, None]


@dataclass(frozen=True, slots=True)
class _Depths:
    """What is behind the pixels from row `first` on: metres, infinite where there is sky."""

    first: int
    exact: Image
    skyline: Image  # each column's exact row
    edges: _Edges


class Tracer:
    """Finds the ground behind every pixel, and paints it."""

    def __init__(self, ground: Ground, plane: Plane, light: Light, seed: int, steps: int) -> None:
        self._ground = ground
        self._plane = plane
        self._light = light
        self._depths = np.geomspace(ground.near_m, ground.far_m, steps).astype(np.float32)
        self._seen: _Seen | None = None
        self._ratio = np.float32(self._depths[1] / self._depths[0])
        self._grain = field(seed, "grain", 512, slope=0.9, low=3, high=200).clip(-2.2, 2.2)

    def depth(self, camera: Camera) -> "_Depths":
        """Find the ground behind every pixel from the first row that shows any."""
        rows, run = self._rows(camera)
        height, width = self._plane.height, self._plane.width
        skyline = run[-1]
        first = int(np.clip(math.floor(float(skyline.min())), 0, height - 1))
        count = height - first
        hits = np.clip(np.ceil(run - np.float32(first + 0.5)), 0, count).astype(np.int32)
        hits += (np.arange(width, dtype=np.int32) * (count + 1))[None, :]
        tally = np.bincount(hits.ravel(), minlength=width * (count + 1))
        below = np.cumsum(tally.astype(np.int32).reshape(width, count + 1), axis=1)[:, :count]
        index = np.ascontiguousarray((len(self._depths) - below).T)
        exact = self._exact(rows, index, first)
        return _Depths(first, exact, skyline, _edges(exact, index, run, first))

    def paint(self, picture: Image, camera: Camera, *, wet: bool = False) -> tuple[int, Image]:
        """Paint the ground over the sky, in place; return the first row and the depths.

        With `wet`, rows that lie wholly behind a water plane at height 0 are left out.
        """
        if self._seen is None or self._seen.camera != camera:
            self._seen = self._look(camera, wet=wet)
        seen = self._seen
        part = picture[seen.first : seen.first + seen.cover.shape[0]]
        out = [
            under + (shade - under) * seen.cover
            for under, shade in zip(planes(part), seen.tone, strict=True)
        ]
        part[:] = merged(out)
        seen.edges.soften(part)
        return seen.first, seen.depth

    def _look(self, camera: Camera, *, wet: bool) -> "_Seen":
        """Work out all that does not change while the camera stands still."""
        found = self.depth(camera)
        first, depth = found.first, found.exact
        if wet:
            rows = np.arange(first, self._plane.height, dtype=np.float32) + 0.5
            down = np.maximum((rows - camera.row) / self._plane.focal, 0)[:, None]
            reached = np.minimum(depth, np.float32(1e9)) * down
            dry = np.flatnonzero((reached < camera.height).any(axis=1))
            depth = depth[: int(dry[-1]) + 1 if dry.size else 1]
        cover = self._cover(depth, found.skyline, first)
        near = np.minimum(depth, np.float32(self._ground.far_m))
        air = 1 - np.exp(-near / np.float32(self._ground.fog_m / self._light.haze))
        glow = self._air_glow(camera)
        tone = []
        for index, ground in enumerate(self._tone(near, camera, first)):
            haze = np.float32(self._light.horizon[index] * 0.94)
            tone.append(ground + (haze + glow * np.float32(self._light.glow[index]) - ground) * air)
        return _Seen(camera, first, depth, cover, tone, found.edges)

    def _rows(self, camera: Camera) -> tuple[Image, Image]:
        """Return the screen row of every depth step of every column, and its running minimum."""
        depths = self._depths[:, None]
        u, v = self._place(depths, self._plane.across[None, :], camera)
        heights = sample(self._ground.heights, u, v)
        rise = (np.float32(camera.height) - heights) * np.float32(self._plane.focal)
        rows = rise / depths + np.float32(camera.row)
        return rows, np.minimum.accumulate(rows, axis=0)

    def _place(self, depth: Image, across: Image, camera: Camera) -> tuple[Image, Image]:
        cells = np.float32(self._ground.cells_per_m)
        cos, sin = np.float32(math.cos(camera.yaw)), np.float32(math.sin(camera.yaw))
        size = self._ground.heights.shape[0]
        east = np.float32((camera.east * cells) % size)
        north = np.float32((camera.north * cells) % size)
        u = depth * ((across * cos + sin) * cells) + east
        v = depth * ((cos - across * sin) * cells) + north
        return u.astype(np.float32), v.astype(np.float32)

    def _exact(self, rows: Image, index: npt.NDArray[np.int32], first: int) -> Image:
        """Interpolate the depth between the step in front of a pixel and the one behind it."""
        steps, width = rows.shape
        behind = np.clip(index, 1, steps - 1).astype(np.intp)
        flat = behind * width
        flat += np.arange(width)[None, :]
        row_behind = rows.ravel().take(flat, mode="clip")
        flat -= width
        row_front = rows.ravel().take(flat, mode="clip")
        y = (np.arange(index.shape[0], dtype=np.float32) + np.float32(first + 0.5))[:, None]
        share = np.clip((row_front - y) / np.maximum(row_front - row_behind, 1e-3), 0, 1)
        d1 = self._depths.take(behind, mode="clip")
        # Depth along one straight piece of ground seen in perspective.
        exact = d1 / (self._ratio + (1 - self._ratio) * share)
        exact[index >= steps] = np.inf
        return np.asarray(exact, np.float32)

    def _tone(self, depth: Image, camera: Camera, first: int) -> list[Image]:
        ground = self._ground
        u, v = self._place(depth, self._plane.across[None, :], camera)
        tint = planes(sample(ground.tint, u, v))
        scale = np.float32(512 / ground.detail_m / ground.cells_per_m)
        reach = ground.detail_m * self._plane.focal / 512
        weight = np.float32(ground.detail) / (1 + np.square(depth / np.float32(reach * 2.2)))
        # On steep faces the map hardly moves from pixel to pixel, so height moves the texture.
        u, v = (
            u * scale,
            v * scale + self._rise(depth, camera, first) * (scale * ground.cells_per_m),
        )
        grain = sample(self._grain, u, v) * weight
        wide = np.float32(ground.detail) / (1 + np.square(depth / np.float32(reach * 18)))
        part = np.float32(0.13)
        grain += sample(self._grain, u * part + 99, v * part) * wide
        lift = 1 + np.maximum(grain, np.float32(-0.85))
        return [channel * lift for channel in tint]

    def _rise(self, depth: Image, camera: Camera, first: int) -> Image:
        """Return the height of the ground behind each pixel, against the camera's, in metres."""
        rows = np.arange(depth.shape[0], dtype=np.float32) + np.float32(first + 0.5 - camera.row)
        return depth * (rows / np.float32(-self._plane.focal))[:, None]

    def _cover(self, depth: Image, skyline: Image, first: int) -> Image:
        """Return how much of each pixel is ground; lends its depth to the pixel above it."""
        cover = np.isfinite(depth).astype(np.float32)
        columns = np.arange(cover.shape[1])
        row = np.ceil(skyline - 0.5).astype(np.int64) - first
        for shift in (0, -1):
            at = row + shift
            inside = (at >= 0) & (at < cover.shape[0]) & (row < cover.shape[0])
            rows, cols = at[inside], columns[inside]
            cover[rows, cols] = np.clip(rows + 1 + first - skyline[inside], 0, 1)
            depth[rows, cols] = depth[row[inside], cols]
        return cover

    def _air_glow(self, camera: Camera) -> Image:
        turn = self._plane.across + np.float32(camera.yaw - self._light.sun_side)
        return np.asarray(0.30 * np.exp(-np.abs(turn) * 3.0), np.float32)[None, :]


def _edges(exact: Image, index: npt.NDArray[np.int32], run: Image, first: int) -> _Edges:
    """Find where near ground ends before far ground, and the exact rows of those crests."""
    rows, cols = np.nonzero(
        (exact[:-1] > exact[1:] * np.float32(1.06)) & (exact[:-1] < np.float32(1e9))
    )
    crest = run[np.maximum(index[rows, cols] - 1, 0), cols] - np.float32(first)
    above = np.clip(rows + 1 - crest, 0, 1).astype(np.float32)
    below = np.clip(rows + 2 - crest, 0, 1).astype(np.float32)
    return _Edges(rows, cols, above, below)


def lit(heights: Image, cell_m: float, light: Light, *, soft: float = 0.0) -> tuple[Image, Image]:
    """Return each cell's direct light (0 to 1, with cast shadows) and its openness to the sky."""
    elevation = max(light.sun_height, 0.20)
    east = math.cos(elevation) * math.sin(light.sun_side)
    north = math.cos(elevation) * math.cos(light.sun_side)
    dx = (np.roll(heights, -1, 1) - np.roll(heights, 1, 1)) / (2 * cell_m)
    dz = (np.roll(heights, -1, 0) - np.roll(heights, 1, 0)) / (2 * cell_m)
    norm = np.sqrt(1 + dx * dx + dz * dz)
    facing = (math.sin(elevation) - dx * east - dz * north) / norm
    direct = np.clip(facing * (1 - soft) + soft * 0.6, 0, 1)
    direct *= _shadow(heights, cell_m, light.sun_side, math.tan(elevation))
    around = wrapped_blur(heights, 10)
    sky = np.clip(0.78 + (heights - around) / (cell_m * 26), 0.45, 1.1)
    return direct.astype(np.float32), (sky * (0.6 + 0.4 / norm)).astype(np.float32)


def _shadow(heights: Image, cell_m: float, azimuth: float, slope: float) -> Image:
    small = heights[::2, ::2]
    cell = cell_m * 2
    block = np.full(small.shape, -1e9, np.float32)
    reach = (float(small.max()) - float(small.min())) / slope / cell
    for step in np.unique(np.geomspace(1, max(2.0, min(reach, small.shape[0] * 0.45)), 34).round()):
        moved = np.roll(
            small,
            (-round(step * math.cos(azimuth)), -round(step * math.sin(azimuth))),
            axis=(0, 1),
        )
        np.maximum(block, (moved - small - step * cell * slope) / (step * cell * 0.05), out=block)
    soft = np.clip(0.5 - block, 0, 1).astype(np.float32)
    whole = np.repeat(np.repeat(soft, 2, axis=0), 2, axis=1)
    return wrapped_blur(whole, 1.4)


def wrapped_blur(values: Image, sigma: float) -> Image:
    """Blur a periodic field."""
    pad = math.ceil(sigma * 3)
    wide = np.pad(values, pad, mode="wrap")
    return np.ascontiguousarray(blurred(wide, sigma)[pad:-pad, pad:-pad])


def tinted(albedo: Image, direct: Image, sky: Image, light: Light) -> Image:
    """Return a surface's colour under a light."""
    return (
        albedo
        * (colour(light.direct) * direct[..., None] * 1.15 + colour(light.ambient) * sky[..., None])
    ).astype(np.float32)
