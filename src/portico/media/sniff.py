"""What a file is, by its first bytes alone (M1)."""

import re
from pathlib import Path

HEAD_BYTES = 4_096  # as much as `sniff` ever looks at

SUFFIXES = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "audio/wav": "wav",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
}

_MP3_RATES = b"".join(
    b"\\x%02x" % (bit_rate << 4 | rest) for bit_rate in range(1, 15) for rest in range(12)
)
_SIGNS = tuple(
    (re.compile(pattern, re.DOTALL), media_type)
    for pattern, media_type in (
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image/png"),
        (rb"RIFF....WEBPVP8[ LX]", "image/webp"),
        (rb"RIFF....WAVE", "audio/wav"),
        # EBML whose document type, in any of the usual spellings of its length, is webm
        (rb"\x1a\x45\xdf\xa3.{0,60}?\x42\x82(\x84|\x40\x04|\x01\x00{6}\x04)webm", "video/webm"),
        # QuickTime from before files named their brand
        (rb"\x00...(moov|mdat|wide)", "video/quicktime"),
        (rb"ID3[\x02-\x04]\x00[\x00-\xf0][\x00-\x7f]{4}", "audio/mpeg"),
        # a frame of MPEG layer III whose bit rate and sample rate exist
        (rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][" + _MP3_RATES + rb"]", "audio/mpeg"),
    )
)
_VIDEO_BRANDS = frozenset(
    b"isom iso2 iso3 iso4 iso5 iso6 iso7 iso8 iso9 mp41 mp42 mp71 avc1 av01 hvc1 dash"
    b" M4V M4VH M4VP MSNV 3gp4 3gp5 3gp6 f4v".split()
)
_AUDIO_BRANDS = frozenset([b"M4A", b"M4B", b"M4P"])
_BRAND_BYTES_MAX = 256


def sniff(head: bytes) -> str | None:
    """Return the media type of a file that begins with `head`; None for all we do not take."""
    if head[4:8] == b"ftyp":
        return _by_brands(head)
    return next((kind for sign, kind in _SIGNS if sign.match(head)), None)


def sniff_file(path: Path) -> str | None:
    """Return the media type of a file on this machine's disk; blocks for one short read."""
    with path.open("rb") as file:
        return sniff(file.read(HEAD_BYTES))


def _by_brands(head: bytes) -> str | None:
    """Read the major brand of an ISO file, or else the compatible ones."""
    box_bytes = min(int.from_bytes(head[:4], "big"), _BRAND_BYTES_MAX)
    brands = [head[at : at + 4].rstrip() for at in (8, *range(16, box_bytes, 4))]
    for brand in brands:
        if brand == b"qt":
            return "video/quicktime"
        if brand in _AUDIO_BRANDS:
            return "audio/mp4"
        if brand in _VIDEO_BRANDS:
            return "video/mp4"
    return None
