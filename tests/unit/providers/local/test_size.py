import pytest

from portico.core.errors import PorticoError
from portico.providers.local.size import image_size, video_size


@pytest.mark.parametrize(
    ("size", "resolution", "ratio", "expected"),
    [
        ("1920x1080", "480p", "1:1", (1920, 1080)),  # an explicit size wins
        ("1632*1248", "", "", (1632, 1248)),  # either sign
        ("161x97", "", "", (160, 96)),  # made even
        ("", "", "", (1280, 720)),
        ("", "720p", "16:9", (1280, 720)),
        ("", "1080p", "9:16", (1080, 1920)),
        ("", "480p", "16:9", (854, 480)),
        ("", "720p", "1:1", (960, 960)),
        ("", "1080p", "4:3", (1632, 1248)),
        ("", "720p", "21:9", (1472, 624)),
        ("", "720p", "9:21", (624, 1472)),
        ("", "720P", "adaptive", (1280, 720)),
    ],
)
def test_video_size_follows_size_then_resolution_and_ratio(size, resolution, ratio, expected):
    assert video_size(size, resolution, ratio) == expected


def test_adaptive_ratio_keeps_the_pictures_own():
    width, height = video_size("", "720p", "adaptive", picture=(600, 900))
    assert abs(width / height - 600 / 900) < 0.01
    assert width % 2 == height % 2 == 0


def test_image_sizes_default_to_one_megapixel():
    assert image_size("", "", "") == (1024, 1024)
    assert image_size("", "2k", "1:1") == (2048, 2048)
    assert image_size("1536x1024", "", "") == (1536, 1024)


@pytest.mark.parametrize(
    ("size", "resolution", "ratio"),
    [("9000x9000", "", ""), ("wide", "", ""), ("", "huge", ""), ("", "", "0:9"), ("16x16", "", "")],
)
def test_unreadable_or_oversized_frames_are_refused(size, resolution, ratio):
    with pytest.raises(PorticoError):
        video_size(size, resolution, ratio)
