"""Take metadata and trailing bytes off a picture without touching its pixels; pure."""

import re
from collections.abc import Callable, Iterator

_JPEG_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
_JPEG_START = b"\xff\xd8"
_JPEG_END, _JPEG_SCAN = 0xD9, 0xDA
_JPEG_KEPT_APPS = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
_JPEG_COMMENT = 0xFE
_JPEG_APPS = range(0xE0, 0xF0)

_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP sBIT cICP mDCV cLLI bKGD acTL fcTL fdAT".split()
)
_WEBP_KEPT = frozenset([b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"])
_WEBP_EXIF_AND_XMP = 0x0C


def strip_jpeg(data: bytes) -> bytes:
    """Keep the segments a decoder needs, up to the end marker."""
    if not data.startswith(_JPEG_START):
        raise ValueError
    kept, at = [_JPEG_START], len(_JPEG_START)
    while True:
        found = _JPEG_MARKER.search(data, at)
        if found is None:
            raise ValueError
        kept.append(data[at : found.start()])  # the scan since the last segment
        marker = found[1][0]
        if marker == _JPEG_END:
            return b"".join([*kept, b"\xff\xd9"])
        length = int.from_bytes(data[found.end() : found.end() + 2], "big")
        at = found.end() + length
        body = data[found.end() + 2 : at]
        if _is_needed(marker, body):
            kept.append(bytes((0xFF, marker)) + data[found.end() : at])
        if marker != _JPEG_SCAN and data[at : at + 1] != b"\xff":
            raise ValueError  # segments follow each other without gaps


def _is_needed(marker: int, body: bytes) -> bool:
    if marker in _JPEG_APPS:
        return marker in _JPEG_KEPT_APPS and body.startswith(_JPEG_KEPT_APPS[marker])
    return marker != _JPEG_COMMENT


def strip_png(data: bytes) -> bytes:
    """Keep the chunks that make the picture, up to IEND."""
    if not data.startswith(_PNG_START):
        raise ValueError
    kept, at = [_PNG_START], len(_PNG_START)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if kind in _PNG_KEPT:
            kept.append(data[at:end])
        if kind == b"IEND":
            return b"".join(kept)
        at = end
    raise ValueError


def strip_webp(data: bytes) -> bytes:
    """Keep the chunks that make the picture, within the size the file says it has."""
    kept = bytearray(b"WEBP")
    for kind, chunk in _webp_chunks(data):
        if kind == b"VP8X":
            cleared = bytearray(chunk)
            cleared[8] &= ~_WEBP_EXIF_AND_XMP & 0xFF
            kept += cleared
        elif kind in _WEBP_KEPT:
            kept += chunk
    return b"RIFF" + len(kept).to_bytes(4, "little") + bytes(kept)


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    size = int.from_bytes(data[4:8], "little")
    if not data.startswith(b"RIFF") or data[8:12] != b"WEBP" or size + 8 > len(data):
        raise ValueError
    at = 12
    while at + 8 <= size + 8:
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2
        yield data[at : at + 4], data[at:end]
        at = end


STRIP: dict[str, Callable[[bytes], bytes]] = {
    "image/jpeg": strip_jpeg,
    "image/png": strip_png,
    "image/webp": strip_webp,
}
