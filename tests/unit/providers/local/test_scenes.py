import hashlib
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from portico.core.jobs import Kind
from portico.providers.local.drawing import film
from portico.providers.local.drawing.prompt import read_prompt
from tests.unit.providers.local.conftest import frames_of, output

SCENES = ("sea", "mountains", "lake", "desert", "meadow", "space", "city", "forest")


def still(prompt: str, width: int = 160, height: int = 96, **how: object) -> np.ndarray:
    return film.shoot_still(read_prompt(prompt, **how), width, height)  # type: ignore[arg-type]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_server_side_modules_import_no_pixel_library():
    code = (
        "import sys; import portico.providers.local.provider, portico.providers.local.text; "
        "print([m for m in ('numpy', 'cv2', 'av', 'PIL') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert told.stdout.strip() == "[]"


async def test_video_has_asked_size_length_and_sound(render):
    finished = await render("sailboat at sunset", audio=True, duration=1.5)
    with av.open(str(output(finished))) as container:
        video = container.streams.video[0]
        frames = sum(1 for _ in container.decode(video))
        assert (video.codec_context.width, video.codec_context.height) == (160, 96)
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert video.average_rate == 24
        assert frames == 36
        assert container.metadata["comment"] == "Portico local renderer"
        assert container.streams.audio[0].codec_context.name == "aac"
    usage = finished.usage
    assert (usage["width"], usage["height"], usage["fps"]) == (160, 96, 24)
    assert (usage["duration_s"], usage["has_audio"], usage["understood"]) == (1.5, True, True)


async def test_video_without_audio_has_none_and_starts_fast(render):
    path = output(await render("lake by day"))
    data = path.read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")
    with av.open(str(path)) as container:
        assert not container.streams.audio


async def test_cover_is_a_jpeg_of_640_pixels(render):
    with Image.open(output(await render("sea"), "cover")) as cover:
        assert (cover.format, cover.size) == ("JPEG", (640, 384))


async def test_image_is_a_png_that_says_who_made_it(render):
    finished = await render("sea", kind=Kind.IMAGE)
    with Image.open(output(finished)) as picture:
        assert (picture.format, picture.size) == ("PNG", (160, 96))
        assert picture.info["Software"] == "Portico local renderer"


async def test_same_seed_gives_the_same_bytes_in_another_process(render):
    first = await render("city at night", seed=7, duration=0.5)
    second = await render("city at night", seed=7, duration=0.5)
    third = await render("city at night", seed=8, duration=0.5)
    assert digest(output(first)) == digest(output(second))
    assert digest(output(first)) != digest(output(third))
    assert first.usage["seed"] == 7


async def test_unknown_prompt_is_reported_as_not_understood(render):
    usage = (await render("xyzzy", kind=Kind.IMAGE)).usage
    assert usage["understood"] is False


@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_has_light_shade_and_detail(scene):
    picture = still(scene, seed=11).astype(float)
    assert 20 < picture.mean() < 215 or scene == "space"
    assert picture.std() > 15


@pytest.mark.parametrize("scene", ["sea", "mountains", "city", "forest"])
def test_night_is_darker_than_day(scene):
    night, day = (still(f"{scene} {time}", seed=4).mean() for time in ("at night", "at noon"))
    assert night < day * 0.6


@pytest.mark.parametrize("scene", SCENES)
def test_composition_does_not_depend_on_the_size(scene):
    small = still(scene, 160, 90, seed=5).astype(float)
    large = still(scene, 480, 270, seed=5).astype(float)
    shrunk = large.reshape(90, 3, 160, 3, 3).mean(axis=(1, 3))
    soft = [_blocks(picture) for picture in (small, shrunk)]
    assert np.corrcoef(soft[0].ravel(), soft[1].ravel())[0, 1] > 0.9


def test_negative_prompt_takes_the_boat_away():
    boat = still("calm sea with a boat", seed=2)
    none = still("calm sea with a boat", seed=2, negative="boat")
    plain = still("calm sea", seed=2)
    assert np.array_equal(none, plain)
    assert not np.array_equal(boat, plain)


def test_pan_right_moves_the_view_left(tmp_path):
    frames = list(
        film.shoot(
            read_prompt("mountains, pan right", seed=3), 192, 112, frames=24, fps=24, scale=1.0
        )
    )
    first, last = (frame[20:60].mean(axis=(0, 2)) for frame in (frames[0], frames[-1]))
    shifts = {
        shift: np.corrcoef(first[20:-20], np.roll(last, shift)[20:-20])[0, 1]
        for shift in range(-16, 17)
    }
    assert max(shifts, key=lambda shift: shifts[shift]) > 0


def test_locked_camera_keeps_land_still():
    frames = list(film.shoot(read_prompt("desert", seed=3), 96, 64, frames=12, fps=24, scale=1.0))
    assert np.abs(frames[0][56:].astype(int) - frames[-1][56:]).max() <= 2


@pytest.mark.parametrize("prompt", ["storm at sea", "snow over mountains", "rain in the city"])
def test_falling_weather_moves(prompt):
    frames = list(film.shoot(read_prompt(prompt), 96, 64, frames=3, fps=24, scale=1.0))
    assert np.abs(frames[0].astype(int) - frames[2]).mean() > 0.3


async def test_portrait_video_decodes_to_every_frame(render):
    finished = await render("forest", size="96x160", duration=0.5)
    frames = frames_of(output(finished))
    assert len(frames) == 12
    assert frames[0].shape == (160, 96, 3)


def _blocks(picture: np.ndarray) -> np.ndarray:
    return picture.reshape(15, 6, 20, 8, 3).mean(axis=(1, 3))
