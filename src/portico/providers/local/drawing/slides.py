"""Show several pictures one after the other, each with its own move, blended at the seams."""

from collections.abc import Iterator
from typing import cast

import cv2

from portico.providers.local.drawing.picture_move import PictureMove
from portico.providers.local.drawing.pixels import Bytes
from portico.providers.local.size import Size

_MOVES = ("push", "pan_right", "pull", "pan_left", "rise")
_BLEND = 0.22  # of one picture's time


def slides(
    pictures: list[Bytes], size: Size, *, move: str | None, frames: int, fps: int, seed: int
) -> Iterator[Bytes]:
    """Yield `frames` frames; each picture gets an equal share of the time."""
    stages: dict[int, PictureMove] = {}
    share = frames / len(pictures)
    for index in range(frames):
        shown = min(int(index / share), len(pictures) - 1)
        for gone in [key for key in stages if key < shown]:
            del stages[gone]
        inside = index / share - shown
        frame = _shot(stages, pictures, shown, inside, (size, move, share / fps, seed))
        rest = 1 - inside
        if rest < _BLEND and shown + 1 < len(pictures):
            following = _shot(stages, pictures, shown + 1, 0.0, (size, move, share / fps, seed))
            weight = 1 - rest / _BLEND
            frame = cast("Bytes", cv2.addWeighted(frame, 1 - weight, following, weight, 0))
        yield frame


def _shot(
    stages: dict[int, PictureMove],
    pictures: list[Bytes],
    number: int,
    moment: float,
    style: tuple[Size, str | None, float, int],
) -> Bytes:
    size, move, seconds, seed = style
    if number not in stages:
        stages[number] = PictureMove(pictures[number], size)
    chosen = move or _MOVES[number % len(_MOVES)]
    return stages[number].frame(chosen, moment, seconds=seconds, seed=seed)
