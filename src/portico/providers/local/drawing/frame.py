"""Describe the picture plane: its size, its focal length and where the horizon lies."""

import math
from dataclasses import dataclass, field

import numpy as np

from portico.providers.local.drawing.camera_move import Pose
from portico.providers.local.drawing.pixels import Image


@dataclass(frozen=True, slots=True)
class Plane:
    """A picture plane of `width` x `height` pixels.

    Slopes are tangents: `across` is to the right of the middle column, `up` above the horizon.
    """

    width: int
    height: int
    horizon: float = 0.5  # share of the height above the horizon, camera level
    across: Image = field(init=False)

    def __post_init__(self) -> None:
        columns = (np.arange(self.width, dtype=np.float32) + 0.5 - self.width / 2) / self.focal
        object.__setattr__(self, "across", columns.astype(np.float32))

    @property
    def focal(self) -> float:
        """Focal length in pixels; the same view for every size of one ratio."""
        return 0.5 * (self.width + self.height) * 0.62 + 0.25 * max(self.width, self.height)

    def horizon_row(self, pose: Pose) -> float:
        """Return the row of the horizon for a pose; pitch shears the picture."""
        return self.height * self.horizon + self.focal * math.tan(pose.pitch)

    def up(self, pose: Pose) -> Image:
        """Return each row's slope above the horizon."""
        rows = np.arange(self.height, dtype=np.float32) + 0.5
        return ((self.horizon_row(pose) - rows) / self.focal).astype(np.float32)
