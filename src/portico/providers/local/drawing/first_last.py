"""Go from a first picture to a last one: flow where they are alike, a dissolve where not."""

from collections.abc import Iterator
from typing import cast

import cv2
import numpy as np

from portico.providers.local.drawing.camera_move import ease
from portico.providers.local.drawing.picture_move import covered
from portico.providers.local.drawing.pixels import Bytes, Image, blurred
from portico.providers.local.size import Size

_FLOW_SIDE = 512
_ALIKE = 26.0  # mean difference after warping, of 255, up to which the flow is believed


def between(first: Bytes, last: Bytes, size: Size, *, frames: int) -> Iterator[Bytes]:
    """Yield `frames` frames that begin with the first picture and end with the last."""
    start, end = covered(first, size), covered(last, size)
    forth, back = _flow(start, end), _flow(end, start)
    if _difference(start, end, forth) > _ALIKE:
        forth, back = forth * 0, back * 0
    x = np.arange(size[0], dtype=np.float32)[None, :]
    y = np.arange(size[1], dtype=np.float32)[:, None]
    for index in range(frames):
        moment = index / max(1, frames - 1)
        share = ease(moment)
        one = _moved(start, forth, share, x, y)
        two = _moved(end, back, 1 - share, x, y)
        fade = share * share * (3 - 2 * share)
        yield cast("Bytes", cv2.addWeighted(one, 1 - fade, two, fade, 0))


def _flow(start: Bytes, end: Bytes) -> Image:
    """Return where each pixel of `end`'s frame comes from in `start`, as an offset at full size."""
    height, width = start.shape[:2]
    scale = min(1.0, _FLOW_SIDE / max(height, width))
    small = max(32, round(width * scale)), max(32, round(height * scale))
    grey = [
        cv2.cvtColor(cv2.resize(p, small, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        for p in (start, end)
    ]
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    found = finder.calc(grey[0], grey[1], np.zeros((small[1], small[0], 2), np.float32))
    smooth = blurred(cast("Image", found), 3)
    whole = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR)
    return cast("Image", whole * np.array([width / small[0], height / small[1]], np.float32))


def _difference(start: Bytes, end: Bytes, flow: Image) -> float:
    height, width = start.shape[:2]
    x = np.arange(width, dtype=np.float32)[None, :]
    y = np.arange(height, dtype=np.float32)[:, None]
    moved = _moved(start, flow, 1.0, x, y)
    return float(np.abs(moved[::4, ::4].astype(np.float32) - end[::4, ::4]).mean())


def _moved(picture: Bytes, flow: Image, share: float, x: Image, y: Image) -> Bytes:
    u = x - flow[..., 0] * np.float32(share)
    v = y - flow[..., 1] * np.float32(share)
    out = cv2.remap(picture, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return cast("Bytes", out)
