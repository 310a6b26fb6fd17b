"""Lay a garment over a person: a plain demonstration, not a try-on.

It finds what stands in the middle, marks the part of the body by its height, bends the garment
row by row to the body's width and keeps the person's shading. No sleeves, no legs, no pose.
"""

# ruff: noqa: PLR2004 - a picture is made of proportions

from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from portico.providers.local.drawing.picture_move import foreground
from portico.providers.local.drawing.pixels import Bytes, Image, blurred

_SIDE = 384
_BANDS = {  # shares of the body's height, from the crown
    "upper": (0.16, 0.54),
    "coat": (0.15, 0.72),
    "lower": (0.50, 0.95),
    "dress": (0.16, 0.80),
    "jumpsuit": (0.16, 0.93),
    "full": (0.15, 0.95),
}


def dressed(person: Bytes, garment: Bytes, part: str) -> Bytes:
    """Return the person with the garment laid over one part of the body."""
    height, width = person.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    small = _resized(person, (max(16, round(width * scale)), max(16, round(height * scale))))
    body = foreground(small)
    if body is None:
        body = _ellipse(small.shape[0], small.shape[1])
    cover, u, v = _fitted(body, _BANDS.get(part, _BANDS["upper"]))
    cloth, grain = _garment(garment)
    size = cloth.shape[1] - 1, cloth.shape[0] - 1
    where = [cv2.resize(m, (width, height), interpolation=cv2.INTER_LINEAR) for m in (cover, u, v)]
    laid = cv2.remap(cloth, where[1] * size[0], where[2] * size[1], cv2.INTER_LINEAR)
    solid = cv2.remap(grain, where[1] * size[0], where[2] * size[1], cv2.INTER_LINEAR)
    weight = where[0] * solid
    shade = _shading(person, weight)
    mixed = person + (laid * shade[..., None] - person) * weight[..., None]
    return np.clip(mixed, 0, 255).astype(np.uint8)


def _fitted(body: Image, band: tuple[float, float]) -> tuple[Image, Image, Image]:
    """Return how much of each pixel is covered, and where in the garment it reads."""
    rows = np.flatnonzero(body.sum(axis=1) > 2)
    first, last = (int(rows[0]), int(rows[-1])) if rows.size else (0, body.shape[0] - 1)
    tall = max(1, last - first)
    top, bottom = first + tall * band[0], first + tall * band[1]
    y = np.arange(body.shape[0], dtype=np.float32)
    x = np.arange(body.shape[1], dtype=np.float32)
    weight = body.sum(axis=1) + 1e-6
    centre = (body @ x) / weight
    spread = np.sqrt(np.maximum((body @ (x * x)) / weight - centre**2, 1)) * 1.95
    inside = (y >= top) & (y <= bottom)
    middle, half = _smooth(centre, inside), _smooth(spread, inside)
    u = np.clip(0.5 + (x[None, :] - middle[:, None]) / (2 * half[:, None]), 0, 1)
    v = np.clip((y - top) / max(bottom - top, 1), 0, 1)[:, None] + 0 * u
    edge = np.clip(np.minimum(y - top, bottom - y) / (tall * 0.012 + 1), 0, 1)[:, None]
    cover = blurred(body.astype(np.float32), 1.2) * edge
    return cover.astype(np.float32), u.astype(np.float32), v.astype(np.float32)


def _smooth(profile: Image, inside: npt.NDArray[np.bool_]) -> Image:
    """Smooth a profile down the body, so that the cloth hangs and does not jitter."""
    known = np.flatnonzero(inside)
    filled = np.interp(np.arange(profile.size), known, profile[known]) if known.size else profile
    kernel = np.ones(9) / 9
    return np.convolve(np.pad(filled, 4, mode="edge"), kernel, mode="valid").astype(np.float32)


def _garment(picture: Bytes) -> tuple[Image, Image]:
    """Return the garment cut out of its plain ground: colours and a soft mask."""
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    ground = np.median(border, axis=0)
    distance = np.abs(picture.astype(np.float32) - ground).max(axis=2)
    mask = (distance > 26).astype(np.uint8)
    mask = cast("Bytes", cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)))
    if float(mask.mean()) < 0.05:
        mask[:] = 1
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)
    cloth = np.ascontiguousarray(picture[box].astype(np.float32))
    return cloth, blurred(np.ascontiguousarray(mask[box].astype(np.float32)), 1.5)


def _shading(person: Bytes, weight: Image) -> Image:
    """Return the person's own light and shadow, around 1, for the cloth to keep."""
    grey = cast("Bytes", cv2.cvtColor(person, cv2.COLOR_RGB2GRAY)).astype(np.float32)
    soft = blurred(grey, max(1.0, person.shape[1] / 160))
    seen = weight > 0.5
    level = float(np.median(soft[seen])) if bool(seen.any()) else 128.0
    return np.asarray(np.clip(0.55 + 0.45 * soft / max(level, 8.0), 0.4, 1.35), np.float32)


def _ellipse(height: int, width: int) -> Image:
    mask = np.zeros((height, width), np.uint8)
    axes = width // 4, round(height * 0.46)
    cv2.ellipse(mask, (width // 2, height // 2), axes, 0, 0, 360, 1, -1)
    return mask.astype(np.float32)


def _resized(picture: Bytes, size: tuple[int, int]) -> Bytes:
    return cast("Bytes", cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
