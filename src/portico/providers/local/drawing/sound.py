"""Make a scene's sound: filtered noise for wind, waves and rain, a soft chord elsewhere."""

# ruff: noqa: PLR2004 - a picture is made of proportions

import math

import numpy as np

from portico.providers.local.drawing.encode import SAMPLE_RATE, Sound
from portico.providers.local.drawing.noise import stream
from portico.providers.local.drawing.prompt import Spec

_CHORDS = {"space": (55.0, 82.4, 110.0, 164.8, 207.7), "city": (65.4, 98.0, 130.8, 196.0, 246.9)}


def scene_sound(spec: Spec, seconds: float) -> Sound:
    """Return stereo sound for a scene, faded in and out, peak below 0.7."""
    count = max(1, round(seconds * SAMPLE_RATE))
    time_s = np.arange(count, dtype=np.float32) / np.float32(SAMPLE_RATE)
    sound = np.zeros((2, count), np.float32)
    if spec.scene in {"sea", "lake"}:
        sound += _waves(spec, time_s) * np.float32(1.0 if spec.scene == "sea" else 0.3)
    if spec.scene in _CHORDS:
        sound += _chord(_CHORDS[spec.scene], time_s) * np.float32(0.5)
    if spec.scene != "space":
        gusty = 0.9 if spec.weather in {"storm", "snow"} else 0.35
        sound += _wind(spec, time_s) * np.float32(gusty)
    if spec.weather in {"rain", "storm"} and spec.scene != "space":
        sound += _band(spec.seed, "rain sound", count, 900, 9000) * np.float32(0.45)
    if spec.scene in {"meadow", "forest"} and spec.time in {"day", "dawn"}:
        sound += _chirps(spec, time_s) * np.float32(0.5)
    peak = float(np.abs(sound).max())
    fade = np.minimum(1, np.minimum(time_s / 0.4, (time_s[-1] - time_s) / 0.5 + 1e-3))
    return np.asarray(sound * fade * np.float32(0.6 / max(peak, 1e-6)), np.float32)


def _waves(spec: Spec, time_s: Sound) -> Sound:
    draw = stream(spec.seed, "wave sound")
    hiss = _band(spec.seed, "surf", time_s.size, 180, 3500)
    deep = _band(spec.seed, "rumble", time_s.size, 35, 220)
    phase = float(draw.uniform(0, 6.28))
    swell = 0.45 + 0.55 * np.sin(2 * math.pi * time_s / 5.3 + phase) ** 2
    return np.asarray(hiss * swell**2 * 0.8 + deep * 0.6 * swell, np.float32)


def _wind(spec: Spec, time_s: Sound) -> Sound:
    air = _band(spec.seed, "wind sound", time_s.size, 90, 700)
    phase = float(stream(spec.seed, "gust").uniform(0, 6.28))
    gust = 0.65 + 0.35 * np.sin(time_s * 0.9 + phase) * np.sin(time_s * 0.37 + 1)
    return np.asarray(air * gust, np.float32)


def _chord(notes: tuple[float, ...], time_s: Sound) -> Sound:
    left = sum(np.sin(2 * math.pi * f * time_s) / (i + 1.5) for i, f in enumerate(notes))
    right = sum(np.sin(2 * math.pi * f * 1.003 * time_s) / (i + 1.5) for i, f in enumerate(notes))
    beat = 0.7 + 0.3 * np.sin(time_s * 0.8)
    return np.asarray(np.stack([left, right]) * beat * 0.5, np.float32)


def _chirps(spec: Spec, time_s: Sound) -> Sound:
    draw = stream(spec.seed, "chirps")
    out = np.zeros((2, time_s.size), np.float32)
    for start in np.cumsum(draw.uniform(0.3, 1.6, 24)):
        pitch, side = draw.uniform(2600, 4600), draw.uniform(0.2, 0.8)
        local = time_s - np.float32(start)
        near = (local > 0) & (local < 0.12)
        if not near.any():
            continue
        t = local[near]
        note = np.sin(2 * math.pi * (pitch * t + 5200 * t * t)) * np.sin(math.pi * t / 0.12) ** 2
        out[0, near] += note * (1 - side)
        out[1, near] += note * side
    return out


def _band(seed: int, purpose: str, count: int, low_hz: float, high_hz: float) -> Sound:
    """Return stereo pink-ish noise between two frequencies, deviation 1/3."""
    white = stream(seed, purpose).standard_normal((2, count), dtype=np.float32)
    spectrum = np.fft.rfft(white)
    hz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    shape = 1 / (1 + (low_hz / np.maximum(hz, 1)) ** 4) / (1 + (hz / high_hz) ** 2)
    shape /= np.sqrt(np.maximum(hz, 20))
    out = np.fft.irfft(spectrum * shape, n=count)
    return np.asarray(out / max(float(out.std()) * 3, 1e-9), np.float32)
