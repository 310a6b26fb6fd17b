"""M1: the bytes alone say what a file is."""

import pytest

from portico.media.sniff import HEAD_BYTES, sniff, sniff_file
from tests.unit.media import made


def box(brand: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + brand + b"\0\0\2\0" + b"".join(compatible)
    return (len(body) + 4).to_bytes(4, "big") + body + b"\0\0\0\x08free"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"RIFF\x10\0\0\0WEBPVP8X", "image/webp"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "audio/wav"),
        (box(b"isom", b"mp41"), "video/mp4"),
        (box(b"mp42"), "video/mp4"),
        (box(b"M4V "), "video/mp4"),
        (box(b"XXXX", b"isom"), "video/mp4"),  # an own brand, compatible with a known one
        (box(b"qt  "), "video/quicktime"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "video/quicktime"),
        (box(b"M4A ", b"isom"), "audio/mp4"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", "video/webm"),
        (b"ID3\x04\0\0\0\0\0\x20", "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "audio/mpeg"),
    ],
)
def test_accepted_kinds_are_known_by_their_first_bytes(head, expected):
    assert sniff(head) == expected


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff\xd8",
        b"<!DOCTYPE html><html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'>",
        b"<?xml version='1.0'?><svg/>",
        b"%PDF-1.7",
        b"#EXTM3U\n#EXTINF:1\nfile:///etc/passwd",
        b"ffconcat version 1.0\nfile secret.mp4",
        b"PK\x03\x04",
        b"GIF89a",
        b"BM\x00\x00",
        b"\x1f\x8b\x08",
        b"RIFF\x10\0\0\0AVI LIST",
        b"RIFF\x10\0\0\0WEBPHTML",
        b"\x89PNG\r\n\x1a\n\0\0\0\rCgBI",
        box(b"heic", b"mif1"),
        box(b"avif", b"mif1"),
        box(b"jp2 "),
        b"\x1a\x45\xdf\xa3\x9f\x42\x82\x88matroska",
        b"\xff\xf1\x50\x80",  # AAC without a container
        b"\xff\xfb\xf0\x00",  # a bit rate that does not exist
        b"\xff\xfb\x9c\x00",  # a sample rate that does not exist
        b"ID3 is how this text begins",
        b"OggS",
        b"fLaC",
        b"\0" * 64,
    ],
)
def test_everything_else_is_refused(head):
    assert sniff(head) is None


def test_real_files_are_known(tmp_path):
    assert sniff(made.picture("JPEG")) == "image/jpeg"
    assert sniff(made.picture("WEBP")) == "image/webp"
    assert sniff_file(made.film(tmp_path / "a")) == "video/mp4"
    assert sniff_file(made.film(tmp_path / "b", kind="mov")) == "video/quicktime"
    webm = made.film(tmp_path / "c", kind="webm", codec="libvpx-vp9")
    assert sniff(webm.read_bytes()[:HEAD_BYTES]) == "video/webm"
    assert sniff_file(made.sound(tmp_path / "d", kind="mp3", codec="libmp3lame")) == "audio/mpeg"
    assert sniff_file(made.sound(tmp_path / "e", kind="wav", codec="pcm_s16le")) == "audio/wav"
    assert sniff_file(made.sound(tmp_path / "f", kind="ipod", codec="aac")) == "audio/mp4"
