"""Profiles: sizes as resolutions and ratios, lists and single files, results in any shape."""

from pathlib import Path
from typing import Any

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaJob, Mode, Role
from portico.providers import fal, replicate
from portico.providers.base import Assignment, Capabilities, HandOver, InputFile
from portico.providers.profiles import Profile, full_name, profile_of, read_input, result_urls

CAN = Capabilities(kinds=frozenset({Kind.VIDEO}), media={"image": (HandOver.PASS,)})
SPLITS = Profile(
    models="*",
    params={"resolution": "resolution", "ratio": "aspect_ratio"},
    roles={Role.FIRST_FRAME: "image"},
    of_frame=frozenset({"ratio"}),
    splits_size=True,
)
FRAME = InputFile(Role.FIRST_FRAME, "image/png", Path(), url="https://a.example/a.png")


def assignment(*inputs: InputFile, model: str = "m", **params: Any) -> Assignment:
    job = MediaJob(
        offering="o", model="m", kind=Kind.VIDEO, mode=Mode.TEXT, prompt="", params=params
    )
    return Assignment(job=job, stage="generate", model=model, inputs=inputs, folder=Path())


@pytest.mark.parametrize(
    ("size", "resolution", "ratio"),
    [
        ("832*480", "480p", "16:9"),
        ("624x624", "480p", "1:1"),
        ("720*1280", "720p", "9:16"),
        ("1088*832", "720p", "4:3"),
        ("1920x1080", "1080p", "16:9"),
        ("1248*1632", "1080p", "3:4"),
    ],
)
async def test_size_is_asked_for_as_the_nearest_resolution_and_ratio(size, resolution, ratio):
    body = await read_input(SPLITS, assignment(size=size), CAN)
    assert body == {"resolution": resolution, "aspect_ratio": ratio}
    framed = await read_input(SPLITS, assignment(FRAME, size=size), CAN)
    assert framed == {"resolution": resolution, "image": FRAME.url}


@pytest.mark.parametrize("size", ["3840x2160", "0x720", "large", "1920"])
async def test_size_that_no_resolution_is_near_is_refused(size):
    with pytest.raises(PorticoError) as caught:
        await read_input(SPLITS, assignment(size=size), CAN)
    assert (caught.value.code, caught.value.param) == (ErrorCode.UNSUPPORTED_OPTION, "size")


@pytest.mark.parametrize("table", [fal.PROFILES, replicate.PROFILES], ids=["fal", "replicate"])
@pytest.mark.parametrize("kind", [Kind.VIDEO, Kind.IMAGE])
def test_every_table_has_a_profile_for_models_nobody_knows(table, kind):
    assert profile_of(table, "somebody/new", kind).models == "*"


@pytest.mark.parametrize("table", [fal.PROFILES, replicate.PROFILES], ids=["fal", "replicate"])
def test_profiles_speak_of_what_they_have(table):
    for profile in table:
        assert profile.forms.keys() <= profile.params.keys()
        assert profile.lists <= set(profile.roles.values())


def test_kind_that_no_table_has_is_refused():
    with pytest.raises(PorticoError) as caught:
        profile_of(fal.PROFILES, "somebody/new", Kind.TEXT)
    assert caught.value.code is ErrorCode.UNSUPPORTED_OPTION


def test_name_without_endings_stays_whatever_the_inputs():
    endings = {"a/*": {Mode.TEXT: "/t", Mode.IMAGE: "/i"}}
    assert full_name(endings, assignment(FRAME, model="b/c")) == "b/c"
    assert full_name(endings, assignment(FRAME, model="a/c")) == "a/c/i"
    assert full_name(endings, assignment(FRAME, model="a/c/t")) == "a/c/t"


@pytest.mark.parametrize(
    "output", [None, 7, "a.mp4", {"logs": "https://x/log"}, [[]], {"video": 7}]
)
def test_result_without_an_address_has_none(output):
    assert result_urls(output) == ()
