"""D4, D35: what customers send lands on disk, counted and of a known kind."""

import base64
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.core.errors import ErrorCode, PorticoError
from portico.media.uploads import UploadLimits, spool, spool_base64
from tests.unit.media import made

LIMITS = UploadLimits(picture_bytes_max=30_000, film_bytes_max=60_000)
PNG = made.picture("PNG", (60, 60))  # noise: about 11 kB
MP4 = b"\0\0\0\x18ftypisom\0\0\2\0isommp41"


async def pieces(data: bytes, size: int = 1_000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def code_of(work) -> ErrorCode:
    with pytest.raises(PorticoError) as caught:
        await work
    assert caught.value.param == "image"
    return caught.value.code


@pytest.mark.parametrize("size", [1, 7, 4_096, 100_000])
async def test_upload_is_written_whole_for_the_owner_only(tmp_path, size):
    upload = await spool(pieces(PNG, size), tmp_path / "a", limits=LIMITS)
    assert (upload.media_type, upload.size_bytes) == ("image/png", len(PNG))
    assert upload.path.read_bytes() == PNG
    assert upload.path.stat().st_mode & 0o777 == 0o600


async def test_picture_and_film_have_limits_of_their_own(tmp_path):
    picture, film = PNG + bytes(30_000), MP4 + bytes(40_000)
    work = spool(pieces(picture), tmp_path / "a", limits=LIMITS, param="image")
    assert await code_of(work) is ErrorCode.PAYLOAD_TOO_LARGE
    assert (await spool(pieces(film), tmp_path / "b", limits=LIMITS)).media_type == "video/mp4"
    work = spool(pieces(MP4 + bytes(60_000)), tmp_path / "c", limits=LIMITS, param="image")
    assert await code_of(work) is ErrorCode.PAYLOAD_TOO_LARGE
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


async def test_endless_upload_is_cut_early(tmp_path):
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        yield PNG
        while True:
            taken += 1_000
            yield bytes(1_000)

    work = spool(endless(), tmp_path / "a", limits=LIMITS, param="image")
    assert await code_of(work) is ErrorCode.PAYLOAD_TOO_LARGE
    assert taken <= LIMITS.picture_bytes_max


@pytest.mark.parametrize("data", [b"", b"<html>", b"<svg/>" + bytes(9_000), b"%PDF-1.7"])
async def test_what_is_no_medium_is_refused_and_removed(tmp_path, data):
    work = spool(pieces(data), tmp_path / "a", limits=LIMITS, param="image")
    assert await code_of(work) is ErrorCode.MEDIA_REJECTED
    assert list(tmp_path.iterdir()) == []


async def test_existing_file_is_never_overwritten(tmp_path):
    (tmp_path / "a").write_bytes(b"mine")
    with pytest.raises(PorticoError) as caught:
        await spool(pieces(PNG), tmp_path / "a", limits=LIMITS)
    assert caught.value.code is ErrorCode.OVERLOADED
    assert (tmp_path / "a").read_bytes() == b"mine"


def spellings(data: bytes) -> dict[str, str]:
    plain = base64.b64encode(data).decode()
    return {
        "plain": plain,
        "data url": f"data:image/png;base64,{plain}",
        "lying data url": f"data:text/html;charset=utf-8;base64,{plain}",
        "without padding": plain.rstrip("="),
        "url-safe": base64.urlsafe_b64encode(data).decode(),
        "in lines": base64.encodebytes(data).decode().replace("\n", "\r\n"),
    }


@pytest.mark.parametrize("spelling", spellings(b""))
async def test_base64_is_read_in_every_usual_spelling(tmp_path, spelling):
    upload = await spool_base64(spellings(PNG)[spelling], tmp_path / "a", limits=LIMITS)
    assert upload.path.read_bytes() == PNG


@pytest.mark.parametrize("text", ["", "!!!!", "data:image/png,abc", "A", "Zm9v=Zm9v", "données"])
async def test_text_that_is_not_base64_of_a_medium_is_refused(tmp_path, text):
    work = spool_base64(text, tmp_path / "a", limits=LIMITS, param="image")
    assert await code_of(work) is ErrorCode.MEDIA_REJECTED
    assert list(tmp_path.iterdir()) == []


async def test_long_base64_is_decoded_in_pieces(tmp_path):
    data = MP4 + bytes(range(256)) * 3_000  # longer than one piece of text
    limits = UploadLimits()
    upload = await spool_base64(spellings(data)["in lines"], tmp_path / "a", limits=limits)
    assert upload.path.read_bytes() == data


@given(st.text(max_size=100))
async def test_any_text_is_refused_cleanly(tmp_path_factory, text):
    to = tmp_path_factory.mktemp("upload") / "a"
    assert await code_of(spool_base64(text, to, limits=LIMITS, param="image"))
