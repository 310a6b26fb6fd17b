"""Read a prompt into a scene the renderer can draw, and say what it ignores."""

import functools
import hashlib
import re
import unicodedata
from dataclasses import dataclass

from portico.providers.local.drawing import words
from portico.providers.local.drawing.noise import stream

SEED_MAX = 2**31 - 1

_FALLBACK_SCENES = ("sea", "mountains", "lake", "meadow", "desert")
_MOVES = ("push", "pan_left", "pan_right", "rise", "pull", "orbit")
_PHRASES = {
    "sea": "the open sea",
    "mountains": "a mountain range",
    "lake": "a mountain lake",
    "desert": "desert dunes",
    "meadow": "rolling meadows",
    "forest": "a conifer forest",
    "city": "a city skyline over water",
    "space": "deep space with a planet",
    "static": "locked camera",
    "push": "the camera moves forward",
    "pull": "the camera moves back",
    "pan_left": "the camera pans left",
    "pan_right": "the camera pans right",
    "tilt_up": "the camera tilts up",
    "tilt_down": "the camera tilts down",
    "rise": "the camera rises",
    "orbit": "the camera arcs around",
    "handheld": "handheld camera",
    "dawn": "at dawn",
    "day": "by day",
    "sunset": "at sunset",
    "night": "at night",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One scene to draw: every slot filled, nothing left to chance but the seed."""

    scene: str
    time: str
    weather: str
    camera: str
    subjects: frozenset[str]
    seed: int
    understood: bool = True
    expanded: str = ""
    not_drawn: tuple[str, ...] = ()


def read_prompt(
    prompt: str,
    *,
    seed: int | None = None,
    negative: str = "",
    expand: bool = False,
    lock_camera: bool = False,
) -> Spec:
    """Return what to draw for a prompt.

    Without a seed the seed is a hash of the prompt. `negative` removes the features it names.
    `expand` fills time, weather and camera from the seed where the prompt leaves them open;
    without it they are day, clear and static. `lock_camera` always means static. An unknown
    prompt becomes a landscape chosen by the seed, with `understood` false.
    """
    number = prompt_seed(prompt) if seed is None else seed & SEED_MAX
    removed = frozenset(find(negative, words.SUBJECTS) + find(negative, words.WEATHERS))
    fill = stream(number, "prompt")
    scenes = find(prompt, words.SCENES)
    scene = scenes[0] if scenes else str(fill.choice(_FALLBACK_SCENES))
    free_time = str(fill.choice(("day", "sunset", "dawn", "day")))
    free_weather = str(fill.choice(("clear", "cloudy", "cloudy")))
    free_move = str(fill.choice(_MOVES))
    time = _first(find(prompt, words.TIMES), free_time if expand else "day")
    weather = _weather(prompt, removed, free_weather if expand else "clear")
    camera = _first(find(prompt, words.CAMERAS), free_move if expand else "static")
    camera = "static" if lock_camera else camera
    subjects = frozenset(find(prompt, words.SUBJECTS)) - removed
    return Spec(
        scene=scene,
        time=time,
        weather=weather,
        camera=camera,
        subjects=subjects | frozenset(f"no_{name}" for name in removed),
        seed=number,
        understood=bool(scenes or subjects),
        expanded=_expanded(prompt, (scene, time, weather, camera)) if expand else prompt,
        not_drawn=find(prompt, words.NOT_DRAWN),
    )


def find(text: str, table: dict[str, str]) -> tuple[str, ...]:
    """Return the features of `table` named in `text`, earliest first in the table's order."""
    plain = _plain(text)
    if not plain:
        return ()
    return tuple(name for name, entry in table.items() if _pattern(entry).search(plain))


def prompt_seed(prompt: str) -> int:
    """Return the default seed of a prompt, 0 to 2147483647."""
    digest = hashlib.blake2b(_plain(prompt).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") & SEED_MAX


def _weather(prompt: str, removed: frozenset[str], default: str) -> str:
    found = [name for name in find(prompt, words.WEATHERS) if name not in removed]
    weather = _first(tuple(found), default)
    cloudless = {"clouds", "cloudy", "overcast"} & removed
    if cloudless and weather in {"cloudy", "overcast"}:
        return "clear"
    return weather


def _first(found: tuple[str, ...], default: str) -> str:
    return found[0] if found else default


def _expanded(prompt: str, slots: tuple[str, ...]) -> str:
    said = ", ".join(_PHRASES.get(slot, slot) for slot in slots)
    return f"{prompt.strip()} — {said}" if prompt.strip() else said


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFC", text).casefold()
    for trap, meant in words.TRAPS.items():
        folded = folded.replace(trap, meant)
    return re.sub(r"[\s_]+", " ", folded).strip()


@functools.cache
def _pattern(entry: str) -> re.Pattern[str]:
    return re.compile("|".join(_choice(word) for word in entry.replace("|", " ").split()))


def _choice(phrase: str) -> str:
    if any("\u3400" <= letter <= "\u9fff" for letter in phrase):
        return re.escape(phrase)
    stem = phrase.endswith("*")
    body = "[ -]".join(re.escape(word) for word in phrase.rstrip("*").split("-"))
    return rf"(?<!\w){body}" if stem else rf"(?<!\w){body}(?!\w)"
