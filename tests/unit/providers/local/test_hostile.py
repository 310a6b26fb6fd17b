"""Hostile inputs end as MEDIA_REJECTED in the child; the parent never notices."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, Mode, Role
from portico.providers.base import InputFile
from tests.unit.providers.local.conftest import write_clip


def video(path: Path) -> InputFile:
    return InputFile(role=Role.SOURCE_VIDEO, media_type="video/mp4", path=path)


def picture(path: Path) -> InputFile:
    return InputFile(role=Role.SOURCE_IMAGE, media_type="image/png", path=path)


async def refused(render, item: InputFile) -> ErrorCode:
    kind = Kind.VIDEO if item.role is Role.SOURCE_VIDEO else Kind.IMAGE
    with pytest.raises(PorticoError) as caught:
        await render("", kind=kind, mode=Mode.ENHANCE, inputs=(item,))
    assert str(item.path) not in caught.value.message
    return caught.value.code


async def test_ffconcat_script_named_mp4_is_not_followed(render, tmp_path):
    write_clip(tmp_path / "neighbour.mp4", Role.SOURCE_VIDEO, frames=6)
    script = tmp_path / "script.mp4"
    script.write_text("ffconcat version 1.0\nfile neighbour.mp4\n")
    assert await refused(render, video(script)) is ErrorCode.MEDIA_REJECTED


async def test_playlist_behind_a_false_header_is_not_followed(render, tmp_path):
    write_clip(tmp_path / "neighbour.mp4", Role.SOURCE_VIDEO, frames=6)
    playlist = tmp_path / "list.mp4"
    playlist.write_bytes(b"\0\0\0\x18ftypisom\n#EXTM3U\n#EXTINF:1,\nneighbour.mp4\n")
    assert await refused(render, video(playlist)) is ErrorCode.MEDIA_REJECTED


@pytest.mark.parametrize("name", ["page.mp4", "page.png"])
async def test_web_page_is_no_media(render, tmp_path, name):
    page = tmp_path / name
    page.write_text("<!doctype html><title>sign in</title>")
    item = video(page) if name.endswith("mp4") else picture(page)
    assert await refused(render, item) is ErrorCode.MEDIA_REJECTED


async def test_picture_bomb_is_refused_before_it_is_decoded(render, tmp_path):
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(png_bomb(13_000, 13_000))
    assert bomb.stat().st_size < 1_000_000
    assert await refused(render, picture(bomb)) is ErrorCode.MEDIA_REJECTED


async def test_garbled_videos_never_kill_the_parent(render, tmp_path):
    whole = write_clip(tmp_path / "whole.mp4", Role.SOURCE_VIDEO, frames=12).path.read_bytes()
    draw = np.random.default_rng(9)
    for index in range(4):
        data = bytearray(whole[: int(len(whole) * (0.3 + 0.2 * index))])
        for place in draw.integers(40, len(data), 60):
            data[place] = int(draw.integers(0, 256))
        path = tmp_path / f"garbled-{index}.mp4"
        path.write_bytes(bytes(data))
        assert await refused(render, video(path)) is ErrorCode.MEDIA_REJECTED


async def test_truncated_picture_is_refused(render, tmp_path):
    from PIL import Image

    path = tmp_path / "cut.png"
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:60])
    assert await refused(render, picture(path)) is ErrorCode.MEDIA_REJECTED


async def test_missing_input_file_is_refused(render, tmp_path):
    assert await refused(render, picture(tmp_path / "gone.png")) is ErrorCode.MEDIA_REJECTED


def png_bomb(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    squeeze = zlib.compressobj(9)
    row = b"\0" * (width + 1)
    data = b"".join(squeeze.compress(row) for _ in range(height)) + squeeze.flush()
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
