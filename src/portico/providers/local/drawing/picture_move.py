"""Move a camera over a still picture: pans, pushes and a gentle parallax."""

# ruff: noqa: PLR2004 - a picture is made of proportions

from collections.abc import Iterator
from typing import cast

import cv2
import numpy as np

from portico.providers.local.drawing.camera_move import ease, pose
from portico.providers.local.drawing.pixels import Bytes, Image, blurred
from portico.providers.local.size import Size

_MARGIN = 1.16  # the picture is this much larger than the frame, so that there is room to move
_TOP_SHARE = 0.25  # of what a crop removes from the height, the part removed above
_CUT_SIDE = 224
_FLAT = 9.0  # deviation, of 255, below which a picture is one plain surface
_ZOOM = 0.11


class PictureMove:
    """One picture as a stage for a camera."""

    def __init__(self, picture: Bytes, size: Size, *, deep: bool = True) -> None:
        width, height = size
        self._size = size
        self._stage = covered(picture, (round(width * _MARGIN), round(height * _MARGIN)))
        depth = picture_depth(self._stage) if deep else None
        self._depth = None if depth is None else _resized_floats(depth, size)
        self._x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2)[None, :]
        self._y = (np.arange(height, dtype=np.float32) + 0.5 - height / 2)[:, None]

    def frame(self, move: str, moment: float, *, seconds: float, seed: int) -> Bytes:
        """Return the picture as the camera sees it at `moment`, 0 to 1."""
        zoom, dx, dy, lean = _path(move, moment, seconds=seconds, seed=seed)
        width, height = self._size
        scale = np.float32(1.0 / zoom)
        u = self._x * scale + np.float32(dx * width)
        v = self._y * scale + np.float32(dy * height)
        if self._depth is not None:
            near = self._depth - np.float32(0.5)
            u = u - near * np.float32(lean * width)
            v = v + near * (self._y * np.float32((1 - 1 / zoom) * -0.35))
            u = u + near * (self._x * np.float32((1 - 1 / zoom) * -0.35))
        grid_u, grid_v = np.broadcast_arrays(u, v)
        stage_h, stage_w = self._stage.shape[:2]
        moved = cv2.remap(
            self._stage,
            (grid_u + np.float32(stage_w / 2 - 0.5)).astype(np.float32),
            (grid_v + np.float32(stage_h / 2 - 0.5)).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        return cast("Bytes", moved)


def moved_picture(
    picture: Bytes, size: Size, *, move: str, frames: int, fps: int, seed: int
) -> Iterator[Bytes]:
    """Yield `frames` frames of one camera move over a picture."""
    stage = PictureMove(picture, size)
    for index in range(frames):
        moment = index / max(1, frames - 1)
        yield stage.frame(move, moment, seconds=frames / fps, seed=seed)


def covered(picture: Bytes, size: Size) -> Bytes:
    """Return the picture cut and scaled to fill `size`; heads are kept rather than feet."""
    height, width = picture.shape[:2]
    ratio = size[0] / size[1]
    if width / height > ratio:
        keep = max(1, round(height * ratio))
        left = (width - keep) // 2
        picture = picture[:, left : left + keep]
    else:
        keep = max(1, round(width / ratio))
        top = round((height - keep) * _TOP_SHARE)
        picture = picture[top : top + keep]
    smaller = size[0] < picture.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return cast("Bytes", cv2.resize(np.ascontiguousarray(picture), size, interpolation=method))


def picture_depth(picture: Bytes) -> Image:
    """Return a guess at nearness, 0 to 1 and very soft: lower is nearer, and so is a subject."""
    height, width = picture.shape[:2]
    scale = _CUT_SIDE / max(height, width)
    small = cv2.resize(
        picture, (max(16, round(width * scale)), max(16, round(height * scale))),
        interpolation=cv2.INTER_AREA,
    )  # fmt: skip
    ramp = np.linspace(0.15, 0.75, small.shape[0], dtype=np.float32)[:, None]
    depth = np.repeat(ramp, small.shape[1], axis=1)
    subject = foreground(cast("Bytes", small))
    if subject is not None:
        depth = np.maximum(depth, subject * np.float32(0.85))
    return blurred(np.ascontiguousarray(depth, np.float32), _CUT_SIDE * 0.045)


def foreground(small: Bytes) -> Image | None:
    """Return a mask of what stands in the middle of a small picture; None when nothing does."""
    height, width = small.shape[:2]
    if float(small.std()) < _FLAT:
        return None
    mask = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    mask[: height // 20 + 1] = cv2.GC_BGD
    mask[:, : width // 20 + 1] = cv2.GC_BGD
    mask[:, -(width // 20 + 1) :] = cv2.GC_BGD
    mask[round(height * 0.08) : round(height * 0.95), round(width * 0.28) : round(width * 0.72)] = (
        cv2.GC_PR_FGD
    )
    cv2.setRNGSeed(7)
    try:
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(small, mask, (0, 0, 1, 1), *models, 3, cv2.GC_INIT_WITH_MASK)
    except cv2.error:
        return None
    found = ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.float32)
    return found if 0.03 < float(found.mean()) < 0.75 else None


def _path(
    move: str, moment: float, *, seconds: float, seed: int
) -> tuple[float, float, float, float]:
    """Return zoom, shift across and down (shares of the frame), and parallax."""
    eased = ease(moment)
    centred = eased - 0.5
    room = (_MARGIN - 1) / 2
    if move == "handheld":
        at = pose(move, moment, seconds=seconds, seed=seed)
        return 1.03, at.yaw * 1.6, at.pitch * 1.6, at.yaw * 1.2
    paths = {
        "static": (1.0, 0.0, 0.0, 0.0),
        "push": (1 + _ZOOM * eased, 0.0, 0.0, 0.012 * centred),
        "pull": (1 + _ZOOM * (1 - eased), 0.0, 0.0, -0.012 * centred),
        "pan_left": (1.02, -2 * room * centred, 0.0, -0.035 * centred),
        "pan_right": (1.02, 2 * room * centred, 0.0, 0.035 * centred),
        "tilt_up": (1.02, 0.0, -2 * room * centred, 0.0),
        "tilt_down": (1.02, 0.0, 2 * room * centred, 0.0),
        "rise": (1.0 + 0.04 * eased, 0.0, -1.6 * room * centred, 0.0),
        "orbit": (1.04, 0.4 * room * centred, 0.0, 0.07 * centred),
    }
    return paths.get(move, paths["push"])


def _resized_floats(values: Image, size: Size) -> Image:
    return cast("Image", cv2.resize(values, size, interpolation=cv2.INTER_LINEAR))
