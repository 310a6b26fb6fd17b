"""Why a file is refused, in words the parent knows."""

from enum import StrEnum


class Refusal(StrEnum):
    """What is wrong with a file; the parent shows a sentence of its own for each."""

    BROKEN = "broken"
    DIMENSIONS = "dimensions"
    DURATION = "duration"
    FRAMES = "frames"
    FRAME_RATE = "frame_rate"


class RefusedError(Exception):
    """A file that will not be taken."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal
