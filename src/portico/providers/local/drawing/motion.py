"""Carry the camera motion of a video over to a still picture."""

from collections.abc import Iterable, Iterator
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from portico.providers.local.drawing.picture_move import covered
from portico.providers.local.drawing.pixels import Bytes
from portico.providers.local.size import Size

_TRACK_SIDE = 320
_ROOM = 1.10
_ZOOM_MIN, _ZOOM_MAX = 0.7, 1.8
_SHIFT_MAX = 0.45
_CORNERS_MIN = 8

Matrix = npt.NDArray[np.float64]


def follow(picture: Bytes, video: Iterable[Bytes], size: Size, *, frames: int) -> Iterator[Bytes]:
    """Yield the picture moved as the video's camera moved, at most `frames` frames."""
    stage = covered(picture, size)
    tracker = _Tracker(size)
    for index, frame in enumerate(video):
        if index >= frames:
            return
        yield _shown(stage, tracker.step(frame), size)


class _Tracker:
    """Adds up similarity transforms from one frame to the next."""

    def __init__(self, size: Size) -> None:
        self._size = size
        self._before: Bytes | None = None
        self._sum: Matrix = np.eye(3)

    def step(self, frame: Bytes) -> Matrix:
        """Return the motion since the first frame, in pixels of the output."""
        scale = _TRACK_SIDE / max(frame.shape[:2])
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        grey = cast("Bytes", cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
        if self._before is not None:
            step = _similarity(self._before, grey)
            ratio = self._size[0] / grey.shape[1]
            middle = np.array([grey.shape[1] / 2, grey.shape[0] / 2])
            self._sum = _bounded(_centred(step, middle, ratio) @ self._sum, self._size)
        self._before = grey
        return self._sum


def _similarity(before: Bytes, after: Bytes) -> Matrix:
    """Return the 3x3 similarity between two frames; identity when there is nothing to track."""
    still: Matrix = np.eye(3)
    corners = cv2.goodFeaturesToTrack(before, 160, 0.01, 7)
    if getattr(corners, "size", 0) < 2 * _CORNERS_MIN:  # None when there is not a single one
        return still
    moved, good, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, None)  # type: ignore[call-overload]
    keep = good.ravel() == 1
    if int(keep.sum()) < _CORNERS_MIN:
        return still
    cv2.setRNGSeed(7)
    found, _ = cv2.estimateAffinePartial2D(corners[keep], moved[keep], ransacReprojThreshold=1.5)
    if found is None:
        return still
    still[:2] = found
    return still


def _centred(step: Matrix, middle: Matrix, ratio: float) -> Matrix:
    """Express a step about the frame's middle, in pixels of the output."""
    out = step.copy()
    out[:2, 2] = (step[:2, :2] @ middle + step[:2, 2] - middle) * ratio
    return out


def _bounded(total: Matrix, size: Size) -> Matrix:
    """Keep the sum of many steps within what a still picture can show."""
    zoom = float(np.sqrt(abs(np.linalg.det(total[:2, :2]))))
    out = total.copy()
    out[:2, :2] *= min(max(zoom, _ZOOM_MIN), _ZOOM_MAX) / max(zoom, 1e-6)
    out[0, 2] = np.clip(out[0, 2], -_SHIFT_MAX * size[0], _SHIFT_MAX * size[0])
    out[1, 2] = np.clip(out[1, 2], -_SHIFT_MAX * size[1], _SHIFT_MAX * size[1])
    return out


def _shown(stage: Bytes, motion: Matrix, size: Size) -> Bytes:
    width, height = size
    matrix = np.zeros((2, 3))
    matrix[:, :2] = motion[:2, :2] * _ROOM
    middle = np.array([width / 2, height / 2])
    matrix[:, 2] = middle + motion[:2, 2] - matrix[:, :2] @ middle
    out = cv2.warpAffine(
        stage, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return cast("Bytes", out)
