"""Paint water: an FFT ocean's slopes, reflections of what is already drawn, glitter and foam."""

# ruff: noqa: PLR2004 - a picture is made of proportions

import math

import numpy as np

from portico.providers.local.drawing.camera_move import Pose
from portico.providers.local.drawing.frame import Plane
from portico.providers.local.drawing.light import Light, sun_direction
from portico.providers.local.drawing.noise import field, stream
from portico.providers.local.drawing.pixels import (
    Image,
    colour,
    merged,
    planes,
    sample,
    shrunk,
    smoothstep,
)

_GRID = 256


class Swell:
    """A periodic sea surface of 256² points that moves with the dispersion of deep water."""

    def __init__(self, seed: int, *, wind_m: float, period_m: float, heading: float) -> None:
        draw = stream(seed, "swell")
        k = np.fft.fftfreq(_GRID, 1 / _GRID).astype(np.float32) * (2 * math.pi / period_m)
        self._kx, self._kz = k[None, :], k[:, None]
        size = np.hypot(self._kx, self._kz)
        size[0, 0] = 1
        along = (self._kx * math.sin(heading) + self._kz * math.cos(heading)) / size
        power = np.exp(-1 / (size * wind_m) ** 2) / size**4 * (0.12 + along**2)
        power *= np.exp(-((size * period_m / 330) ** 2))
        power[0, 0] = 0
        noise = draw.standard_normal((2, _GRID, _GRID), dtype=np.float32)
        self._start = (np.sqrt(power) * (noise[0] + 1j * noise[1])).astype(np.complex64)
        self._mirror = np.conj(np.roll(self._start[::-1, ::-1], 1, axis=(0, 1)))
        self._omega = np.sqrt(9.81 * size).astype(np.float32)
        self._scale = np.ones(3, np.float32)
        first = self.at(0.0)
        spread = np.array([first[..., 0].std(), first[..., 1:].std(), first[..., 1:].std()])
        self._scale = (1.0 / np.maximum(spread, 1e-9)).astype(np.float32)

    def at(self, time_s: float) -> Image:
        """Return height and slopes (x, z) at a moment, each of deviation about 1."""
        turn = np.exp(1j * (self._omega * np.float32(time_s))).astype(np.complex64)
        wave = self._start * turn + self._mirror * np.conj(turn)
        slopes = np.fft.ifft2(1j * self._kx * wave - self._kz * wave)
        height = np.fft.ifft2(wave).real
        out = np.stack([height, slopes.real, slopes.imag], axis=-1) * self._scale
        return np.ascontiguousarray(out, np.float32)


