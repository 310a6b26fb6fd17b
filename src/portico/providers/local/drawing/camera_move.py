"""Turn a camera word and a moment into where the camera is."""

import math
from dataclasses import dataclass

import numpy as np

from portico.providers.local.drawing.noise import stream


@dataclass(frozen=True, slots=True)
class Pose:
    """The camera against its starting place: angles in radians, the rest in scene units of 1."""

    yaw: float = 0.0
    pitch: float = 0.0
    forward: float = 0.0
    side: float = 0.0
    rise: float = 0.0


def pose(move: str, moment: float, *, seconds: float, seed: int) -> Pose:
    """Return the pose at `moment` (0 to 1 of a clip of `seconds`); the path is eased."""
    if move == "handheld":
        return _shake(moment * seconds, seed)
    eased = ease(moment)
    centred = eased - 0.5
    angle = 0.07 * min(seconds, 8.0)
    poses = {
        "push": Pose(forward=eased),
        "pull": Pose(forward=1 - eased),
        "pan_left": Pose(yaw=-angle * centred),
        "pan_right": Pose(yaw=angle * centred),
        "tilt_up": Pose(pitch=0.22 * centred),
        "tilt_down": Pose(pitch=-0.22 * centred),
        "rise": Pose(rise=eased, pitch=-0.05 * eased, forward=0.25 * eased),
        "orbit": Pose(yaw=-0.35 * centred, side=0.8 * centred, forward=0.15 * eased),
    }
    return poses.get(move, Pose())


def ease(moment: float) -> float:
    """Start and stop softly but keep moving: half linear, half smoothstep."""
    x = min(max(moment, 0.0), 1.0)
    return 0.5 * x + 0.5 * x * x * (3 - 2 * x)


def _shake(time_s: float, seed: int) -> Pose:
    phases = stream(seed, "handheld").uniform(0, 2 * math.pi, 6)
    rates = np.array([0.9, 1.7, 3.1, 0.7, 1.9, 2.7])
    waves = np.sin(phases + rates * time_s * 2) * np.array([1, 0.6, 0.25] * 2)
    return Pose(yaw=0.008 * float(waves[:3].sum()), pitch=0.006 * float(waves[3:].sum()))
