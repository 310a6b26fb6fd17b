"""Paint the sky: gradient, sun or moon, clouds on two sheets, stars."""

# ruff: noqa: PLR2004 - a picture is made of proportions

import math

import cv2
import numpy as np

from portico.providers.local.drawing.camera_move import Pose
from portico.providers.local.drawing.frame import Plane
from portico.providers.local.drawing.light import Light
from portico.providers.local.drawing.noise import field, stream
from portico.providers.local.drawing.pixels import (
    Image,
    add_light,
    blank,
    blurred,
    colour,
    merged,
    planes,
    sample,
    scaled,
    smoothstep,
)

_CLOUD_SIZE = 1024


class Sky:
    """One sky; drawn at half size, since it is soft, and enlarged."""

    def __init__(self, plane: Plane, light: Light, seed: int) -> None:
        self._plane = plane
        self._half = Plane(max(2, plane.width // 2), max(2, plane.height // 2), plane.horizon)
        self._light = light
        self._clouds = _cloud_sheet(seed, light) if light.cover > 0 else None
        self._wisps = field(seed, "wisps", 512, slope=1.3, low=4, high=160) * np.float32(0.07)
        self._stars = _star_list(seed) if light.stars > 0 else None
        self._moon = _moon_picture(seed) if light.is_moon and light.disc > 0 else None

    def paint(self, pose: Pose, time_s: float, *, side: float = 0.0) -> Image:
        """Return the whole frame filled with sky; below the horizon it mirrors softly."""
        half, light = self._half, self._light
        up = np.abs(half.up(pose)) + np.float32(1e-4)
        picture = blank(half.width, half.height)
        picture[:] = self._gradient(up)[:, None, :]
        turn = half.across + np.float32(pose.yaw)
        self._add_glow(picture, turn, half.up(pose))
        if self._clouds is not None:
            self._add_clouds(picture, pose, time_s, side)
        full = scaled(picture, self._plane.width, self._plane.height)
        if self._stars is not None:
            self._add_stars(full, pose)
        if light.disc > 0:
            self._add_disc(full, pose)
        return full

    def _gradient(self, up: Image) -> Image:
        light = self._light
        low = np.exp(-up * 9.0)[:, None]
        mid = np.exp(-up * 2.4)[:, None]
        zenith, middle = colour(light.zenith), colour(light.middle)
        base = zenith + (middle - zenith) * mid
        return np.asarray(base + (colour(light.horizon) - base) * low, np.float32)

    def _add_glow(self, picture: Image, turn: Image, up: Image) -> None:
        light = self._light
        dx = (turn - light.sun_side) * 0.75
        dy = up - math.tan(light.sun_height)
        square = (dx * dx)[None, :] + (dy * dy)[:, None]
        glow = 0.34 * np.exp(-square * 20.0) + 0.30 * np.exp(-np.sqrt(square) * 4.0)
        add_light(picture, glow.astype(np.float32), light.glow)

    def _add_clouds(self, picture: Image, pose: Pose, time_s: float, side: float) -> None:
        sheet, light = self._clouds, self._light
        last = min(picture.shape[0], math.ceil(self._half.horizon_row(pose)) + 2)
        if sheet is None or last < 1:
            return
        up = np.abs(self._half.up(pose)[:last]) + np.float32(1e-4)
        turn = self._half.across + np.float32(pose.yaw)
        far = 1.0 / (up + 0.055)
        across = turn[None, :] * far[:, None]
        u = (across * 62 + (side * 3 + time_s * 3.0)).astype(np.float32)
        v = np.broadcast_to((far * 105 + time_s * 2.0)[:, None], u.shape).astype(np.float32)
        density, lit = planes(sample(sheet, u, v))
        wisps = sample(self._wisps, u * np.float32(2.7), v * np.float32(1.2))
        edge = 1.02 - light.cover * 1.04
        weight = smoothstep(edge, edge + 0.26, density + wisps)
        weight *= smoothstep(0.0, 0.10, up)[:, None] * np.float32(0.96)
        lit = np.clip(lit - 0.35 * (weight - 0.5), 0, 1)
        air = 1 - np.exp(-up * 7.0)[:, None].astype(np.float32) * np.float32(0.75)
        weight *= air
        out = []
        for index, under in enumerate(planes(picture[:last])):
            shade, bright = light.cloud_shade[index], light.cloud_lit[index]
            tone = np.float32(shade) + lit * np.float32(bright - shade)
            tone += under * np.float32(0.35 * light.glow[index])
            out.append(under + (tone - under) * weight)
        picture[:last] = merged(out)

    def _add_stars(self, picture: Image, pose: Pose) -> None:
        plane, stars = self._plane, self._stars
        if stars is None:
            return
        x = (stars[:, 0] - pose.yaw) * plane.focal + plane.width / 2
        y = plane.horizon_row(pose) - stars[:, 1] * plane.focal
        keep = (x >= 1) & (y >= 1) & (x < plane.width - 2) & (y < plane.height - 2)
        cols, rows = x[keep].astype(np.int64), y[keep].astype(np.int64)
        veil = np.clip(1.2 - picture[rows, cols].max(axis=1) * 5, 0, 1)
        power = (stars[keep, 2] * veil)[:, None] * np.array([0.9, 0.95, 1.0], np.float32)
        for dx, dy, share in ((0, 0, 1.0), (1, 0, 0.35), (0, 1, 0.35), (-1, 0, 0.2), (0, -1, 0.2)):
            np.add.at(picture, (rows + dy, cols + dx), (power * share).astype(np.float32))

    def _add_disc(self, picture: Image, pose: Pose) -> None:
        plane, light = self._plane, self._light
        radius = plane.focal * (0.033 if light.is_moon else 0.030)
        cx = (light.sun_side - pose.yaw) * plane.focal + plane.width / 2
        cy = plane.horizon_row(pose) - math.tan(light.sun_height) * plane.focal
        reach = math.ceil(radius) + 3
        x0, x1 = max(0, int(cx) - reach), min(plane.width, int(cx) + reach)
        y0, y1 = max(0, int(cy) - reach), min(plane.height, int(cy) + reach)
        if x0 >= x1 or y0 >= y1:
            return
        ys, xs = np.mgrid[y0:y1, x0:x1].astype(np.float32)
        distance = np.hypot(xs + 0.5 - cx, ys + 0.5 - cy)
        weight = smoothstep(radius + 1.0, radius - 1.5, distance) * np.float32(light.disc)
        part = picture[y0:y1, x0:x1]
        face = np.maximum(colour(light.sun) * np.float32(1.05), part)
        if self._moon is not None:
            u = ((xs + 0.5 - cx) / radius * 62 + 64).astype(np.float32)
            v = ((ys + 0.5 - cy) / radius * 62 + 64).astype(np.float32)
            face = face * sample(self._moon, u, v, wrap=False)[..., None]
        part += (face - part) * weight[..., None]


def _cloud_sheet(seed: int, light: Light) -> Image:
    """Return density and brightness of a periodic cloud sheet."""
    big = field(seed, "clouds", _CLOUD_SIZE, slope=1.75, low=3, high=240)
    low, high = np.quantile(big, (0.02, 0.98))
    density = np.clip((big - low) / (high - low), 0, 1).astype(np.float32)
    soft = blurred(np.pad(density, 32, mode="wrap"), 7)[32:-32, 32:-32]
    toward = 14 if light.sun_height < 0.3 else 7
    behind = np.roll(soft, -toward, axis=0)
    shade = np.clip(0.62 + (density - behind) * 2.6 - (soft - 0.6) * 0.9, 0, 1)
    return np.ascontiguousarray(np.dstack([density, shade.astype(np.float32)]))


def _star_list(seed: int) -> Image:
    draw = stream(seed, "stars")
    count = 2600
    stars = np.empty((count, 3), np.float32)
    stars[:, 0] = draw.uniform(-1.6, 1.6, count)
    stars[:, 1] = draw.uniform(0.01, 1.7, count)
    stars[:, 2] = 0.12 + 0.9 * draw.random(count) ** 7
    return stars


def _moon_picture(seed: int) -> Image:
    """Return the brightness of a full moon's face, 128 pixels wide."""
    patches = blurred(field(seed, "moon", 128, slope=1.6, low=2), 1.2)
    face = 0.93 - 0.13 * smoothstep(0.1, 1.2, patches)
    draw = stream(seed, "craters")
    for x, y, r in zip(draw.uniform(10, 118, 26), draw.uniform(10, 118, 26),
                       draw.exponential(3.0, 26) + 1, strict=True):  # fmt: skip
        cv2.circle(face, (int(x), int(y)), int(r), 0.86, -1, cv2.LINE_AA)
    return blurred(np.ascontiguousarray(face, np.float32), 0.8)