class Water:
    """A water plane at height 0 below a camera `camera_m` metres above it."""

    def __init__(
        self, plane: Plane, light: Light, seed: int, *, camera_m: float, rough: float, foam: float
    ) -> None:
        self._plane = plane
        self._light = light
        self.camera_m = camera_m
        self._rough = rough
        self._foam = foam
        heading = float(stream(seed, "wind").uniform(-0.5, 0.5))
        self._swell = Swell(seed, wind_m=3.2 if foam < 0.3 else 7.0, period_m=90.0, heading=heading)
        self._speckle = field(seed, "foam", 256, slope=0.6, low=8) * np.float32(0.4)
        white = (colour(light.ambient) + colour(light.direct) * np.float32(0.75)).clip(0, 0.95)
        self._white = white.tolist()

    def paint(
        self, picture: Image, pose: Pose, time_s: float, *, east: float, north: float
    ) -> None:
        """Paint everything below the horizon, in place; (east, north) is the camera's place."""
        row = self._plane.horizon_row(pose)
        first = max(0, math.ceil(row))
        if first >= self._plane.height:
            return
        rows = np.arange(first, self._plane.height, dtype=np.float32) + 0.5
        down = np.maximum((rows - row) / self._plane.focal, 2e-4).astype(np.float32)
        self._shade(picture, pose, first, down, self._swell.at(time_s), (east, north))

    def _shade(
        self, picture: Image, pose: Pose, first: int, down: Image, sea: Image,
        place: tuple[float, float],
    ) -> None:  # fmt: skip
        across = self._plane.across[None, :]
        q = down[:, None]
        depth = np.float32(self.camera_m) / q
        height, sx, sz = self._surface(sea, across, depth, pose, place)
        normal = 1 + sx * sx + sz * sz
        dot = (q + sz + across * sx) / normal
        up = 2 * dot - q  # a ray that goes down again is bent up: softly, or its edge would show
        ray = across - 2 * dot * sx, np.sqrt(up * up + np.float32(0.0012)), 1 - 2 * dot * sz
        ahead = 1 / np.maximum(ray[2], np.float32(0.15))
        facing = np.clip(dot * np.sqrt(normal / (1 + q * q + across * across)), 0, 1)
        away = 1 - facing
        fresnel = np.float32(0.03) + np.float32(0.97) * (away * away) ** 2 * away
        mirror = planes(self._mirror(picture, pose, ray[0] * ahead, ray[1] * ahead))
        spark = self._glitter(pose, ray, mirror[0])
        foam = self._foam_at(height, across * depth, depth, place) if self._foam > 0 else None
        air = np.exp(-q * np.float32(90.0 / max(self._light.haze, 0.4) ** 0.5)) * np.float32(0.55)
        thin = np.square(np.clip(0.3 + 0.2 * height, 0, 1)) * np.clip(q * 2.2, 0.15, 1.0)
        out = []
        for index, mirrored in enumerate(mirror):
            tone = thin * np.float32(self._light.shallow[index] - self._light.water[index])
            tone += np.float32(self._light.water[index])
            tone += (mirrored - tone) * fresnel
            if spark is not None:
                tone += spark * np.float32(self._light.sun[index])
            if foam is not None:
                tone += (np.float32(self._white[index]) - tone) * foam
            tone += (np.float32(self._light.horizon[index] * 0.92) - tone) * air
            out.append(tone)
        picture[first:] = merged(out)

    def _surface(
        self, sea: Image, across: Image, depth: Image, pose: Pose, place: tuple[float, float]
    ) -> tuple[Image, Image, Image]:
        """Return height and slopes per pixel from three sizes of the same swell."""
        cos, sin = np.float32(math.cos(pose.yaw)), np.float32(math.sin(pose.yaw))
        x = (across * cos + sin) * depth + np.float32(place[0])
        z = (cos - across * sin) * depth + np.float32(place[1])
        footprint = depth * depth / np.float32(self.camera_m * self._plane.focal)
        big = sample(sea, x * (_GRID / 90.0), z * (_GRID / 90.0))
        turned = x * 0.82 + z * 0.57, z * 0.82 - x * 0.57
        fine = sample(sea, turned[0] * (_GRID / 13.0), turned[1] * (_GRID / 13.0))
        far = sample(sea, x * (_GRID / 700.0) + 91, z * (_GRID / 700.0) + 37)
        w_big = 1 / (1 + (footprint / 14) ** 2)
        w_fine = 0.62 / (1 + (footprint / 1.6) ** 2)
        w_far = 0.55 / (1 + (footprint / 400) ** 2)
        rough = np.float32(self._rough)
        height, big_x, big_z = planes(big)
        _, fine_x, fine_z = planes(fine)
        _, far_x, far_z = planes(far)
        sx: Image = (big_x * w_big + fine_x * w_fine + far_x * w_far) * rough
        sz: Image = (big_z * w_big + fine_z * w_fine + far_z * w_far) * rough
        # A distant sea shows the faces turned to us, so it mirrors the higher sky.
        sz = sz - rough * np.float32(0.55) * (1 - w_big)
        return height * w_big, sx, sz

    def _mirror(self, picture: Image, pose: Pose, across: Image, up: Image) -> Image:
        """Sample the picture where the reflected rays point, from a half-size copy."""
        half = shrunk(picture, picture.shape[1] // 2, picture.shape[0] // 2)
        row = self._plane.horizon_row(pose)
        u = (across * self._plane.focal + self._plane.width / 2) * np.float32(0.5) - 0.5
        v = (row - 2 - up * self._plane.focal) * np.float32(0.5) - 0.5
        limit = half.shape[0] * 0.04
        v = np.where(v < limit, limit + (limit - v) * 0.25, v)
        v = np.minimum(v, row * 0.5 - 1)
        return sample(half, u.astype(np.float32), v.astype(np.float32), wrap=False)

    def _glitter(
        self, pose: Pose, ray: tuple[Image, Image, Image], mirrored: Image
    ) -> Image | None:
        """Return the sun's sparkle; none where the water mirrors land instead of bright sky."""
        if self._light.disc <= 0:
            return None
        sun = sun_direction(self._light, pose.yaw)
        rx, ry, rz = ray
        norm = np.sqrt(rx * rx + ry * ry + rz * rz)
        near = (rx * sun[0] + ry * sun[1] + rz * sun[2]) / norm - 1
        wide = np.exp(np.maximum(near, -1) * np.float32(40))
        sharp = np.exp(np.maximum(near, -0.05) * np.float32(420))
        strength = np.float32(self._light.disc * (0.5 if self._light.is_moon else 1.0))
        level = self._light.horizon[0] * (0.10 if self._light.is_moon else 0.5)
        open_sky = smoothstep(level * 0.6, level, mirrored)
        return np.asarray((sharp * 2.6 + wide * 0.2) * (strength * open_sky), np.float32)

    def _foam_at(self, height: Image, x: Image, depth: Image, place: tuple[float, float]) -> Image:
        east = (x + np.float32(place[0])) * 9
        north = np.broadcast_to((depth + np.float32(place[1])) * 9, x.shape)
        speckle = sample(self._speckle, east.astype(np.float32), north.astype(np.float32))
        crest = smoothstep(2.9 - self._foam, 3.9 - self._foam, height + speckle)
        return crest * np.float32(0.75)
