"""M5: pictures lose metadata and trailing bytes, and nothing else."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, PngImagePlugin

from portico.core.errors import PorticoError
from portico.media.child.stripping import STRIP, strip_jpeg, strip_png, strip_webp
from portico.media.inspection import Inspector
from tests.unit.media import made

SECRET = b"52.5200N 13.4050E"


def with_metadata(kind: str, *, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    exif[0x0112] = orientation
    options: dict[str, object] = {"exif": exif}
    if kind == "PNG":
        notes = PngImagePlugin.PngInfo()
        notes.add_text("Comment", SECRET.decode())
        notes.add_text("Zipped", SECRET.decode() * 9, zip=True)
        options["pnginfo"] = notes
    if kind == "JPEG":
        options |= {"comment": SECRET, "progressive": True, "quality": 90}
    if kind == "WEBP":
        options |= {"xmp": b"<x>" + SECRET + b"</x>", "lossless": True}
    return made.picture(kind, (120, 80), **options) + b"<html>" + SECRET


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_metadata_and_trailing_bytes_go_and_pixels_stay(kind):
    before = with_metadata(kind)
    after = STRIP[f"image/{kind.lower()}"](before)
    assert SECRET in before
    assert SECRET not in after
    assert b"html" not in after
    with Image.open(io.BytesIO(before)) as old, Image.open(io.BytesIO(after)) as new:
        assert dict(new.getexif()) == {}
        difference = ImageChops.difference(old.convert("RGB"), new.convert("RGB"))
        assert difference.getbbox() is None


def test_colour_profile_stays():
    profile = b"\0" * 128 + b"profile"
    for kind, strip in (("JPEG", strip_jpeg), ("PNG", strip_png), ("WEBP", strip_webp)):
        with Image.open(io.BytesIO(strip(made.picture(kind, icc_profile=profile)))) as image:
            assert image.info["icc_profile"] == profile


def test_second_picture_behind_the_first_goes():
    one = made.picture("JPEG")
    assert strip_jpeg(one + one) == strip_jpeg(one)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_stripping_twice_changes_nothing(kind):
    strip = STRIP[f"image/{kind.lower()}"]
    once = strip(with_metadata(kind))
    assert strip(once) == once


@given(st.sampled_from(sorted(STRIP)), st.binary(max_size=200), st.integers(0, 400))
def test_broken_bytes_end_in_an_error_or_a_result_and_never_hang(media_type, tail, cut):
    kind = media_type.removeprefix("image/").upper()
    for data in (tail, made.picture(kind, (8, 8))[:cut] + tail):
        try:
            STRIP[media_type](data)
        except (ValueError, IndexError):
            continue


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 6])
async def test_child_strips_and_keeps_the_picture_upright(tmp_path, kind, orientation):
    path, to = tmp_path / "in", tmp_path / "out"
    path.write_bytes(with_metadata(kind, orientation=orientation))
    await Inspector().strip(path, f"image/{kind.lower()}", to=to)
    after = to.read_bytes()
    assert SECRET not in after
    with Image.open(io.BytesIO(after)) as image:
        assert image.format == kind
        assert image.size == ((80, 120) if orientation == 6 else (120, 80))
        assert dict(image.getexif()) == {}


async def test_broken_picture_leaves_no_output(tmp_path):
    path, to = tmp_path / "in", tmp_path / "out"
    path.write_bytes(made.picture("PNG")[:60])
    with pytest.raises(PorticoError):
        await Inspector().strip(path, "image/png", to=to)
    assert not to.exists()
