"""The child's own work, without its process: the same facts, much faster."""

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from portico.media.child.__main__ import perform
from portico.media.child.refusal import RefusedError
from portico.media.inspection import MediaLimits
from tests.unit.media import made

LIMITS = {"pixels_max": 50_000_000, "side_max": 16_384, "frames_max": 300} | {
    "film_side_max": 4_096,
    "film_s_max": 60,
    "fps_max": 60,
    "sound_s_max": 600,
}


def ask(path: Path, media_type: str, **changes: Any) -> dict[str, Any]:
    limits = LIMITS | changes.pop("limits", {})
    request = {"verb": "inspect", "path": str(path), "media_type": media_type, "limits": limits}
    return perform({"cover_to": None} | request | changes)


def test_limits_are_those_of_the_threat_model():
    limits = MediaLimits()
    assert {name: getattr(limits, name) for name in LIMITS} == LIMITS
    assert limits.picture_memory_bytes == 512 * 2**20
    assert limits.film_memory_bytes == 2 * 2**30
    assert (limits.picture_cpu_s, limits.film_cpu_s) == (10, 120)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "1"])
def test_cover_can_be_drawn_of_every_mode(tmp_path, mode):
    kind = "JPEG" if mode == "CMYK" else "PNG"
    raw = io.BytesIO()
    Image.new(mode, (30, 20)).save(raw, kind)
    path, cover = tmp_path / "file", tmp_path / "cover"
    path.write_bytes(raw.getvalue())
    facts = ask(path, f"image/{kind.lower()}", cover_to=str(cover))
    assert (facts["width"], facts["height"]) == (30, 20)
    with Image.open(cover) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (30, 20))


@pytest.mark.parametrize("rate", [24, 25, 30, 60])
def test_rate_and_frames_of_a_film_are_exact(tmp_path, rate):
    facts = ask(made.film(tmp_path / "film", rate=rate, frames=rate), "video/mp4")
    assert (facts["fps"], facts["frames"], facts["duration_ms"]) == (rate, rate, 1_000)


def test_black_film_gets_a_cover_all_the_same(tmp_path):
    path = made.film(tmp_path / "film", frames=2)
    ask(path, "video/mp4", cover_to=str(tmp_path / "cover"))
    assert (tmp_path / "cover").stat().st_size > 0


def test_portrait_film_has_a_portrait_cover(tmp_path):
    path = made.film(tmp_path / "film", size=(360, 720))
    ask(path, "video/mp4", cover_to=str(tmp_path / "cover"))
    with Image.open(tmp_path / "cover") as image:
        assert image.size == (320, 640)


@pytest.mark.parametrize(
    "limits", [{"film_side_max": 63}, {"film_s_max": 1}, {"fps_max": 23}], ids=str
)
def test_film_beyond_a_limit_is_refused(tmp_path, limits):
    with pytest.raises(RefusedError):
        ask(made.film(tmp_path / "film", frames=48), "video/mp4", limits=limits)


def test_sound_beyond_a_limit_is_refused(tmp_path):
    path = made.sound(tmp_path / "sound", kind="wav", codec="pcm_s16le", seconds=3)
    assert ask(path, "audio/wav")["duration_ms"] == pytest.approx(3_000, abs=50)
    with pytest.raises(RefusedError):
        ask(path, "audio/wav", limits={"sound_s_max": 1})


def test_odd_codec_is_never_decoded(tmp_path):
    path = made.film(tmp_path / "film", kind="mov", codec="mpeg2video")
    with pytest.raises(RefusedError):
        ask(path, "video/quicktime")


def test_picture_is_stripped(tmp_path):
    path, to = tmp_path / "file", tmp_path / "out"
    exif = Image.Exif()
    exif[0x0112] = 8
    path.write_bytes(made.picture("JPEG", exif=exif) + b"tail")
    ask(path, "image/jpeg", verb="strip", to=str(to))
    assert b"Exif" not in to.read_bytes()
    with Image.open(to) as image:
        assert image.size == (48, 64)


FILM_KINDS = {"mp4": ("libx264", "video/mp4"), "webm": ("libvpx-vp9", "video/webm")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Real files to be garbled, by media type."""
    folder = tmp_path_factory.mktemp("whole")
    films = {
        media_type: made.film(folder / kind, kind=kind, codec=codec).read_bytes()
        for kind, (codec, media_type) in FILM_KINDS.items()
    }
    kinds = ("JPEG", "PNG", "WEBP")
    return films | {f"image/{kind.lower()}": made.picture(kind) for kind in kinds}


@given(st.data())
def test_garbled_files_end_in_facts_or_an_error(whole, tmp_path_factory, data):
    media_type = data.draw(st.sampled_from(sorted(whole)))
    raw = bytearray(whole[media_type])
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "garbled"
    path.write_bytes(raw[: data.draw(st.integers(1, len(raw)))])
    try:
        facts = ask(path, media_type)
    except Exception:  # noqa: BLE001 - any error is a refusal; only the process must live
        return
    assert set(facts) <= {"width", "height", "frames", "fps", "has_audio", "duration_ms"}
