"""Make the grounds: mountains, dunes, rolling meadows; each with its baked colour and light."""

# ruff: noqa: PLR2004 - a picture is made of proportions

import numpy as np

from portico.providers.local.drawing.light import Light
from portico.providers.local.drawing.noise import field, unit
from portico.providers.local.drawing.pixels import Image, colour, sample, smoothstep
from portico.providers.local.drawing.prompt import Spec
from portico.providers.local.drawing.terrain import Ground, lit, tinted, wrapped_blur

_SIZE = 1024


def mountains(spec: Spec, light: Light, *, wet: bool = False) -> Ground:
    """Return alpine ground of 14 km; with `wet`, height 0 is a lake's level."""
    period_m, relief_m = 14_000.0, 1_500.0
    rolling = field(spec.seed, "mountains", _SIZE, slope=2.05, low=2, high=380)
    crest = field(spec.seed, "ridges", _SIZE, slope=1.95, low=3, high=380)
    ridge = 1 - np.sqrt(np.square(crest) + 0.02)
    shape = unit(_warped(rolling * 0.55 + ridge * 0.75, spec.seed, 16.0))
    shape = shape**1.35
    fine = field(spec.seed, "scree", _SIZE, slope=1.55, low=24, high=420)
    heights = (shape + fine * 0.011 * (0.25 + shape)) * relief_m
    level = np.quantile(heights, 0.40 if wet else 0.02)
    heights = (heights - level).astype(np.float32)
    if wet:  # gentle shores
        heights = np.where(heights > 0, heights, heights * 0.6).astype(np.float32)
    cell_m = period_m / _SIZE
    albedo = _alpine(spec, heights, cell_m, relief_m, wet=wet)
    direct, sky = lit(heights, cell_m, light)
    return Ground(
        heights=heights, tint=tinted(albedo, direct, sky, light), period_m=period_m,
        detail_m=170.0, detail=0.26, near_m=14.0, far_m=13_000.0, fog_m=15_000.0,
    )  # fmt: skip


def dunes(spec: Spec, light: Light) -> Ground:
    """Return sand dunes on 2.4 km, crests across the wind."""
    period_m = 2_400.0
    cell_m = period_m / _SIZE
    warp = field(spec.seed, "dune warp", _SIZE, slope=2.2, low=1, high=14)
    size = field(spec.seed, "dune size", _SIZE, slope=2.0, low=1, high=8)
    north = np.arange(_SIZE, dtype=np.float32)[:, None] / _SIZE
    east = np.arange(_SIZE, dtype=np.float32)[None, :] / _SIZE
    heights = np.zeros((_SIZE, _SIZE), np.float32)
    for waves_n, waves_e, tall, shift in (
        (11, 4, 27.0, 0.24),
        (19, -7, 6.0, 0.4),
        (31, 9, 1.4, 0.6),
    ):
        phase = (north * waves_n + east * waves_e + warp * shift) % 1.0
        rise = np.where(phase < 0.68, phase / 0.68, (1 - phase) / 0.32)
        smooth = rise * rise * (3 - 2 * rise) * 0.5 + rise * 0.5
        heights += (smooth * tall * np.clip(0.75 + 0.38 * size, 0.15, 1.6)).astype(np.float32)
    heights = _soft(heights, 0.7)
    sand = np.array([0.80, 0.58, 0.36], np.float32)
    vary = field(spec.seed, "sand", _SIZE, slope=1.4, low=4)
    albedo = sand * (1 + 0.045 * vary[..., None])
    direct, sky = lit(heights, cell_m, light)
    return Ground(
        heights=heights, tint=tinted(albedo, direct, sky, light), period_m=period_m,
        detail_m=9.0, detail=0.05, near_m=2.5, far_m=4_500.0, fog_m=5_200.0,
    )  # fmt: skip


