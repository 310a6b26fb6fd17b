import av
import numpy as np
import pytest
from PIL import Image

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, Mode, Role
from portico.providers.base import InputFile
from portico.providers.local.drawing.picture_move import covered
from portico.providers.local.drawing.upscale import enlarge_picture
from tests.unit.providers.local.conftest import (
    frames_of,
    gradient,
    output,
    write_clip,
    write_picture,
)


async def test_picture_becomes_video_of_its_own_ratio(render, tmp_path):
    item = write_picture(tmp_path / "a.png", gradient(200, 300), Role.FIRST_FRAME)
    finished = await render(
        "zoom in", mode=Mode.IMAGE, inputs=(item,), resolution="120p", ratio="adaptive"
    )
    frames = frames_of(output(finished))
    assert abs(frames[0].shape[1] / frames[0].shape[0] - 2 / 3) < 0.02
    assert len(frames) == 24
    assert finished.usage["camera"] == "push"
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 2


async def test_locked_camera_holds_the_picture_still(render, tmp_path):
    item = write_picture(tmp_path / "a.png", gradient(160, 96), Role.FIRST_FRAME)
    finished = await render(
        "zoom in", mode=Mode.IMAGE, inputs=(item,), size="160x96", lock_camera=True
    )
    frames = frames_of(output(finished))
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() < 2


async def test_first_and_last_frame_are_the_ends(render, tmp_path):
    pictures = [gradient(160, 96), gradient(160, 96, turn=1)]
    inputs = (
        write_picture(tmp_path / "a.png", pictures[0], Role.FIRST_FRAME),
        write_picture(tmp_path / "b.png", pictures[1], Role.LAST_FRAME),
    )
    finished = await render("", mode=Mode.FIRST_LAST, inputs=inputs, size="160x96")
    frames = frames_of(output(finished))
    for picture, frame in ((pictures[0], frames[0]), (pictures[1], frames[-1])):
        assert np.abs(picture.astype(int) - frame).mean() < 8


async def test_references_follow_one_another(render, tmp_path):
    dark, light = np.full((96, 160, 3), 30, np.uint8), np.full((96, 160, 3), 220, np.uint8)
    inputs = (
        write_picture(tmp_path / "a.png", dark, Role.REFERENCE_IMAGE),
        write_picture(tmp_path / "b.png", light, Role.REFERENCE_IMAGE),
        write_clip(tmp_path / "c.mp4", Role.REFERENCE_VIDEO, frames=6),
    )
    finished = await render("", mode=Mode.REFERENCE, inputs=inputs, size="160x96")
    frames = frames_of(output(finished))
    assert frames[0].mean() < 50
    assert frames[12].mean() > 180
    assert len(frames) == 24


async def test_motion_of_the_video_moves_the_picture_the_same_way(render, tmp_path):
    noise = np.random.default_rng(1).integers(0, 255, (24, 40, 3), dtype=np.uint8)
    picture = np.asarray(Image.fromarray(noise).resize((320, 192), Image.Resampling.BICUBIC))
    inputs = (
        write_picture(tmp_path / "a.png", picture, Role.FIRST_FRAME),
        write_clip(tmp_path / "v.mp4", Role.MOTION_VIDEO, pan=2),
    )
    finished = await render("", mode=Mode.MOTION, inputs=inputs, size="160x96")
    frames = frames_of(output(finished))
    first, last = (frame.mean(axis=(0, 2)) for frame in (frames[0], frames[-1]))
    shifts = {shift: np.corrcoef(first[:80], np.roll(last, shift)[:80])[0, 1]
              for shift in range(-60, 61)}  # fmt: skip
    assert max(shifts, key=lambda shift: shifts[shift]) > 15


async def test_motion_takes_the_ratio_of_the_video_when_asked(render, tmp_path):
    inputs = (
        write_picture(tmp_path / "a.png", gradient(96, 160), Role.FIRST_FRAME),
        write_clip(tmp_path / "v.mp4", Role.MOTION_VIDEO, frames=6),
    )
    common = {"mode": Mode.MOTION, "inputs": inputs, "resolution": "120p"}
    wide = await render("", motion_orientation="video", **common)
    tall = await render("", motion_orientation="image", **common)
    assert wide.usage["width"] > wide.usage["height"]
    assert tall.usage["width"] < tall.usage["height"]


