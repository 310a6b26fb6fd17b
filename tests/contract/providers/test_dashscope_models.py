"""Each generation of DashScope's models is asked as its emulator, which is strict, wants it."""

from pathlib import Path
from typing import Any

import pytest

from portico.core.jobs import Kind, Role
from portico.core.upstreams import Trouble, UpstreamError
from portico.emulators.emulator import sample
from portico.providers.base import Finished, InputFile, Pending
from tests.contract.providers.cases import CASES, Bench, bench

DASHSCOPE = next(case for case in CASES if case.provider == "dashscope")
TEXT, FRAME = (), (Role.FIRST_FRAME,)
FRAMES, PEOPLE = (Role.FIRST_FRAME, Role.LAST_FRAME), (Role.REFERENCE_IMAGE,) * 2
VIDEO: dict[str, Any] = {"duration": 5, "resolution": "720p", "ratio": "16:9"}
VIDEOS = (
    ("wan2.5", TEXT),
    ("wan2.5", FRAME),
    ("wan2.6", TEXT),
    ("wan2.6", FRAME),
    ("wan2.6", PEOPLE),
    ("wan2.6-i2v-flash", FRAME),
    ("wan2.6-r2v-flash", PEOPLE),
    ("wan2.2-kf2v-flash", FRAMES),
    ("wan2.7", TEXT),
    ("wan2.7", FRAME),
    ("wan2.7", FRAMES),
    ("wan2.7", PEOPLE),
    ("wan3.0-video-prime", FRAMES),
    ("happyhorse-1.0", TEXT),
    ("happyhorse-1.0", FRAME),
    ("happyhorse-1.0", PEOPLE),
    ("happyhorse-1.1", TEXT),
    ("an-accounts-own", FRAME),
)
PICTURES = (
    ("qwen-image", TEXT),
    ("qwen-image-plus", TEXT),
    ("qwen-image-max", TEXT),
    ("qwen-image-2.0-pro", TEXT),
    ("qwen-image-2.0", PEOPLE),
    ("qwen-image-edit-plus", PEOPLE),
    ("wan2.6-t2i", TEXT),
    ("wan2.6-image", TEXT),
    ("wan2.6-image", PEOPLE),
    ("wan2.7-image-pro", PEOPLE),
    ("wan2.5-t2i-preview", TEXT),
    ("wanx2.1-t2i-turbo", TEXT),
)


def files(one: Bench, roles: tuple[Role, ...]) -> tuple[InputFile, ...]:
    path: Path = one.folder / "input"
    path.write_bytes(sample("png"))
    return tuple(InputFile(role, "image/png", path) for role in roles)


async def made(one: Bench, kind: Kind, model: str, params: Any, roles: Any) -> Finished:
    asked = one.assignment(kind, model, "sea", params, files(one, roles))
    outcome = await one.provider.start(asked, attempt_id="a")
    if isinstance(outcome, Pending):
        outcome = await one.provider.check(outcome.upstream_id)
    assert isinstance(outcome, Finished)
    return outcome


@pytest.mark.parametrize(("model", "roles"), VIDEOS)
async def test_every_model_of_videos_makes_one(model, roles, tmp_path):
    async with bench(DASHSCOPE, tmp_path) as one:
        outcome = await made(one, Kind.VIDEO, model, VIDEO, roles)
        assert [each.url for each in outcome.outputs] != []
        assert outcome.usage == {"seconds": 5}


@pytest.mark.parametrize(("model", "roles"), PICTURES)
async def test_every_model_of_pictures_makes_one(model, roles, tmp_path):
    async with bench(DASHSCOPE, tmp_path) as one:
        outcome = await made(one, Kind.IMAGE, model, {"ratio": "16:9"}, roles)
        assert len(outcome.outputs) == 1
        assert outcome.usage == {"images": 1}


@pytest.mark.parametrize("model", ["wan2.6-x2v", "qwen-video", "happyhorse-9"])
async def test_model_that_they_do_not_have_is_known_as_such(model, tmp_path):
    async with bench(DASHSCOPE, tmp_path) as one:
        with pytest.raises(UpstreamError) as caught:
            await made(one, Kind.VIDEO, model, VIDEO, TEXT)
        assert caught.value.trouble is Trouble.MODEL
