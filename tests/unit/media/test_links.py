"""A8: signed links."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.media.links import Links

ASSET = "asset_abcdefghijklmnopqrstuvwxy"
NOW = 1_800_000_000_000
TMP = "/" + "tmp"  # a wire format, never a folder
LATER = NOW + 60_000
LINKS = Links([b"s" * 32])
TOKEN = LINKS.token(ASSET, expires_at=LATER)


def test_link_opens_its_asset_until_it_expires():
    assert LINKS.verify(TOKEN, now=NOW) == ASSET
    assert LINKS.verify(TOKEN, now=LATER - 1) == ASSET
    assert LINKS.verify(TOKEN, now=LATER) is None


def test_link_has_the_shape_of_a_path():
    path = LINKS.path(ASSET, name="video.mp4", expires_at=LATER)
    assert path == f"/files/{TOKEN}/video.mp4"
    assert re.fullmatch(r"[A-Za-z0-9_-]{50,120}", TOKEN)


def test_tmp_path_has_four_folders_and_opens_the_same_asset():
    path = LINKS.tmp_path(ASSET, name="video.mp4", expires_at=LATER)
    assert re.fullmatch(TMP + r"(/[A-Za-z0-9_-]+){4}/video\.mp4", path)
    assert LINKS.verify_tmp_path(path, now=NOW) == ASSET
    assert LINKS.verify_tmp_path(path, now=LATER) is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        f"{TMP}/19/43/137/39/cover.jpeg",
        f"{TMP}/../etc/passwd",
        "/etc/passwd",
        f"{TMP}/{TOKEN}/video.mp4",
        f"{TMP}/a/../{TOKEN}/x/video.mp4",
        f"{TMP}/a/b/c/d/" + "x" * 5_000,
        f"{TMP}/{TOKEN[:20]}/{TOKEN[20:40]}/{TOKEN[40:60]}/{TOKEN[60:]}/../../x",
        f"{TMP}/{TOKEN[:20]}/{TOKEN[20:40]}/{TOKEN[40:60]}/{TOKEN[60:]}/a.mp4\n",
    ],
)
def test_path_we_did_not_issue_opens_nothing(path):
    assert LINKS.verify_tmp_path(path, now=NOW) is None


@pytest.mark.parametrize("position", range(len(base64.urlsafe_b64decode(TOKEN + "=="))))
def test_every_byte_of_a_token_is_signed(position):
    raw = bytearray(base64.urlsafe_b64decode(TOKEN + "=="))
    raw[position] ^= 1
    changed = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    assert LINKS.verify(changed, now=NOW) is None


@given(st.text(max_size=250))
def test_any_text_is_refused_quietly(text):
    assert LINKS.verify(text, now=NOW) is None
    assert LINKS.verify_tmp_path(text, now=NOW) is None


def test_old_secret_still_opens_and_new_one_signs():
    rotated = Links([b"n" * 32, b"s" * 32])
    assert rotated.verify(TOKEN, now=NOW) == ASSET
    fresh = rotated.token(ASSET, expires_at=LATER)
    assert LINKS.verify(fresh, now=NOW) is None
    assert Links([b"n" * 32]).verify(fresh, now=NOW) == ASSET


def test_removed_secret_opens_nothing():
    assert Links([b"n" * 32]).verify(TOKEN, now=NOW) is None


@pytest.mark.parametrize("secrets", [[], [b""], [b"x" * 32, b"short"]])
def test_missing_or_short_secret_is_refused(secrets):
    with pytest.raises(ValueError, match="16 bytes"):
        Links(secrets)