async def test_wardrobe_changes_the_middle_and_keeps_the_ground(render, tmp_path):
    person = np.full((240, 160, 3), 210, np.uint8)
    person[20:60, 65:95] = (220, 180, 150)
    person[60:230, 50:110] = (80, 80, 90)
    garment = np.full((100, 100, 3), 255, np.uint8)
    garment[10:90, 10:90] = (200, 20, 30)
    inputs = (
        write_picture(tmp_path / "p.png", person, Role.SOURCE_IMAGE),
        write_picture(tmp_path / "g.png", garment, Role.GARMENT),
    )
    finished = await render(
        "", kind=Kind.IMAGE, mode=Mode.WARDROBE, inputs=inputs, wardrobe_part="upper"
    )
    made = np.asarray(Image.open(output(finished)).convert("RGB")).astype(int)
    assert made[105, 80, 0] - made[105, 80, 2] > 60
    assert np.abs(made[:, :20] - person[:, :20]).max() <= 2
    assert finished.usage["preview"] is True


async def test_image_edit_changes_colour_and_keeps_size(render, tmp_path):
    item = write_picture(tmp_path / "a.png", gradient(160, 96), Role.SOURCE_IMAGE)
    finished = await render("black and white", kind=Kind.IMAGE, mode=Mode.IMAGE, inputs=(item,))
    made = np.asarray(Image.open(output(finished)).convert("RGB")).astype(int)
    assert made.shape == (96, 160, 3)
    assert np.abs(made[..., 0] - made[..., 2]).max() <= 1
    assert finished.usage["looks"] == ["mono"]


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1280, 720), (2560, 1440)), ((400, 200), (1600, 800)), ((3000, 90), (3000, 90))],
)
async def test_enhanced_image_reaches_2k_and_never_shrinks(render, tmp_path, size, expected):
    item = write_picture(tmp_path / "a.png", gradient(*size), Role.SOURCE_IMAGE)
    finished = await render("", kind=Kind.IMAGE, mode=Mode.ENHANCE, inputs=(item,))
    with Image.open(output(finished)) as made:
        assert made.size == expected


async def test_second_stage_enlarges_a_made_video_with_its_sound(render):
    made = await render("sea", audio=True, duration=0.5, size="96x64")
    item = write_source(made)
    finished = await render("sea", stage="enhance", inputs=(item,), audio=True)
    with av.open(str(output(finished))) as container:
        video = container.streams.video[0]
        assert (video.codec_context.width, video.codec_context.height) == (384, 256)
        assert sum(1 for _ in container.decode(video)) == 12
        assert container.streams.audio
    assert finished.usage["has_audio"] is True


async def test_upscaler_is_no_worse_than_bicubic_on_clean_input():
    noise = np.random.default_rng(5).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    truth = Image.fromarray(noise).resize((320, 240), Image.Resampling.BICUBIC)
    small = truth.resize((160, 120), Image.Resampling.BOX)
    plain = np.asarray(small.resize((320, 240), Image.Resampling.BICUBIC)).astype(float)
    ours = enlarge_picture(np.asarray(small), (320, 240)).astype(float)
    wanted = np.asarray(truth).astype(float)
    assert np.square(ours - wanted).mean() <= np.square(plain - wanted).mean() * 1.02


def test_crop_of_a_portrait_keeps_the_head():
    tall = np.zeros((400, 100, 3), np.uint8)
    tall[60:120] = 255
    kept = covered(tall, (100, 100))
    assert kept.mean() > 100


async def test_missing_input_is_an_invalid_request(render):
    with pytest.raises(PorticoError) as caught:
        await render("zoom in", mode=Mode.IMAGE)
    assert caught.value.code is ErrorCode.INVALID_REQUEST


def write_source(made):
    return InputFile(role=Role.SOURCE_VIDEO, media_type="video/mp4", path=output(made))