def meadow(spec: Spec, light: Light) -> Ground:
    """Return rolling grassland of 3 km, with flowers in drifts when asked for."""
    period_m = 3_000.0
    cell_m = period_m / _SIZE
    hills = field(spec.seed, "hills", _SIZE, slope=2.3, low=2, high=60)
    heights = _soft(hills * 21.0, 1.5)
    patches = field(spec.seed, "patches", _SIZE, slope=1.5, low=5, high=300)
    lush = smoothstep(-1.2, 1.4, patches)[..., None]
    albedo = _mix((0.30, 0.36, 0.10), (0.15, 0.31, 0.07), lush)
    dry = smoothstep(0.9, 2.0, field(spec.seed, "dry", _SIZE, slope=1.7, low=4))[..., None]
    albedo = albedo + (colour((0.46, 0.42, 0.18)) - albedo) * dry * 0.6
    if "flowers" in spec.subjects:
        albedo = _flowered(albedo, spec.seed)
    woods = smoothstep(0.75, 0.95, field(spec.seed, "woods", _SIZE, slope=1.6, low=7, high=120))
    albedo = albedo + (colour((0.055, 0.11, 0.035)) - albedo) * woods[..., None]
    crowns = field(spec.seed, "crowns", _SIZE, slope=0.2, low=90, high=260)
    heights = (heights + woods * (8.0 + 2.2 * np.tanh(crowns))).astype(np.float32)
    albedo = albedo * (1 + woods * 0.35 * np.tanh(crowns))[..., None]
    if spec.weather == "snow":
        albedo = albedo * 0.18 + colour((0.80, 0.83, 0.88)) * 0.9
    direct, sky = lit(heights, cell_m, light, soft=0.25)
    return Ground(
        heights=heights, tint=tinted(albedo.astype(np.float32), direct, sky, light),
        period_m=period_m, detail_m=14.0, detail=0.16, near_m=1.6, far_m=7_000.0, fog_m=6_500.0,
    )  # fmt: skip


def _flowered(albedo: Image, seed: int) -> Image:
    """Tint the ground where flowers stand in drifts."""
    for index, petal in enumerate(((0.62, 0.14, 0.10), (0.66, 0.56, 0.14), (0.42, 0.26, 0.58))):
        drift = field(seed, f"drift {index}", _SIZE, slope=1.1, low=8, high=400)
        weight = smoothstep(0.5, 1.9, drift)[..., None] * np.float32(0.62)
        albedo = albedo + (colour(petal) - albedo) * weight
    return albedo


def _alpine(spec: Spec, heights: Image, cell_m: float, relief_m: float, *, wet: bool) -> Image:
    """Return what grows or lies where: woods, grass, rock, snow; sand at a shore."""
    level = heights / relief_m
    dx = (np.roll(heights, -1, 1) - np.roll(heights, 1, 1)) / (2 * cell_m)
    dz = (np.roll(heights, -1, 0) - np.roll(heights, 1, 0)) / (2 * cell_m)
    steep = np.hypot(dx, dz)
    vary = field(spec.seed, "growth", _SIZE, slope=1.2, low=6)
    speckle = field(spec.seed, "speckle", _SIZE, slope=0.2, low=80)
    woods = colour((0.055, 0.105, 0.045)) * (1 + 0.28 * speckle[..., None])
    grass = colour((0.21, 0.25, 0.09)) * (1 + 0.10 * vary[..., None])
    rock = colour((0.40, 0.37, 0.345)) * (1 + 0.13 * vary[..., None] + 0.08 * speckle[..., None])
    low = 0.10 if wet else 0.20
    albedo = woods + (grass - woods) * smoothstep(low, low + 0.12, level + 0.05 * vary)[..., None]
    bare = smoothstep(0.62, 0.95, steep + 0.9 * level + 0.10 * vary - 0.15)
    albedo = albedo + (rock - albedo) * bare[..., None]
    line = -1.0 if spec.weather == "snow" else 0.40 if wet else 0.33
    snow = smoothstep(line, line + 0.10, level + 0.035 * vary - 0.16 * np.maximum(steep - 0.55, 0))
    snow = snow * (1 - smoothstep(1.05, 1.7, steep))
    albedo = albedo + (colour((0.86, 0.90, 0.96)) - albedo) * snow[..., None]
    if wet:
        shore = smoothstep(0.006, 0.001, level)[..., None]
        albedo = albedo + (colour((0.36, 0.33, 0.27)) - albedo) * shore
    return albedo.astype(np.float32)


def _warped(values: Image, seed: int, cells: float) -> Image:
    """Bend a field by another, so that its features look eroded and not like noise."""
    size = values.shape[0]
    dx = field(seed, "warp x", size, slope=2.0, low=3, high=60) * cells
    dz = field(seed, "warp z", size, slope=2.0, low=3, high=60) * cells
    u = (np.arange(size, dtype=np.float32)[None, :] + dx).astype(np.float32)
    v = (np.arange(size, dtype=np.float32)[:, None] + dz).astype(np.float32)
    return sample(np.ascontiguousarray(values, np.float32), u, v)


def _soft(values: Image, cells: float) -> Image:
    return wrapped_blur(np.ascontiguousarray(values, np.float32), cells)


def _mix(
    first: tuple[float, float, float], second: tuple[float, float, float], weight: Image
) -> Image:
    return (colour(first) + (colour(second) - colour(first)) * weight).astype(np.float32)
