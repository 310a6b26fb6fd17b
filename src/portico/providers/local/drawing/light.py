"""Choose the light of a scene: the colours of sky, sun, clouds, air and water."""

# ruff: noqa: PLR2004 - a picture is made of proportions

import math
from dataclasses import dataclass, replace

from portico.providers.local.drawing.noise import stream
from portico.providers.local.drawing.pixels import RGB
from portico.providers.local.drawing.prompt import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """Colours (RGB, 0 to 1) and the sun's place; `sun_side` is its azimuth off the camera."""

    zenith: RGB
    middle: RGB
    horizon: RGB
    sun: RGB
    glow: RGB
    cloud_lit: RGB
    cloud_shade: RGB
    ambient: RGB
    direct: RGB
    water: RGB
    shallow: RGB
    sun_height: float
    sun_side: float
    cover: float = 0.3
    disc: float = 1.0
    haze: float = 1.0
    stars: float = 0.0
    is_moon: bool = False


_DAY = Light(
    zenith=(0.09, 0.27, 0.62), middle=(0.31, 0.56, 0.86), horizon=(0.74, 0.87, 0.95),
    sun=(1.0, 0.97, 0.88), glow=(0.55, 0.52, 0.42), cloud_lit=(1.0, 0.99, 0.97),
    cloud_shade=(0.60, 0.68, 0.79), ambient=(0.36, 0.44, 0.58), direct=(1.0, 0.93, 0.80),
    water=(0.012, 0.10, 0.17), shallow=(0.03, 0.30, 0.34), sun_height=0.62, sun_side=0.55,
)  # fmt: skip
_SUNSET = Light(
    zenith=(0.10, 0.14, 0.36), middle=(0.46, 0.30, 0.46), horizon=(1.0, 0.55, 0.26),
    sun=(1.0, 0.80, 0.46), glow=(1.0, 0.46, 0.14), cloud_lit=(1.0, 0.56, 0.34),
    cloud_shade=(0.30, 0.20, 0.33), ambient=(0.32, 0.25, 0.38), direct=(1.0, 0.58, 0.28),
    water=(0.035, 0.045, 0.085), shallow=(0.10, 0.09, 0.12), sun_height=0.075, sun_side=0.14,
)  # fmt: skip
_DAWN = Light(
    zenith=(0.24, 0.38, 0.64), middle=(0.62, 0.62, 0.78), horizon=(1.0, 0.81, 0.68),
    sun=(1.0, 0.93, 0.78), glow=(0.55, 0.36, 0.24), cloud_lit=(1.0, 0.84, 0.78),
    cloud_shade=(0.52, 0.50, 0.64), ambient=(0.42, 0.42, 0.52), direct=(1.0, 0.80, 0.62),
    water=(0.05, 0.10, 0.15), shallow=(0.12, 0.20, 0.24), sun_height=0.11, sun_side=-0.16,
    haze=1.7,
)  # fmt: skip
_NIGHT = Light(
    zenith=(0.008, 0.014, 0.045), middle=(0.022, 0.040, 0.10), horizon=(0.07, 0.11, 0.20),
    sun=(0.95, 0.96, 1.0), glow=(0.16, 0.20, 0.30), cloud_lit=(0.22, 0.26, 0.36),
    cloud_shade=(0.03, 0.045, 0.085), ambient=(0.085, 0.11, 0.19), direct=(0.34, 0.42, 0.58),
    water=(0.004, 0.010, 0.025), shallow=(0.01, 0.03, 0.05), sun_height=0.30, sun_side=0.17,
    stars=1.0, is_moon=True,
)  # fmt: skip
_LIGHTS = {"day": _DAY, "sunset": _SUNSET, "dawn": _DAWN, "night": _NIGHT}
_GREY = {  # how grey, how dark, cloud cover, haze, share of direct light
    "overcast": (0.75, 0.80, 0.80, 1.3, 0.25),
    "rain": (0.80, 0.62, 0.86, 2.2, 0.12),
    "storm": (0.62, 0.58, 0.80, 1.8, 0.15),
    "snow": (0.70, 0.92, 0.75, 2.2, 0.35),
    "fog": (0.65, 0.92, 0.45, 7.0, 0.30),
}


def choose_light(spec: Spec) -> Light:
    """Return the light for a spec's time and weather, with the sun's side from the seed."""
    light = _LIGHTS[spec.time]
    draw = stream(spec.seed, "light")
    side = light.sun_side * float(draw.choice((-1.0, 1.0))) * float(draw.uniform(0.6, 1.3))
    light = replace(light, sun_side=side)
    if spec.weather in _GREY:
        light = _greyed(light, *_GREY[spec.weather])
    cover = {"clear": 0.16, "cloudy": 0.52}.get(spec.weather, light.cover)
    if "clouds" in spec.subjects and spec.weather == "clear":
        cover = 0.45
    if "no_clouds" in spec.subjects or "no_cloudy" in spec.subjects:
        cover = 0.0
    if "no_fog" in spec.subjects:
        light = replace(light, haze=min(light.haze, 1.0))
    hide = "no_sun" in spec.subjects or ("no_moon" in spec.subjects and light.is_moon)
    return replace(light, cover=cover, disc=0.0 if hide else light.disc)


def sun_direction(light: Light, yaw: float = 0.0) -> tuple[float, float, float]:
    """Return the unit vector to the sun as (right, up, forward) of a camera turned by `yaw`."""
    side = light.sun_side - yaw
    flat = math.cos(light.sun_height)
    return flat * math.sin(side), math.sin(light.sun_height), flat * math.cos(side)


def _greyed(light: Light, grey: float, dark: float, cover: float, haze: float, sun: float) -> Light:
    def mute(rgb: RGB, share: float = 1.0) -> RGB:
        level = 0.3 * rgb[0] + 0.55 * rgb[1] + 0.15 * rgb[2]
        mixed = [(c + (level - c) * grey * share) * dark for c in rgb]
        return mixed[0], mixed[1], mixed[2]

    dim = tuple(c * sun for c in mute(light.direct))
    return replace(
        light,
        zenith=_near(mute(light.zenith), mute(light.horizon), 0.45 * grey),
        middle=_near(mute(light.middle), mute(light.horizon), 0.35 * grey),
        horizon=mute(light.horizon),
        glow=mute(light.glow, 0.6) if sun > 0.2 else (0.0, 0.0, 0.0),
        cloud_lit=mute(light.cloud_lit),
        cloud_shade=mute(light.cloud_shade),
        ambient=mute(light.ambient, 0.8),
        direct=(dim[0], dim[1], dim[2]),
        water=mute(light.water, 0.5),
        shallow=mute(light.shallow, 0.5),
        cover=cover,
        haze=haze,
        disc=0.0 if grey > 0.66 else 0.55,
        stars=0.0,
    )


def _near(first: RGB, second: RGB, weight: float) -> RGB:
    red, green, blue = (a + (b - a) * weight for a, b in zip(first, second, strict=True))
    return red, green, blue
